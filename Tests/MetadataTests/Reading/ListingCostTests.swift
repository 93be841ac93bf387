import KeyValueStore
import Metadata
import Synchronization
import Testing

/// What a page costs is counted in moves of the cursor: they are the same on any machine.
@Suite("The cost of listing")
struct ListingCostTests {
    @Test("A page of folders costs one seek a folder, however many keys they hold", arguments: [1, 10, 1000])
    func folders(keyCount: Int) throws {
        let keys = (0..<20).flatMap { folder in (0..<keyCount).map { Array("folder-\(folder + 10)/\($0)".utf8) } }
        let bucket = try ListingBucket(keys: keys, hidden: [])
        let reader = CountingReader(bucket.snapshot)
        let page = try MetadataReader(reader, tier: .all).listObjects(
            ListObjects(bucket: bucket.reference, delimiter: [0x2F], maxKeys: 10), in: bucket.record)
        #expect(page.commonPrefixes.count == 10 && page.nextStartAfter != nil)
        #expect(reader.moves.seeks == 11)
        #expect(reader.moves.steps == 0)
    }

    @Test("A key's old versions cost a few steps and one seek, however many they are", arguments: [20, 5000])
    func versions(versionCount: Int) throws {
        let bucket = try ListingBucket(keys: [Array("a".utf8), Array("b".utf8)], hidden: [], versionCount: versionCount)
        let reader = CountingReader(bucket.snapshot)
        let page = try MetadataReader(reader, tier: .all).listObjects(ListObjects(bucket: bucket.reference), in: bucket.record)
        #expect(page.objects.count == 2)
        #expect(reader.moves.seeks == 3)
        #expect(reader.moves.steps == 16)
    }

    @Test("A plain page costs one step a key and one seek, wherever it begins")
    func plain() throws {
        let keys = (0..<3000).map { Array("key-\($0 + 10_000)".utf8) }
        let bucket = try ListingBucket(keys: keys, hidden: [], versioning: .unversioned)
        for marker in [[], keys[1500], keys[2900]] {
            let reader = CountingReader(bucket.snapshot)
            let page = try MetadataReader(reader, tier: .all).listObjects(
                ListObjects(bucket: bucket.reference, startAfter: marker, maxKeys: 50), in: bucket.record)
            #expect(page.objects.count == 50)
            #expect(reader.moves.seeks == 1)
            #expect(reader.moves.steps == 50)
        }
    }
}

/// Counts the moves of the cursors over a snapshot.
private final class CountingReader: KeyValueReader {
    struct Moves {
        var seeks = 0
        var steps = 0
    }

    typealias Base = InMemoryStore.Snapshot
    private let base: Base
    private let counter = Counter()

    final class Counter { var moves = Moves() }

    init(_ base: Base) { self.base = base }

    var moves: Moves { counter.moves }

    func withValue<Result>(
        _ key: [UInt8], in family: ColumnFamily, tier: ReadTier, _ body: (RawSpan) -> Result
    ) throws(KeyValueStoreError) -> Result? {
        try base.withValue(key, in: family, tier: tier, body)
    }

    func makeCursor(
        in family: ColumnFamily, from lowerBound: [UInt8]?, to upperBound: [UInt8]?, tier: ReadTier
    ) throws(KeyValueStoreError) -> Cursor {
        Cursor(base: try base.makeCursor(in: family, from: lowerBound, to: upperBound, tier: tier), counter: counter)
    }

    struct Cursor: KeyValueCursor {
        var base: Base.Cursor
        let counter: Counter

        var isValid: Bool { base.isValid }

        mutating func seek(to key: [UInt8]) throws(KeyValueStoreError) {
            counter.moves.seeks += 1
            try base.seek(to: key)
        }

        mutating func seekToFirst() throws(KeyValueStoreError) {
            counter.moves.seeks += 1
            try base.seekToFirst()
        }

        mutating func seekToLast() throws(KeyValueStoreError) {
            counter.moves.seeks += 1
            try base.seekToLast()
        }

        mutating func next() throws(KeyValueStoreError) {
            counter.moves.steps += 1
            try base.next()
        }

        mutating func previous() throws(KeyValueStoreError) {
            counter.moves.steps += 1
            try base.previous()
        }

        func withKey<Result>(_ body: (RawSpan) -> Result) -> Result { base.withKey(body) }
        func withValue<Result>(_ body: (RawSpan) -> Result) -> Result { base.withValue(body) }
    }
}
