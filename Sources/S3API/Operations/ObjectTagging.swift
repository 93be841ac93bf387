package import HTTPServer
import Metadata
import NIOHTTP1

extension S3Operations {
    /// GetObjectTagging: an empty set for an object without tags.
    package func getObjectTagging(_ request: S3Request) async throws(S3Error) -> HTTPResponse {
        let target = GetObject(
            bucket: try request.bucketReference(), key: try request.objectKey(), versionID: try request.versionID(),
            read: request.read)
        let info = try await request.answering { () async throws(MetadataError) in try await engine.headObject(target) }
        var headers = HTTPHeaders.xml
        headers.addVersion(info.versionID, info.bucketVersioning)
        return HTTPResponse(info.attributes.tags, headers: headers)
    }

    /// PutObjectTagging: takes the place of all tags that the version had.
    package func putObjectTagging(_ request: S3Request) async throws(S3Error) -> HTTPResponse {
        var change = try taggingChange(request)
        change.tags = try await tagSet(of: request, .object).tags
        return HTTPResponse(status: .ok, headers: try await setTagging(change, request))
    }

    /// DeleteObjectTagging. It succeeds where there are no tags.
    package func deleteObjectTagging(_ request: S3Request) async throws(S3Error) -> HTTPResponse {
        HTTPResponse(status: .noContent, headers: try await setTagging(try taggingChange(request), request))
    }

    private func taggingChange(_ request: S3Request) throws(S3Error) -> SetObjectTagging {
        SetObjectTagging(
            bucket: try request.bucketReference(), key: try request.objectKey(), versionID: try request.versionID(), tags: [])
    }

    private func setTagging(_ change: SetObjectTagging, _ request: S3Request) async throws(S3Error) -> HTTPHeaders {
        let result = try await request.answering { () async throws(MetadataError) in
            try await engine.setObjectTagging(change)
        }
        var headers = HTTPHeaders()
        headers.addVersion(result.versionID, result.bucketVersioning)
        return headers
    }

    /// The document in a request's body.
    /// - Throws: `MalformedXML`, `InvalidTag`.
    func tagSet(of request: S3Request, _ resource: TagSet.Resource) async throws(S3Error) -> TagSet {
        let document = try await xmlDocument(of: request, root: "Tagging", byteCountMax: TagSet.documentByteCountMax)
        guard let document else { throw .malformedXML }
        return try TagSet(document, of: resource)
    }
}
