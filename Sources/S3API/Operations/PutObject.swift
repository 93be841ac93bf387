package import HTTPServer
import Metadata
import NIOHTTP1

extension S3Operations {
    /// PutObject.
    package func putObject(_ request: S3Request) async throws(S3Error) -> HTTPResponse {
        let bucket = try request.bucketReference()
        let key = try request.objectKey()
        let attributes = try ObjectAttributes(request.headers)
        let conditions = try WriteConditions(writeHeaders: request.headers)
        let content = try await receiveContent(of: request) { () throws(S3Error) in
            try await checkBucket(bucket, request)
        }
        let result = try await request.answering { () async throws(MetadataError) in
            try await engine.putObject(
                PutObject(
                    bucket: bucket, key: key, body: content.body, etag: ETag(md5: content.digests.md5),
                    checksum: content.digests.checksum, attributes: attributes, owner: request.identity.owner,
                    conditions: conditions), consistency: request.write)
        }
        return HTTPResponse(status: .ok, headers: HTTPHeaders(result))
    }
}
