import Dispatch
import KeyValueStore
import Synchronization

/// Stands between an engine and its store: counts commits, holds them back, or lets them fail.
final class InterposedStore<Base: KeyValueStore>: KeyValueStore {
    typealias Snapshot = Base.Snapshot
    typealias Transaction = Base.Transaction

    private struct State {
        var commitCount = 0
        var failure: KeyValueStoreError?
        var isHeld = false
    }

    let base: Base
    private let state = Mutex(State())
    private let gate = DispatchSemaphore(value: 0)

    init(_ base: Base) { self.base = base }

    var commitCount: Int { state.withLock { $0.commitCount } }

    /// All commits fail from now on.
    func fail(_ error: KeyValueStoreError) { state.withLock { $0.failure = error } }

    /// The next commit waits, in the writer's thread, for `release`.
    func hold() { state.withLock { $0.isHeld = true } }

    func release() { gate.signal() }

    func commit(_ transaction: Base.Transaction, durability: WriteDurability) throws(KeyValueStoreError) {
        let (isHeld, failure) = state.withLock { state in
            defer { state.isHeld = false }
            state.commitCount += 1
            return (state.isHeld, state.failure)
        }
        if isHeld { gate.wait() }
        if let failure { throw failure }
        try base.commit(transaction, durability: durability)
    }

    func makeSnapshot() -> Base.Snapshot { base.makeSnapshot() }
    func makeTransaction() -> Base.Transaction { base.makeTransaction() }
    func createCheckpoint(at path: String) throws(KeyValueStoreError) { try base.createCheckpoint(at: path) }
    func flush() throws(KeyValueStoreError) { try base.flush() }
    func statistics() -> [KeyValueStoreStatistic] { base.statistics() }
    func close() { base.close() }
}
