import KeyValueStore
import Testing

private let family = ColumnFamily(index: 0, name: "records")

private func copy(_ bytes: RawSpan) -> [UInt8] { bytes.withUnsafeBytes { Array($0) } }

extension InMemoryStore {
    fileprivate func put(_ value: UInt8, for key: UInt8, _ durability: WriteDurability) throws {
        let transaction = makeTransaction()
        transaction.put([value], for: [key], in: family)
        try commit(transaction, durability: durability)
    }

    fileprivate func get(_ key: UInt8) throws -> [UInt8]? {
        try makeSnapshot().withValue([key], in: family, tier: .all, copy)
    }
}

@Suite("The store in memory")
struct InMemoryStoreTests {
    @Test("loses in a crash what came after the last flush")
    func losesUnflushed() throws {
        let store = InMemoryStore(families: [family])
        try store.put(1, for: 1, .buffered)
        try store.flush()
        try store.put(2, for: 1, .buffered)
        try store.put(2, for: 2, .buffered)
        let before = store.makeSnapshot()
        store.loseUnflushed()
        #expect(try store.get(1) == [1])
        #expect(try store.get(2) == nil)
        #expect(try before.withValue([2], in: family, tier: .all, copy) == [2])
    }

    @Test("keeps in a crash what a synced commit and those before it wrote")
    func keepsSynced() throws {
        let store = InMemoryStore(families: [family])
        try store.put(1, for: 1, .buffered)
        try store.put(2, for: 2, .synced)
        try store.put(3, for: 3, .buffered)
        store.loseUnflushed()
        #expect(try store.get(1) == [1])
        #expect(try store.get(2) == [2])
        #expect(try store.get(3) == nil)
    }

    @Test("opens again on its durable state")
    func durableState() throws {
        let store = InMemoryStore(families: [family])
        try store.put(1, for: 1, .synced)
        try store.put(2, for: 1, .buffered)
        let restarted = InMemoryStore(checkpoint: store.durableState())
        #expect(try restarted.get(1) == [1])
        #expect(try store.get(1) == [2])
    }

    @Test("on a failing disk refuses writes with the error and goes on reading")
    func failingDisk() throws {
        let store = InMemoryStore(families: [family])
        try store.put(1, for: 1, .synced)
        let full = KeyValueStoreError(.noSpace, "the disk is full")
        store.failWrites(with: full)
        #expect(throws: full) { try store.put(2, for: 1, .synced) }
        #expect(throws: full) { try store.flush() }
        #expect(try store.get(1) == [1])
    }

    @Test("keeps a hundred thousand records in order through puts and removals")
    func manyRecords() throws {
        let store = InMemoryStore(families: [family])
        func key(_ number: Int) -> [UInt8] { [UInt8(number >> 16), UInt8(number >> 8 & 255), UInt8(number & 255)] }
        let transaction = store.makeTransaction()
        // A stride that is prime to the count visits every number once, out of order.
        for step in 0..<100_000 {
            let number = step * 7_919 % 100_000
            transaction.put(key(number), for: key(number), in: family)
        }
        try store.commit(transaction, durability: .buffered)
        let removal = store.makeTransaction()
        for number in 0..<100_000 where number % 3 != 0 { removal.delete(key(number), in: family) }
        try store.commit(removal, durability: .buffered)
        var cursor = try store.makeSnapshot().makeCursor(in: family, from: nil, to: nil, tier: .all)
        try cursor.seekToFirst()
        var expected = 0
        while cursor.isValid {
            #expect(cursor.withKey(copy) == key(expected))
            expected += 3
            try cursor.next()
        }
        #expect(expected == 100_002)
    }
}
