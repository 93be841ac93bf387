package import HTTPServer
import Metadata
import NIOHTTP1

extension S3Operations {
    /// GetBucketTagging.
    package func getBucketTagging(_ request: S3Request) async throws(S3Error) -> HTTPResponse {
        let bucket = try request.bucketReference()
        let tags = try await request.answering { () async throws(MetadataError) in
            try await engine.getBucketTags(bucket, read: request.read)
        }
        guard !tags.isEmpty else { throw .noSuchTagSet(bucket: request.bucket) }
        return HTTPResponse(tags)
    }

    /// PutBucketTagging: takes the place of all tags that the bucket had.
    package func putBucketTagging(_ request: S3Request) async throws(S3Error) -> HTTPResponse {
        let bucket = try request.bucketReference()
        return try await setTagging(
            SetBucketTagging(bucket: bucket, tags: try await tagSet(of: request, .bucket).tags), request)
    }

    /// DeleteBucketTagging. It succeeds where there are no tags.
    package func deleteBucketTagging(_ request: S3Request) async throws(S3Error) -> HTTPResponse {
        try await setTagging(SetBucketTagging(bucket: try request.bucketReference(), tags: []), request)
    }

    private func setTagging(_ change: SetBucketTagging, _ request: S3Request) async throws(S3Error) -> HTTPResponse {
        try await request.answering { () async throws(MetadataError) in try await engine.setBucketTagging(change) }
        return HTTPResponse(status: .noContent, headers: [:])
    }
}
