package import HTTPServer
import Metadata
import NIOHTTP1

extension S3Operations {
    /// UploadPart. The upload is looked up before the body is read: its checksum algorithm binds the parts.
    package func uploadPart(_ request: S3Request) async throws(S3Error) -> HTTPResponse {
        let number = try request.requiredPartNumber()
        let upload = try request.uploadReference()
        let info = try await request.answering { () async throws(MetadataError) in
            try await engine.getMultipartUpload(upload, read: request.read)
        }
        let promised = try ChecksumAlgorithm.promised(by: request.headers)
        if let expected = info.checksumAlgorithm, let promised, promised != expected {
            throw .invalidRequest(
                "Checksum Type mismatch occurred, expected checksum Type: \(expected.name.lowercased()), "
                    + "actual checksum Type: \(promised.name.lowercased())")
        }
        let content = try await receiveContent(of: request, computing: promised == nil ? info.checksumAlgorithm : nil) {}
        let etag = ETag(md5: content.digests.md5)
        try await request.answering { () async throws(MetadataError) in
            try await engine.putPart(
                PutPart(
                    upload: upload, number: number, body: content.body, etag: etag, checksum: content.digests.checksum))
        }
        var headers: HTTPHeaders = ["ETag": etag.quoted]
        if let checksum = content.digests.checksum {
            headers.add(name: checksum.algorithm.headerName, value: checksum.text(partCount: 1))
        }
        return HTTPResponse(status: .ok, headers: headers)
    }
}

extension ChecksumAlgorithm {
    /// The algorithm that a request's headers promise a value of, or ask for; the front computes and verifies it.
    /// - Throws: `InvalidRequest` for one that S3 does not know.
    static func promised(by headers: HTTPHeaders) throws(S3Error) -> ChecksumAlgorithm? {
        if let algorithm = allCases.first(where: { headers.contains(name: $0.headerName) }) { return algorithm }
        for name in headers[canonicalForm: "x-amz-trailer"] {
            if let algorithm = allCases.first(where: { $0.headerName == name.lowercased() }) { return algorithm }
        }
        for header in ["x-amz-sdk-checksum-algorithm", "x-amz-checksum-algorithm"] {
            if let name = headers.first(name: header) { return try .named(name) }
        }
        return nil
    }
}
