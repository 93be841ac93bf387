import Synchronization

/// A key-value store in memory for simulation: deterministic, with the same transactions and cursors as `RocksDBStore`, and
/// with a crash on command.
///
/// What a crash leaves is decided by the caller: `loseUnflushed()` goes back to the last `flush()` or `.synced` commit,
/// which is the worst that RocksDB without its log may do.
package final class InMemoryStore: KeyValueStore {
    typealias Families = [SortedBytesMap<[UInt8]>]

    /// A copy of a store's committed state, from which a new store can be opened. A value.
    package struct Checkpoint: Sendable {
        fileprivate var families: [ColumnFamily]
        fileprivate var records: Families
    }

    private struct State {
        var committed: Families
        var durable: Families
        var checkpoints: [String: Checkpoint] = [:]
        var isClosed = false
        /// Why the store is read-only.
        var failure: KeyValueStoreError?
    }

    private let families: [ColumnFamily]
    private let state: Mutex<State>

    /// An empty store. The families' indexes must be their positions in the list.
    package convenience init(families: [ColumnFamily]) {
        let records = Families(repeating: SortedBytesMap(), count: families.count)
        self.init(checkpoint: Checkpoint(families: families, records: records))
    }

    /// A store with the contents of a checkpoint, all of it durable.
    package init(checkpoint: Checkpoint) {
        precondition(checkpoint.families.enumerated().allSatisfy { $0.offset == $0.element.index })
        families = checkpoint.families
        state = Mutex(State(committed: checkpoint.records, durable: checkpoint.records))
    }

    package func makeSnapshot() -> InMemorySnapshot {
        state.withLock { InMemorySnapshot(self, records: $0.committed) }
    }

    package func makeTransaction() -> InMemoryTransaction {
        InMemoryTransaction(base: makeSnapshot(), familyCount: families.count)
    }

    package func commit(
        _ transaction: InMemoryTransaction, durability: WriteDurability
    ) throws(KeyValueStoreError) {
        try write { state in
            for (index, writes) in transaction.overlay.families.enumerated() {
                writes.forEach { key, value in
                    if let value {
                        state.committed[index].put(value, for: key)
                    } else {
                        state.committed[index].remove(key)
                    }
                }
            }
            if durability == .synced { state.durable = state.committed }
        }
    }

    package func flush() throws(KeyValueStoreError) {
        try write { $0.durable = $0.committed }
    }

    /// Keeps a copy of the committed state under a name, for `checkpoint(at:)`.
    /// - Throws: `.invalidArgument` when the name is taken, `.closed`.
    package func createCheckpoint(at path: String) throws(KeyValueStoreError) {
        try state.withLock { state throws(KeyValueStoreError) in
            if state.isClosed { throw .storeIsClosed }
            guard state.checkpoints[path] == nil else {
                throw KeyValueStoreError(.invalidArgument, "the checkpoint \(path) exists")
            }
            state.checkpoints[path] = Checkpoint(families: families, records: state.committed)
        }
    }

    /// The copy that `createCheckpoint(at:)` made, also after `close()`.
    package func checkpoint(at path: String) -> Checkpoint? {
        state.withLock { $0.checkpoints[path] }
    }

    /// What is durable now: the state in which a node finds its disk after a crash.
    package func durableState() -> Checkpoint {
        state.withLock { Checkpoint(families: families, records: $0.durable) }
    }

    /// A crash and a restart: forgets what was committed after the last `flush()` or `.synced` commit. Snapshots taken before
    /// keep what they saw.
    package func loseUnflushed() {
        state.withLock { $0.committed = $0.durable }
    }

    /// A failing disk: from now on writes throw `failure` and change nothing.
    package func failWrites(with failure: KeyValueStoreError) {
        state.withLock { $0.failure = failure }
    }

    package func statistics() -> [KeyValueStoreStatistic] {
        state.withLock { state in
            if state.isClosed { return [] }
            let count = state.committed.reduce(0) { $0 + $1.count }
            return [KeyValueStoreStatistic(name: "keys_estimate", value: Double(count))]
        }
    }

    /// An orderly end: what was committed is durable.
    package func close() {
        state.withLock { state in
            state.isClosed = true
            state.durable = state.committed
        }
    }

    /// - Throws: `.invalidArgument` for a family that the store was not opened with, `.closed`.
    func check(_ family: ColumnFamily) throws(KeyValueStoreError) {
        try checkOpen()
        guard families.indices.contains(family.index) else {
            throw KeyValueStoreError(.invalidArgument, "the store has no column family \(family.name)")
        }
    }

    func checkOpen() throws(KeyValueStoreError) {
        if state.withLock({ $0.isClosed }) { throw .storeIsClosed }
    }

    private func write(_ body: (inout State) -> Void) throws(KeyValueStoreError) {
        try state.withLock { state throws(KeyValueStoreError) in
            if state.isClosed { throw .storeIsClosed }
            if let failure = state.failure { throw failure }
            body(&state)
        }
    }
}
