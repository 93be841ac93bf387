import Foundation
import KeyValueStore
import Synchronization
import Testing

@Suite("RocksDB's log", .timeLimit(.minutes(1)))
struct RocksDBLogTests {
    private static let family = ColumnFamily(index: 0, name: "records")

    /// Keeps the lines.
    private final class Lines: Sendable {
        private let lines = Mutex<[RocksDBLogLine]>([])

        var all: [RocksDBLogLine] { lines.withLock { $0 } }
        func take(_ line: RocksDBLogLine) { lines.withLock { $0.append(line) } }
    }

    private let directory: TemporaryDirectory
    private var path: String { directory.appending("store") }

    init() throws { directory = try TemporaryDirectory() }

    private func open(_ lines: Lines? = nil) throws -> RocksDBStore {
        var options = RocksDBOptions()
        if let lines { options.log = { lines.take($0) } }
        return try RocksDBStore(path: path, families: [Self.family], options: options)
    }

    /// Writes the same keys with other values, into a file.
    private func fill(_ store: RocksDBStore, round: UInt8) throws {
        var generator = SystemRandomNumberGenerator()
        let transaction = store.makeTransaction()
        for index in UInt16(0)..<500 {
            // Nothing that could be compressed.
            let value = (0..<100).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
            transaction.put(value, for: [UInt8(index >> 8), UInt8(index & 255)], in: Self.family)
        }
        try store.commit(transaction, durability: .synced)
        try store.flush()
    }

    @Test("A healthy store says nothing, and writes no log of its own", arguments: [true, false])
    func silence(isLogged: Bool) throws {
        let lines = Lines()
        for round in UInt8(0)..<3 {
            let store = try open(isLogged ? lines : nil)
            try fill(store, round: round)
            store.close()
        }
        #expect(lines.all.isEmpty, "\(lines.all)")
        let names = try FileManager.default.contentsOfDirectory(atPath: path)
        #expect(names.contains("CURRENT"))
        #expect(!names.contains { $0.hasPrefix("LOG") }, "\(names)")
    }

    @Test("A damaged table that only a compaction reads is complained of by name")
    func damagedTable() async throws {
        let healthy = try open()
        try fill(healthy, round: 0)
        healthy.close()
        let table = try #require(
            FileManager.default.contentsOfDirectory(atPath: path).first {
                $0.hasSuffix(".sst") && (RocksDBLogTests.size(path, $0) > 40_000)
            })
        let file = URL(fileURLWithPath: path + "/" + table)
        var bytes = try Data(contentsOf: file)
        bytes[1_000] ^= 0xff
        try bytes.write(to: file)

        let lines = Lines()
        let store = try open(lines)
        defer { store.close() }
        // As many files as it takes for a compaction; once it has failed, writes may fail too.
        for round in UInt8(1)..<8 where lines.all.isEmpty { try? fill(store, round: round) }
        while !lines.all.contains(where: {
            $0.level != .fatal && $0.message.contains(table) && $0.message.contains("orruption")
        }) {
            try await Task.sleep(for: .milliseconds(2))
        }
        #expect(lines.all.allSatisfy { !$0.message.isEmpty && $0.message.last != "\n" })
    }

    private static func size(_ path: String, _ name: String) -> Int {
        ((try? FileManager.default.attributesOfItem(atPath: path + "/" + name)[.size]) as? Int) ?? 0
    }

    @Test("Who takes the lines is kept for as long as the store is open, and no longer")
    func lifetime() throws {
        final class Owner: Sendable {}
        weak var owner: Owner?
        var store: RocksDBStore?
        do {
            let kept = Owner()
            owner = kept
            var options = RocksDBOptions()
            options.log = { _ in withExtendedLifetime(kept) {} }
            store = try RocksDBStore(path: path, families: [Self.family], options: options)
        }
        #expect(owner != nil)
        let snapshot = try #require(store).makeSnapshot()
        store?.close()
        store = nil
        #expect(owner != nil)
        withExtendedLifetime(snapshot) {}
    }

    @Test("It is released with the last of what was open, also if the store did not open")
    func released() throws {
        final class Owner: Sendable {}
        weak var owner: Owner?
        func options() -> RocksDBOptions {
            let kept = Owner()
            owner = kept
            var options = RocksDBOptions()
            options.log = { _ in withExtendedLifetime(kept) {} }
            return options
        }
        func open(_ path: String) throws {
            let store = try RocksDBStore(path: path, families: [Self.family], options: options())
            #expect(owner != nil)
            store.close()
        }
        try open(path)
        #expect(owner == nil)
        #expect(throws: KeyValueStoreError.self) { try open(directory.appending("missing/store")) }
        #expect(owner == nil)
    }
}
