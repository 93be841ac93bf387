package import FileSystem
package import KeyValueStore
public import ObjectDataStore

/// The engine of a single node (`engine_type: local`): metadata and small bodies in RocksDB, large bodies on files.
///
/// A write returns when it is on the disk: writes that wait together share one sync. All calls may be made from any executor
/// and by any number of tasks. `close` must be called before the engine is released.
///
/// When a commit fails (an I/O error, a full disk that the reserve did not foresee), the writes under way get
/// `.unknownOutcome`, later ones `.unavailable` with the reason, and reads go on; opening the engine anew decides what was
/// written. Before the disk is full, writes get `.noSpace`, which passes as soon as there is space again.
public final class LocalMetadataEngine: MetadataEngine {
    public typealias BodyWriter = LocalObjectBodyWriter
    public typealias BodyReader = LocalObjectBodyReader

    private let core: MetadataEngineCore<RocksDBStore>
    package let keyValuePath: String
    package let fileSystem: any FileSystem

    /// Opens the stores, or makes them (the parent directories must exist), recovers what a crash left, and starts the
    /// engine's threads. Blocks: not for event loops. The caller holds the data directory's lock.
    ///
    /// - Throws: `.corruption` (the detail names the file), `.ioError`, `.noSpace`, `.unavailable` when another process has the
    ///   store open.
    public convenience init(_ configuration: LocalMetadataEngineConfiguration) throws(MetadataError) {
        try self.init(configuration, fileSystem: POSIXFileSystem())
    }

    package init(
        _ configuration: LocalMetadataEngineConfiguration, fileSystem: any FileSystem
    ) throws(MetadataError) {
        var options = RocksDBOptions()
        options.blockCacheBytes = configuration.blockCacheByteCount
        options.log(to: configuration.logger)
        keyValuePath = configuration.keyValuePath
        self.fileSystem = fileSystem
        do throws(FileSystemError) {
            try ExportedCheckpoints.removeAll(in: keyValuePath, fileSystem: fileSystem)
        } catch { throw MetadataError(.ioError, "\(error)") }
        let store: RocksDBStore
        do throws(KeyValueStoreError) {
            store = try RocksDBStore(path: configuration.keyValuePath, families: KeySchema.families, options: options)
        } catch { throw MetadataError(error) }
        do throws(MetadataError) {
            core = try MetadataEngineCore(store: store, fileSystem: fileSystem, configuration: configuration)
        } catch {
            store.close()
            throw error
        }
    }

    /// Refuses new work, finishes the writes that wait, closes the stores and stops the threads. Idempotent; later calls of the
    /// engine throw `.unavailable`.
    public func close() async { await core.close() }

    public func status() -> LocalMetadataEngineStatus { core.status() }

    // What a backup is made of.

    package var store: RocksDBStore { core.store }
    package var bodies: ObjectDataStore { core.bodies }
    package var lifetimes: BodyLifetimes { core.lifetimes }

    // MARK: Buckets

    public func createBucket(_ request: CreateBucket) async throws(MetadataError) {
        try await core.createBucket(request)
    }

    public func deleteBucket(_ request: DeleteBucket) async throws(MetadataError) {
        try await core.deleteBucket(request)
    }

    public func getBucket(
        _ bucket: BucketReference, read: ReadOptions
    ) async throws(MetadataError) -> BucketInfo {
        try await core.getBucket(bucket, read: read)
    }

    public func bucketUsage(
        _ bucket: BucketReference, read: ReadOptions
    ) async throws(MetadataError) -> BucketUsage {
        try await core.bucketUsage(bucket, read: read)
    }

    public func listBuckets(
        _ request: ListBuckets, read: ReadOptions
    ) async throws(MetadataError) -> ListBucketsPage {
        try await core.listBuckets(request, read: read)
    }

    public func setBucketVersioning(_ request: SetBucketVersioning) async throws(MetadataError) {
        try await core.setBucketVersioning(request)
    }

    public func setBucketTagging(_ request: SetBucketTagging) async throws(MetadataError) {
        try await core.setBucketTagging(request)
    }

    public func getBucketTags(
        _ bucket: BucketReference, read: ReadOptions
    ) async throws(MetadataError) -> [ResourceTag] {
        try await core.getBucketTags(bucket, read: read)
    }

    // MARK: Objects

    public func putObject(_ request: PutObject) async throws(MetadataError) -> PutObjectResult {
        try await core.putObject(request)
    }

    public func putObject(
        _ request: PutObject, completion: @escaping @Sendable (Result<PutObjectResult, MetadataError>) -> Void
    ) {
        core.putObject(request, completion: completion)
    }

    public func updateObjectMetadata(_ request: UpdateObjectMetadata) async throws(MetadataError) -> PutObjectResult {
        try await core.updateObjectMetadata(request)
    }

    public func setObjectTagging(_ request: SetObjectTagging) async throws(MetadataError) -> PutObjectResult {
        try await core.setObjectTagging(request)
    }

    public func headObject(_ request: GetObject) async throws(MetadataError) -> ObjectInfo {
        try await core.headObject(request)
    }

    public func getObjectReader(
        _ request: GetObject
    ) async throws(MetadataError) -> (info: ObjectInfo, body: LocalObjectBodyReader) {
        try await core.getObjectReader(request)
    }

    public func objectAtHand(_ request: GetObject, withBytes: Bool) throws(MetadataError) -> ObjectAtHand? {
        try core.objectAtHand(request, withBytes: withBytes)
    }

    public func deleteObject(_ request: DeleteObject) async throws(MetadataError) -> DeleteObjectResult {
        try await core.deleteObject(request)
    }

    public func deleteObjects(
        _ requests: [DeleteObject]
    ) async throws(MetadataError) -> [Result<DeleteObjectResult, MetadataError>] {
        try await core.deleteObjects(requests)
    }

    // MARK: Listing

    public func listObjects(_ request: ListObjects) async throws(MetadataError) -> ListObjectsPage {
        try await core.listObjects(request)
    }

    public func listObjectVersions(
        _ request: ListObjectVersions
    ) async throws(MetadataError) -> ListObjectVersionsPage {
        try await core.listObjectVersions(request)
    }

    // MARK: Multipart uploads

    public func createMultipartUpload(_ request: CreateMultipartUpload) async throws(MetadataError) -> UploadID {
        try await core.createMultipartUpload(request)
    }

    public func getMultipartUpload(
        _ upload: MultipartUploadReference, read: ReadOptions
    ) async throws(MetadataError) -> MultipartUploadInfo {
        try await core.getMultipartUpload(upload, read: read)
    }

    public func putPart(_ request: PutPart) async throws(MetadataError) {
        try await core.putPart(request)
    }

    public func completeMultipartUpload(
        _ request: CompleteMultipartUpload
    ) async throws(MetadataError) -> PutObjectResult {
        try await core.completeMultipartUpload(request)
    }

    public func abortMultipartUpload(_ upload: MultipartUploadReference) async throws(MetadataError) {
        try await core.abortMultipartUpload(upload)
    }

    public func listParts(_ request: ListParts) async throws(MetadataError) -> ListPartsPage {
        try await core.listParts(request)
    }

    public func listMultipartUploads(
        _ request: ListMultipartUploads
    ) async throws(MetadataError) -> ListMultipartUploadsPage {
        try await core.listMultipartUploads(request)
    }

    // MARK: Bodies

    public func makeBodyWriter() async throws(MetadataError) -> LocalObjectBodyWriter {
        try await core.makeBodyWriter()
    }

    public func discardBody(_ body: StoredBody) async {
        await core.discardBody(body)
    }
}
