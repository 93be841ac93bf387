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
    /// The one opened last.
    private let openBody = Mutex<ObjectDataReader?>(nil)

    /// - Parameter pinned: bodies of `content` that the caller has pinned for this reader.
    init(_ content: ObjectContent, store: ObjectDataStore, lifetimes: BodyLifetimes, pinned: [BodyID]) {
        self.content = content
        inlineBytes = content.inlineBytes
        self.store = store
        self.lifetimes = lifetimes
        self.pinned = pinned
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
            } catch { throw MetadataError(error) }
        }
    }

    private func reader(of body: StoredBody) async throws(ObjectDataStoreError) -> ObjectDataReader {
        if let open = openBody.withLock({ $0 }), open.body == body { return open }
        let opened = try await store.openReader(body)
        openBody.withLock { $0 = opened }
        return opened
    }
}
