import Metadata
import ObjectDataStore
import Raft
import Synchronization

/// Keeps this replica's bodies while a replacement of the state is prepared: what nothing names any more may be named by the next state.
///
/// Any thread may ask; the applier's tells it what the log says.
final class RestoreHold: Sendable {
    private let lifetimes: BodyLifetimes
    private let removals: BodyRemovals
    private let restore = Mutex<RestoreID?>(nil)

    /// - Parameter removals: what `lifetimes` has removed.
    init(_ lifetimes: BodyLifetimes, _ removals: BodyRemovals) {
        self.lifetimes = lifetimes
        self.removals = removals
    }

    /// After the publication of the state that says so, and before anything is released that it has released.
    func apply(_ state: RestoreState) {
        let prepared = state.preparation?.restore
        restore.withLock { restore in
            restore = prepared
            if prepared == nil { lifetimes.resume() } else { lifetimes.hold() }
        }
    }

    /// Whether nothing is being deleted here any more until that replacement has come to its end.
    func isInForce(for id: RestoreID) -> Bool { restore.withLock { $0 } == id && removals.areOver }
}

/// Removes bodies that were released, and knows whether that is under way.
final class BodyRemovals: Sendable {
    private let count = Mutex(0)

    var areOver: Bool { count.withLock { $0 } == 0 }

    func remove(_ ids: [BodyID], from store: ObjectDataStore) {
        count.withLock { $0 += 1 }
        Task {
            await store.delete(ids)
            count.withLock { $0 -= 1 }
        }
    }
}
