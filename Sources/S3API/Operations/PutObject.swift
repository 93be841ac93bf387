package import HTTPServer
import Metadata
import NIOHTTP1

extension S3Operations {
    /// PutObject.
    package func putObject(_ request: S3Request) async throws(S3Error) -> HTTPResponse {
        let put = try PutDescription(request)
        let content = try await receiveContent(of: request) { () throws(S3Error) in
            try await checkBucket(put.bucket, request)
        }
        let result = try await request.answering { () async throws(MetadataError) in
            try await engine.putObject(put.request(with: content), consistency: request.write)
        }
        return HTTPResponse(result)
    }
}

extension HTTPResponse {
    /// What PutObject answers.
    init(_ result: PutObjectResult) {
        self.init(status: .ok, headers: HTTPHeaders(result))
    }
}

/// What the head of a PutObject says.
struct PutDescription {
    let bucket: BucketReference
    private let key: ObjectKey
    private let attributes: ObjectAttributes
    private let conditions: WriteConditions
    private let owner: Owner

    init(_ request: S3Request) throws(S3Error) {
        bucket = try request.bucketReference()
        key = try request.objectKey()
        attributes = try ObjectAttributes(request.headers)
        conditions = try WriteConditions(writeHeaders: request.headers)
        owner = request.identity.owner
    }

    func request(with content: ReceivedContent) -> PutObject {
        PutObject(
            bucket: bucket, key: key, body: content.body, etag: ETag(md5: content.digests.md5),
            checksum: content.digests.checksum, attributes: attributes, owner: owner, conditions: conditions)
    }
}
