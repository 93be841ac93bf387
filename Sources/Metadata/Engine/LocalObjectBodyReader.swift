public import NIOCore
import ObjectDataStore
import Synchronization

/// Reads the bytes of one version: kept inline, in one stored body, or in the parts of a multipart object.
///
/// It pins the stored bodies from its making to its release, so that none is deleted under it, and opens the file of each
/// only when it is reached; one file is open at a time. May be used from several tasks.
public final class LocalObjectBodyReader: ObjectBodyReader {
    public let inlineBytes: ByteBuffer?
    private let content: ObjectContent
    private let store: ObjectDataStore
    private let lifetimes: BodyLifetimes
    private let pinned: [BodyID]
    private let fallback: (any BodyFallback)?
    /// The one opened last.
    private let openBody = Mutex<ObjectDataReader?>(nil)

    /// - Parameter pinned: bodies of `content` that the caller has pinned for this reader.
    init(
        _ content: ObjectContent, store: ObjectDataStore, lifetimes: BodyLifetimes, pinned: [BodyID],
        fallback: (any BodyFallback)? = nil
    ) {
        self.content = content
        inlineBytes = content.inlineBytes
        self.store = store
        self.lifetimes = lifetimes
        self.pinned = pinned
        self.fallback = fallback
    }

    deinit {
        if !pinned.isEmpty { lifetimes.unpin(pinned) }
    }

    public func read(at offset: UInt64, maxByteCount: Int) async throws(MetadataError) -> ByteBuffer {
        guard offset < content.byteCount, maxByteCount > 0 else { return ByteBuffer() }
        let segment = content.segment(at: offset)
        let start = offset - segment.start
        let count = Int(min(UInt64(maxByteCount), segment.length - start))
        switch segment.place {
        case .inline(let inlineOffset):
            let position = content.inline.readerIndex + inlineOffset + Int(start)
            guard let bytes = content.inline.getSlice(at: position, length: count) else {
                throw MetadataError(.corruption, "an object's inline bytes are not as many as its record says")
            }
            return bytes
        case .stored(let body):
            do throws(ObjectDataStoreError) {
                return try await reader(of: body).read(at: start, maxByteCount: count)
            } catch {
                guard let fallback, error.isOfBody else { throw MetadataError(error) }
                // It may be another file next time.
                openBody.withLock { $0 = nil }
                return try await fallback.read(body, at: start, maxByteCount: count, after: error)
            }
        }
    }

    private func reader(of body: StoredBody) async throws(ObjectDataStoreError) -> ObjectDataReader {
        if let open = openBody.withLock({ $0 }), open.body == body { return open }
        let opened = try await store.openReader(body)
        openBody.withLock { $0 = opened }
        return opened
    }
}

extension ObjectDataStoreError {
    /// Another copy of the body may do.
    fileprivate var isOfBody: Bool {
        switch self {
        case .missing, .damaged, .failed: true
        case .noSpace, .tooManyOpenFiles, .closed, .writerEnded: false
        }
    }
}
