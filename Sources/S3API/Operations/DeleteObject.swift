package import HTTPServer
import Metadata
import NIOHTTP1

extension S3Operations {
    /// DeleteObject: hides the object behind a marker, removes it, or removes the version named. What is not there is deleted.
    package func deleteObject(_ request: S3Request) async throws(S3Error) -> HTTPResponse {
        let target = DeleteObject(
            bucket: try request.bucketReference(), key: try request.objectKey(), versionID: try request.versionID(),
            owner: request.identity.owner, conditions: try WriteConditions(deleteHeaders: request.headers))
        let result = try await request.answering { () async throws(MetadataError) in
            try await engine.deleteObject(target, consistency: request.write)
        }
        var headers = HTTPHeaders()
        if result.isDeleteMarker { headers.add(name: "x-amz-delete-marker", value: "true") }
        headers.add("x-amz-version-id", ifPresent: result.versionID?.text)
        return HTTPResponse(status: .noContent, headers: headers)
    }
}
