package import HTTPServer
import Metadata
import NIOHTTP1

extension S3Operations {
    /// CreateMultipartUpload.
    package func createMultipartUpload(_ request: S3Request) async throws(S3Error) -> HTTPResponse {
        let checksum = try UploadChecksum(request.headers)
        let upload = CreateMultipartUpload(
            bucket: try request.bucketReference(), key: try request.objectKey(),
            attributes: try ObjectAttributes(request.headers), owner: request.identity.owner,
            checksumAlgorithm: checksum?.algorithm, checksumKind: checksum?.kind)
        let uploadID = try await request.answering { () async throws(MetadataError) in
            try await engine.createMultipartUpload(upload)
        }
        var headers = HTTPHeaders.xml
        headers.add("x-amz-checksum-algorithm", ifPresent: checksum?.algorithm.name)
        headers.add("x-amz-checksum-type", ifPresent: checksum?.kind.name)
        var document = XMLWriter(root: "InitiateMultipartUploadResult")
        document.element("Bucket", request.bucket)
        document.element("Key", request.key)
        document.element("UploadId", uploadID.text)
        return HTTPResponse(
            status: .ok, headers: headers, body: .bytes(document.finish(root: "InitiateMultipartUploadResult")))
    }
}

/// Which checksum the parts of an upload carry and how the object's is made of theirs (S3 user guide, "Checking object
/// integrity": what each algorithm allows).
struct UploadChecksum: Sendable, Equatable {
    var algorithm: ChecksumAlgorithm
    var kind: ObjectChecksum.Kind

    /// - Throws: `InvalidRequest` for a kind without algorithm, or one that the algorithm does not have.
    init?(_ headers: HTTPHeaders) throws(S3Error) {
        let wanted: ObjectChecksum.Kind? =
            if let name = headers.first(name: "x-amz-checksum-type") { try ObjectChecksum.Kind(name: name) } else { nil }
        guard let name = headers.first(name: "x-amz-checksum-algorithm") else {
            if wanted == nil { return nil }
            throw .invalidRequest(
                "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.")
        }
        algorithm = try .named(name)
        let allowed: [ObjectChecksum.Kind] =
            switch algorithm {
            // A CRC of the whole can be combined from the parts'; the first of the list is the default.
            case .crc32, .crc32c: [.composite, .fullObject]
            case .crc64nvme: [.fullObject]
            case .sha1, .sha256: [.composite]
            }
        kind = wanted ?? allowed[0]
        guard allowed.contains(kind) else {
            throw .invalidRequest(
                "The \(kind.name) checksum type cannot be used with the \(algorithm.name.lowercased()) checksum algorithm.")
        }
    }
}
