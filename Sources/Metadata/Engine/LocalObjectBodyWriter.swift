public import NIOCore
public import ObjectDataStore
import Synchronization

/// Writes one large body to this node's object-data store.
public final class LocalObjectBodyWriter: ObjectBodyWriter {
    /// After so many bytes the writer asks again what space is left.
    private static let checkIntervalByteCount = 4 << 20

    private let writer: ObjectDataWriter
    /// Throws `.noSpace` when the body would take what is kept for the metadata. May suspend.
    private let checkSpace: @Sendable () async throws(MetadataError) -> Void
    private let uncheckedByteCount = Atomic(0)

    init(_ writer: ObjectDataWriter, checkSpace: @escaping @Sendable () async throws(MetadataError) -> Void) {
        self.writer = writer
        self.checkSpace = checkSpace
    }

    /// - Throws: `.noSpace` also when only what is kept for the metadata is left; the body is given up with `abort` then.
    public func write(_ bytes: ByteBuffer) async throws(MetadataError) {
        let unchecked = uncheckedByteCount.add(bytes.readableBytes, ordering: .relaxed).newValue
        if unchecked >= Self.checkIntervalByteCount {
            uncheckedByteCount.store(0, ordering: .relaxed)
            try await checkSpace()
        }
        do throws(ObjectDataStoreError) { try await writer.write(bytes) } catch { throw MetadataError(error) }
    }

    public func finish() async throws(MetadataError) -> StoredBody {
        do throws(ObjectDataStoreError) { return try await writer.finish() } catch { throw MetadataError(error) }
    }

    public func abort() async {
        await writer.abort()
    }
}

extension MetadataError {
    /// What the object-data store's failure means to a caller of the engine.
    package init(_ error: ObjectDataStoreError) {
        let code: Code =
            switch error {
            case .noSpace: .noSpace
            case .tooManyOpenFiles, .closed: .unavailable
            // A record named the body, so its absence is damage.
            case .missing, .damaged: .corruption
            case .failed: .ioError
            case .writerEnded: .invalidArgument
            }
        self.init(code, error.description)
    }
}
