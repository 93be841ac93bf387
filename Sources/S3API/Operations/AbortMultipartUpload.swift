package import HTTPServer
import Metadata
import NIOHTTP1

extension S3Operations {
    /// AbortMultipartUpload: the upload and its parts go.
    package func abortMultipartUpload(_ request: S3Request) async throws(S3Error) -> HTTPResponse {
        let upload = try request.uploadReference()
        try await request.answering { () async throws(MetadataError) in
            try await engine.abortMultipartUpload(upload)
        }
        return HTTPResponse(status: .noContent, headers: [:])
    }
}
