package import KeyValueStore
package import NIOCore
package import NIOPosix
package import ObjectDataStore

/// An engine of two halves: somebody who puts the writes in an order and says when a read may look (a group writer on a single node,
/// consensus in a cluster), and the views that the applied writes are published as. What the operations make of the two is here.
///
/// Reads take the newest view and run where their caller is, as long as the store can answer from memory.
package protocol CoordinatedEngine: MetadataEngine where BodyReader == LocalObjectBodyReader {
    associatedtype Snapshot: KeyValueSnapshot

    var publication: EnginePublication<Snapshot> { get }
    var bodies: ObjectDataStore { get }
    var lifetimes: BodyLifetimes { get }
    /// Where reads run that may need the disk.
    var readThreads: NIOThreadPool { get }
    /// Gives what `bodies` cannot; nil: nobody does.
    var bodyFallback: (any BodyFallback)? { get }

    /// Deletes bodies that nothing names or will name, wherever they are.
    func deleteUnnamedBodies(_ ids: [BodyID]) async

    /// Completes, once, when the write is durable and in the published view, or known not to be made; on a thread that must not be kept.
    func write(_ payload: MetadataOperation.Payload, completion: @escaping @Sendable (WriteResult) -> Void)
    /// As `write`, for one whose answer does not depend on the state: returns as soon as the leader has it durably.
    func writeEventually(_ payload: MetadataOperation.Payload) async -> WriteResult

    /// Whether the newest view is what the read asks for, as far as can be told without waiting.
    func mayRead(_ options: ReadOptions) -> Bool
    /// Returns when the newest view is what the read asks for.
    func waitToRead(_ options: ReadOptions) async throws(MetadataError)
}

extension CoordinatedEngine {
    package var bodyFallback: (any BodyFallback)? { nil }

    package func deleteUnnamedBodies(_ ids: [BodyID]) async { await bodies.delete(ids) }
}

/// Where the bytes of a stored body come from that this node's own store cannot give.
package protocol BodyFallback: Sendable {
    /// Up to `maxByteCount` bytes from `offset`, at least one.
    ///
    /// - Parameters:
    ///   - offset: below the body's length.
    ///   - error: why the store does not give them.
    /// - Throws: `.unavailable` where nobody has the body now; else what `error` means.
    func read(
        _ body: StoredBody, at offset: UInt64, maxByteCount: Int, after error: ObjectDataStoreError
    ) async throws(MetadataError) -> ByteBuffer
}

/// What became of a write.
package enum WriteResult: Sendable {
    /// Applied, once, and durable. (A refusal is an outcome of the application, too.)
    case applied(MetadataOutcome)
    /// Durable on the leader, to be applied later. Only of `writeEventually`.
    case accepted
    /// Not applied; with `.unknownOutcome` it may be, or the next start of the store will tell.
    case notApplied(MetadataError)
}
