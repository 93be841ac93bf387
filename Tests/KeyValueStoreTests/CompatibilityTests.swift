import Foundation
import KeyValueStore
import KeyValueStoreTestKit
import Testing

struct RocksDBHarness: KeyValueStoreHarness {
    let directory: TemporaryDirectory
    var options = RocksDBOptions()

    init() throws { directory = try TemporaryDirectory() }

    func open(families: [ColumnFamily]) throws -> RocksDBStore {
        try RocksDBStore(path: directory.appending("store"), families: families, options: options)
    }

    func makeCheckpointPath() -> String { directory.appending("checkpoint-\(UUID())") }

    func openCheckpoint(of store: RocksDBStore, at path: String, families: [ColumnFamily]) throws -> RocksDBStore {
        try RocksDBStore(path: path, families: families, options: options)
    }
}

struct InMemoryHarness: KeyValueStoreHarness {
    func open(families: [ColumnFamily]) -> InMemoryStore { InMemoryStore(families: families) }

    func makeCheckpointPath() -> String { "checkpoint-\(UUID())" }

    func openCheckpoint(of store: InMemoryStore, at path: String, families: [ColumnFamily]) throws -> InMemoryStore {
        InMemoryStore(checkpoint: try #require(store.checkpoint(at: path)))
    }
}

/// One suite, both implementations.
@Suite("Every key-value store")
struct CompatibilityTests {
    /// These stay; a fresh one joins them in every run.
    static let seeds: [UInt64] = [1, 2, 3, UInt64.random(in: 100 ... .max)]

    @Test("RocksDB keeps the contract", arguments: ContractCase.allCases)
    func rocksDB(_ contract: ContractCase) throws {
        try contract.run(on: RocksDBHarness())
    }

    @Test("RocksDB without its log keeps the contract", arguments: ContractCase.allCases)
    func rocksDBWithoutLog(_ contract: ContractCase) throws {
        var harness = try RocksDBHarness()
        harness.options.usesWriteAheadLog = false
        try contract.run(on: harness)
    }

    @Test("The store in memory keeps the contract", arguments: ContractCase.allCases)
    func inMemory(_ contract: ContractCase) throws {
        try contract.run(on: InMemoryHarness())
    }

    @Test("RocksDB agrees with the model in a random run", arguments: seeds, [true, false])
    func rocksDBModel(_ seed: UInt64, usesWriteAheadLog: Bool) throws {
        var harness = try RocksDBHarness()
        harness.options.usesWriteAheadLog = usesWriteAheadLog
        var test = ModelTest(seed: seed)
        try test.run(rounds: 60, on: harness)
    }

    @Test("The store in memory agrees with the model in a random run", arguments: seeds)
    func inMemoryModel(_ seed: UInt64) throws {
        var test = ModelTest(seed: seed)
        try test.run(rounds: 300, on: InMemoryHarness())
    }
}
