public import NIOCore
public import ObjectDataStore

/// The one interface to objects and their metadata: what the S3 layer knows, whether one node or a cluster stands behind it.
///
/// Every call may be made from any executor. Calls run on the caller's executor and suspend, never block, while a disk or a
/// peer is at work. A write returns once it is durable and applied; a thrown error other than `.unknownOutcome` says that
/// nothing was changed. Bodies named by a write that failed (`ObjectBody.stored`) are discarded by the engine.
public protocol MetadataEngine: Sendable {
    associatedtype BodyWriter: ObjectBodyWriter
    associatedtype BodyReader: ObjectBodyReader

    // MARK: Buckets

    /// - Throws: `.bucketAlreadyOwnedByYou`, `.bucketAlreadyExists`.
    func createBucket(_ request: CreateBucket) async throws(MetadataError)
    /// - Throws: `.bucketNotEmpty` while it holds a version, a delete marker or (unlike AWS, like MinIO: they are aborted) no upload.
    func deleteBucket(_ request: DeleteBucket) async throws(MetadataError)
    func getBucket(_ bucket: BucketReference, read: ReadOptions) async throws(MetadataError) -> BucketInfo
    func bucketUsage(_ bucket: BucketReference, read: ReadOptions) async throws(MetadataError) -> BucketUsage
    func listBuckets(_ request: ListBuckets, read: ReadOptions) async throws(MetadataError) -> ListBucketsPage
    func setBucketVersioning(_ request: SetBucketVersioning) async throws(MetadataError)
    func setBucketTagging(_ request: SetBucketTagging) async throws(MetadataError)
    /// Empty: the bucket has none.
    func getBucketTags(_ bucket: BucketReference, read: ReadOptions) async throws(MetadataError) -> [ResourceTag]

    // MARK: Objects

    func putObject(_ request: PutObject) async throws(MetadataError) -> PutObjectResult
    /// As `putObject`, where the caller may be satisfied with less.
    func putObject(_ request: PutObject, consistency: WriteConsistency) async throws(MetadataError) -> PutObjectResult
    /// As `putObject`, of an inline body, without a task: `completion` is called once, on any thread, and must not keep it.
    func putObject(
        _ request: PutObject, completion: @escaping @Sendable (Result<PutObjectResult, MetadataError>) -> Void)
    func updateObjectMetadata(_ request: UpdateObjectMetadata) async throws(MetadataError) -> PutObjectResult
    /// Throws as `headObject`. - Returns: what is said of the version, whose tags alone have changed.
    func setObjectTagging(_ request: SetObjectTagging) async throws(MetadataError) -> PutObjectResult
    /// - Throws: `.noSuchKey` (with `deleteMarker` if one hides it), `.noSuchVersion`, `.deleteMarker` (the named version is one).
    func headObject(_ request: GetObject) async throws(MetadataError) -> ObjectInfo
    /// As `headObject`, with a reader over the bytes of that same version, whatever happens to the object meanwhile.
    func getObjectReader(_ request: GetObject) async throws(MetadataError) -> (info: ObjectInfo, body: BodyReader)
    /// The last entry of the replicated log that this node's reads see; `nil` where there is no such log.
    var appliedIndex: UInt64? { get }
    /// Returns when this node's state is what a read asks for: `.eventual` reads are it from then on.
    /// - Throws: `.staleRead`, `.timeout`.
    func waitToRead(_ options: ReadOptions) async throws(MetadataError)
    /// The answer of `headObject`, and the bytes of a small object on request, where neither a disk nor a peer has to be asked.
    /// Never suspends nor blocks. - Returns: `nil` where it would have to, and for bytes that are not kept inline.
    func objectAtHand(_ request: GetObject, withBytes: Bool) throws(MetadataError) -> ObjectAtHand?
    func deleteObject(_ request: DeleteObject) async throws(MetadataError) -> DeleteObjectResult
    /// As `deleteObject`, where the caller may be satisfied with less.
    func deleteObject(
        _ request: DeleteObject, consistency: WriteConsistency
    ) async throws(MetadataError) -> DeleteObjectResult
    /// Deletes each, in order, as one operation; one's failure does not stop the others. At most 1,000.
    func deleteObjects(
        _ requests: [DeleteObject]
    ) async throws(MetadataError) -> [Result<DeleteObjectResult, MetadataError>]

    // MARK: Listing

    func listObjects(_ request: ListObjects) async throws(MetadataError) -> ListObjectsPage
    func listObjectVersions(_ request: ListObjectVersions) async throws(MetadataError) -> ListObjectVersionsPage

    // MARK: Multipart uploads

    func createMultipartUpload(_ request: CreateMultipartUpload) async throws(MetadataError) -> UploadID
    /// What the upload was started with. - Throws: `.noSuchUpload`.
    func getMultipartUpload(
        _ upload: MultipartUploadReference, read: ReadOptions
    ) async throws(MetadataError) -> MultipartUploadInfo
    /// Replaces a part of the same number.
    func putPart(_ request: PutPart) async throws(MetadataError)
    /// - Throws: `.noSuchUpload`, `.invalidPart`, `.invalidPartOrder`, `.entityTooSmall`, `.checksumMismatch`, `.preconditionFailed`.
    ///   A completion repeated after success (same parts) answers with the same result as long as that version is there.
    func completeMultipartUpload(_ request: CompleteMultipartUpload) async throws(MetadataError) -> PutObjectResult
    func abortMultipartUpload(_ upload: MultipartUploadReference) async throws(MetadataError)
    func listParts(_ request: ListParts) async throws(MetadataError) -> ListPartsPage
    func listMultipartUploads(_ request: ListMultipartUploads) async throws(MetadataError) -> ListMultipartUploadsPage

    // MARK: Bodies above the inline size

    /// Starts writing a body; the caller either finishes it and names the result in a write, or aborts it.
    func makeBodyWriter() async throws(MetadataError) -> BodyWriter
    /// Gives up a finished body that no write will name.
    func discardBody(_ body: StoredBody) async
}

extension MetadataEngine {
    /// For an engine that always has to wait.
    public func objectAtHand(_ request: GetObject, withBytes: Bool) throws(MetadataError) -> ObjectAtHand? { nil }

    /// For an engine that works in tasks.
    public func putObject(
        _ request: PutObject, completion: @escaping @Sendable (Result<PutObjectResult, MetadataError>) -> Void
    ) {
        Task {
            do throws(MetadataError) {
                completion(.success(try await putObject(request)))
            } catch { completion(.failure(error)) }
        }
    }

    /// For an engine of one node.
    public var appliedIndex: UInt64? { nil }

    /// For an engine whose state is always the newest.
    public func waitToRead(_ options: ReadOptions) async throws(MetadataError) {}

    /// For an engine all of whose writes are strong.
    public func putObject(
        _ request: PutObject, consistency: WriteConsistency
    ) async throws(MetadataError) -> PutObjectResult {
        try await putObject(request)
    }

    /// For an engine all of whose writes are strong.
    public func deleteObject(
        _ request: DeleteObject, consistency: WriteConsistency
    ) async throws(MetadataError) -> DeleteObjectResult {
        try await deleteObject(request)
    }
}

/// Writes one body to durable storage. Used by one task at a time.
public protocol ObjectBodyWriter: Sendable {
    /// Returns when there is room for more (back-pressure); the bytes are not yet durable.
    func write(_ bytes: ByteBuffer) async throws(MetadataError)
    /// Makes the body durable.
    func finish() async throws(MetadataError) -> StoredBody
    /// Removes what was written. Safe after a failed `write` or `finish`, and when called twice.
    func abort() async
}

/// Reads one version's bytes. It holds them: they stay readable until the reader is released, whatever is deleted meanwhile.
public protocol ObjectBodyReader: Sendable {
    /// The whole body where it is held in memory already (inline bodies): no suspension needed.
    var inlineBytes: ByteBuffer? { get }
    /// Up to `maxByteCount` bytes from `offset`, at least one unless `offset` is at the end (then an empty buffer).
    /// - Throws: `.corruption` when a block's checksum is wrong; never wrong bytes.
    func read(at offset: UInt64, maxByteCount: Int) async throws(MetadataError) -> ByteBuffer
}
