package import HTTPServer
import Metadata
import NIOHTTP1

extension S3Operations {
    /// DeleteBucket: an empty one; uploads in progress go with it.
    package func deleteBucket(_ request: S3Request) async throws(S3Error) -> HTTPResponse {
        let bucket = try request.bucketReference()
        try await request.answering { () async throws(MetadataError) in
            try await engine.deleteBucket(DeleteBucket(bucket: bucket))
        }
        return HTTPResponse(status: .noContent, headers: [:])
    }
}
