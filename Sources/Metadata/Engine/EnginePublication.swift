package import KeyValueStore
import Synchronization

/// The newest view, for readers to take and for the writer to replace.
package final class EnginePublication<Snapshot: KeyValueSnapshot>: Sendable {
    /// `nil` once the engine is closed.
    private let current: Mutex<EngineView<Snapshot>?>

    package init(_ view: EngineView<Snapshot>) {
        current = Mutex(view)
    }

    /// - Throws: `.unavailable` after `close`.
    package func view() throws(MetadataError) -> EngineView<Snapshot> {
        guard let view = current.withLock({ $0 }) else { throw MetadataError(.unavailable, "the engine is closed") }
        return view
    }

    /// The last entry that the view has seen; nil after `close`.
    package var appliedIndex: UInt64? { current.withLock { $0?.applied.index } }

    package func publish(_ view: EngineView<Snapshot>) {
        // The old view is released after the lock: that may release a snapshot of the store.
        let old = current.withLock { current in
            defer { if current != nil { current = view } }
            return current
        }
        _ = consume old
    }

    package func close() {
        let old = current.withLock { current in
            defer { current = nil }
            return current
        }
        _ = consume old
    }
}
