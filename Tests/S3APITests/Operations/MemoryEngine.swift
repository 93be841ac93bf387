import Crypto
import Metadata
import NIOCore
import ObjectDataStore
import Synchronization

/// A `MetadataEngine` in memory, for tests of what stands above one: naive, exact, and counting the bodies that it keeps.
final class MemoryEngine: MetadataEngine {
    struct Version {
        var id: VersionID
        var modified: UInt64
        var put: PutObject?  // nil: a delete marker
        var content = ByteBuffer()
        var owner: Owner
        var parts: [ObjectPart] = []
    }

    struct Upload {
        var request: CreateMultipartUpload
        var started: UInt64
        var parts: [UInt16: (part: PutPart, content: ByteBuffer, modified: UInt64)] = [:]
    }

    struct Bucket {
        var info: BucketInfo
        var tags: [ResourceTag] = []
        var keys: [ObjectKey: [Version]] = [:]  // newest first
        var uploads: [UploadID: Upload] = [:]
    }

    struct State {
        var buckets: [String: Bucket] = [:]
        var bodies: [BodyID: ByteBuffer] = [:]
        var bodiesStarted: UInt64 = 0
        var position: UInt64 = 0
        var now: UInt64 = 1_790_000_000_123
        /// The next write fails with it.
        var failure: MetadataError?
        var updatesInPlace = 0
        /// As if all but this engine's calls that wait had to ask a disk.
        var isOnDisk = true
        /// What is said of every object's size.
        var reportedSize: UInt64?
        /// Reads of stored bodies from this offset on fail.
        var damagedFrom: UInt64 = .max
        /// Of each of the next lookups: the body that it finds is to be had nowhere, and what is deleted then.
        var vanishing: [DeleteObject?] = []
    }

    let state = Mutex(State())

    func with<Value: Sendable>(_ body: (inout State) throws(MetadataError) -> Value) throws(MetadataError) -> Value {
        let result: Result<Value, MetadataError> = state.withLock { state in
            do throws(MetadataError) { return .success(try body(&state)) } catch { return .failure(error) }
        }
        return try result.get()
    }

    // MARK: Buckets

    func createBucket(_ request: CreateBucket) async throws(MetadataError) {
        try with { state throws(MetadataError) in
            if let bucket = state.buckets[request.name] {
                throw MetadataError(bucket.info.owner == request.owner ? .bucketAlreadyOwnedByYou : .bucketAlreadyExists)
            }
            state.buckets[request.name] = Bucket(
                info: BucketInfo(
                    name: request.name, createdMilliseconds: state.now, owner: request.owner, versioning: .unversioned,
                    location: request.location))
        }
    }

    func deleteBucket(_ request: DeleteBucket) async throws(MetadataError) {
        try with { state throws(MetadataError) in
            guard try state.bucket(request.bucket).keys.isEmpty else { throw MetadataError(.bucketNotEmpty) }
            state.buckets[request.bucket.name] = nil
        }
    }

    func getBucket(_ bucket: BucketReference, read: ReadOptions) async throws(MetadataError) -> BucketInfo {
        try with { state throws(MetadataError) in try state.bucket(bucket).info }
    }

    func bucketUsage(_ bucket: BucketReference, read: ReadOptions) async throws(MetadataError) -> BucketUsage {
        throw MetadataError(.unavailable, "not kept here")
    }

    func listBuckets(_ request: ListBuckets, read: ReadOptions) async throws(MetadataError) -> ListBucketsPage {
        try with { state throws(MetadataError) in
            let all = state.buckets.values.map(\.info).filter {
                $0.owner.canonicalID == request.owner && $0.name.hasPrefix(request.prefix) && $0.name > request.startAfter
            }.sorted { $0.name < $1.name }
            let page = Array(all.prefix(request.maxBuckets))
            return ListBucketsPage(buckets: page, nextStartAfter: page.count < all.count ? page.last?.name : nil)
        }
    }

    func setBucketVersioning(_ request: SetBucketVersioning) async throws(MetadataError) {
        try with { state throws(MetadataError) in
            _ = try state.bucket(request.bucket)
            state.buckets[request.bucket.name]?.info.versioning = request.versioning
        }
    }

    func setBucketTagging(_ request: SetBucketTagging) async throws(MetadataError) {
        try with { state throws(MetadataError) in
            _ = try state.bucket(request.bucket)
            state.buckets[request.bucket.name]?.tags = request.tags
        }
    }

    func getBucketTags(_ bucket: BucketReference, read: ReadOptions) async throws(MetadataError) -> [ResourceTag] {
        try with { state throws(MetadataError) in try state.bucket(bucket).tags }
    }

    // MARK: Objects

    func putObject(_ request: PutObject) async throws(MetadataError) -> PutObjectResult {
        try with { state throws(MetadataError) in try state.put(request, parts: [], content: nil) }
    }

    func updateObjectMetadata(_ request: UpdateObjectMetadata) async throws(MetadataError) -> PutObjectResult {
        try with { state throws(MetadataError) in
            guard try state.bucket(request.bucket).info.versioning != .enabled else { throw MetadataError(.invalidArgument) }
            var version = try state.find(request.bucket, request.key, nil)
            guard version.put?.etag == request.expectedETag else { throw MetadataError(.preconditionFailed) }
            let tags = version.put?.attributes.tags ?? []
            version.put?.attributes = request.attributes
            if request.keepsTags { version.put?.attributes.tags = tags }
            version.modified = state.tick()
            state.updatesInPlace += 1
            state.buckets[request.bucket.name]?.keys[request.key]?[0] = version
            return try state.result(of: version, in: request.bucket)
        }
    }

    func setObjectTagging(_ request: SetObjectTagging) async throws(MetadataError) -> PutObjectResult {
        try with { state throws(MetadataError) in
            var version = try state.find(request.bucket, request.key, request.versionID)
            version.put?.attributes.tags = request.tags
            let place = state.buckets[request.bucket.name]?.keys[request.key]?.firstIndex { $0.id == version.id }
            if let place { state.buckets[request.bucket.name]?.keys[request.key]?[place] = version }
            return try state.result(of: version, in: request.bucket)
        }
    }

    func headObject(_ request: GetObject) async throws(MetadataError) -> ObjectInfo {
        try with { state throws(MetadataError) in
            try state.info(of: try state.find(request.bucket, request.key, request.versionID), request)
        }
    }

    func getObjectReader(_ request: GetObject) async throws(MetadataError) -> (info: ObjectInfo, body: Reader) {
        try with { state throws(MetadataError) in
            let version = try state.find(request.bucket, request.key, request.versionID)
            var isInline = version.parts.isEmpty
            if case .stored = version.put?.body { isInline = false }
            var reader = Reader(content: version.content, isInline: isInline, damagedFrom: state.damagedFrom)
            let info = try state.info(of: version, request)
            if !state.vanishing.isEmpty {
                reader.isGone = true
                if let delete = state.vanishing.removeFirst() { _ = try state.delete(delete) }
            }
            return (info, reader)
        }
    }

    func objectAtHand(_ request: GetObject, withBytes: Bool) throws(MetadataError) -> ObjectAtHand? {
        try with { state throws(MetadataError) in
            guard !state.isOnDisk else { return nil }
            let version = try state.find(request.bucket, request.key, request.versionID)
            if withBytes, case .stored = version.put?.body { return nil }
            return ObjectAtHand(info: try state.info(of: version, request), bytes: withBytes ? version.content : ByteBuffer())
        }
    }

    func deleteObject(_ request: DeleteObject) async throws(MetadataError) -> DeleteObjectResult {
        try with { state throws(MetadataError) in try state.delete(request) }
    }

    func deleteObjects(
        _ requests: [DeleteObject]
    ) async throws(MetadataError) -> [Result<DeleteObjectResult, MetadataError>] {
        try with { state throws(MetadataError) in
            var results: [Result<DeleteObjectResult, MetadataError>] = []
            for request in requests {
                do throws(MetadataError) { results.append(.success(try state.delete(request))) } catch {
                    results.append(.failure(error))
                }
            }
            return results
        }
    }

    // MARK: Bodies

    func makeBodyWriter() async throws(MetadataError) -> Writer {
        Writer(
            engine: self,
            id: try with { state throws(MetadataError) in
                state.bodiesStarted += 1
                let id = BodyID(origin: 0, sequence: state.bodiesStarted)
                state.bodies[id] = ByteBuffer()
                return id
            })
    }

    func discardBody(_ body: StoredBody) async {
        state.withLock { $0.bodies[body.id] = nil }
    }

    /// Bodies that are kept, finished or not.
    var bodyCount: Int { state.withLock { $0.bodies.count } }

    struct Writer: ObjectBodyWriter {
        let engine: MemoryEngine
        let id: BodyID

        func write(_ bytes: ByteBuffer) async throws(MetadataError) {
            try engine.with { state throws(MetadataError) in
                if let failure = state.failure { throw failure }
                state.bodies[id]?.writeImmutableBuffer(bytes)
            }
        }

        func finish() async throws(MetadataError) -> StoredBody {
            try engine.with { state throws(MetadataError) in
                StoredBody(id: id, length: UInt64(state.bodies[id]?.readableBytes ?? 0))
            }
        }

        func abort() async { engine.state.withLock { $0.bodies[id] = nil } }
    }

    struct Reader: ObjectBodyReader {
        var content: ByteBuffer
        var isInline: Bool
        var damagedFrom: UInt64
        var isGone = false

        var inlineBytes: ByteBuffer? { isInline ? content : nil }

        func read(at offset: UInt64, maxByteCount: Int) async throws(MetadataError) -> ByteBuffer {
            guard !isGone else { throw MetadataError(.unavailable) }
            guard offset < damagedFrom else { throw MetadataError(.corruption) }
            let count = min(maxByteCount, content.readableBytes - Int(offset), 64 << 10)
            return content.getSlice(at: content.readerIndex + Int(offset), length: count) ?? ByteBuffer()
        }
    }
}
