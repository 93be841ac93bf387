package import HTTPServer
import Metadata
import NIOHTTP1

extension S3Operations {
    /// HeadBucket: there, and the caller's.
    package func headBucket(_ request: S3Request) async throws(S3Error) -> HTTPResponse {
        _ = try await bucketInfo(request)
        return HTTPResponse(
            status: .ok, headers: ["x-amz-bucket-region": region, "x-amz-access-point-alias": "false"])
    }

    /// GetBucketLocation: empty for us-east-1, as S3 has it.
    package func getBucketLocation(_ request: S3Request) async throws(S3Error) -> HTTPResponse {
        let bucket = try await bucketInfo(request)
        var document = XMLWriter(root: "LocationConstraint")
        let location = bucket.location.isEmpty ? region : bucket.location
        if location != "us-east-1" { document.text(location) }
        return HTTPResponse(status: .ok, headers: .xml, body: .bytes(document.finish(root: "LocationConstraint")))
    }

    func bucketInfo(_ request: S3Request) async throws(S3Error) -> BucketInfo {
        let bucket = try request.bucketReference()
        return try await request.answering { () async throws(MetadataError) in
            try await engine.getBucket(bucket, read: request.read)
        }
    }
}
