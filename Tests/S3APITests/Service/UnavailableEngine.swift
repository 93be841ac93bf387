import Metadata
import NIOCore
import ObjectDataStore

/// An engine that does nothing but fail with one error: what the front answers shows how it passes failures on.
struct UnavailableEngine: MetadataEngine {
    struct BodyWriter: ObjectBodyWriter {
        var error: MetadataError
        func write(_ bytes: ByteBuffer) async throws(MetadataError) { throw error }
        func finish() async throws(MetadataError) -> StoredBody { throw error }
        func abort() async {}
    }

    struct BodyReader: ObjectBodyReader {
        var error: MetadataError
        var inlineBytes: ByteBuffer? { nil }
        func read(at offset: UInt64, maxByteCount: Int) async throws(MetadataError) -> ByteBuffer { throw error }
    }

    var error = MetadataError(.unavailable)

    func createBucket(_ request: CreateBucket) async throws(MetadataError) { throw error }
    func deleteBucket(_ request: DeleteBucket) async throws(MetadataError) { throw error }
    func getBucket(
        _ bucket: BucketReference, read: ReadOptions
    ) async throws(MetadataError) -> BucketInfo { throw error }
    func bucketUsage(
        _ bucket: BucketReference, read: ReadOptions
    ) async throws(MetadataError) -> BucketUsage { throw error }
    func listBuckets(
        _ request: ListBuckets, read: ReadOptions
    ) async throws(MetadataError) -> ListBucketsPage { throw error }
    func setBucketVersioning(_ request: SetBucketVersioning) async throws(MetadataError) { throw error }
    func setBucketTagging(_ request: SetBucketTagging) async throws(MetadataError) { throw error }
    func getBucketTags(
        _ bucket: BucketReference, read: ReadOptions
    ) async throws(MetadataError) -> [ResourceTag] { throw error }
    func setObjectTagging(_ request: SetObjectTagging) async throws(MetadataError) -> PutObjectResult { throw error }
    func putObject(_ request: PutObject) async throws(MetadataError) -> PutObjectResult { throw error }
    func updateObjectMetadata(
        _ request: UpdateObjectMetadata
    ) async throws(MetadataError) -> PutObjectResult { throw error }
    func headObject(_ request: GetObject) async throws(MetadataError) -> ObjectInfo { throw error }
    func getObjectReader(
        _ request: GetObject
    ) async throws(MetadataError) -> (info: ObjectInfo, body: BodyReader) { throw error }
    func deleteObject(_ request: DeleteObject) async throws(MetadataError) -> DeleteObjectResult { throw error }
    func deleteObjects(
        _ requests: [DeleteObject]
    ) async throws(MetadataError) -> [Result<DeleteObjectResult, MetadataError>] { throw error }
    func listObjects(_ request: ListObjects) async throws(MetadataError) -> ListObjectsPage { throw error }
    func listObjectVersions(
        _ request: ListObjectVersions
    ) async throws(MetadataError) -> ListObjectVersionsPage { throw error }
    func createMultipartUpload(_ request: CreateMultipartUpload) async throws(MetadataError) -> UploadID { throw error }
    func getMultipartUpload(
        _ upload: MultipartUploadReference, read: ReadOptions
    ) async throws(MetadataError) -> MultipartUploadInfo { throw error }
    func putPart(_ request: PutPart) async throws(MetadataError) { throw error }
    func completeMultipartUpload(
        _ request: CompleteMultipartUpload
    ) async throws(MetadataError) -> PutObjectResult { throw error }
    func abortMultipartUpload(_ upload: MultipartUploadReference) async throws(MetadataError) { throw error }
    func listParts(_ request: ListParts) async throws(MetadataError) -> ListPartsPage { throw error }
    func listMultipartUploads(
        _ request: ListMultipartUploads
    ) async throws(MetadataError) -> ListMultipartUploadsPage { throw error }
    func makeBodyWriter() async throws(MetadataError) -> BodyWriter { throw error }
    func discardBody(_ body: StoredBody) async {}
}
