package import HTTPServer
import Metadata
import NIOHTTP1

extension S3Operations {
    /// GetBucketVersioning: an empty document for a bucket that was never versioned.
    package func getBucketVersioning(_ request: S3Request) async throws(S3Error) -> HTTPResponse {
        let bucket = try await bucketInfo(request)
        var document = XMLWriter(root: "VersioningConfiguration")
        switch bucket.versioning {
        case .unversioned: break
        case .enabled: document.element("Status", "Enabled")
        case .suspended: document.element("Status", "Suspended")
        }
        return HTTPResponse(status: .ok, headers: .xml, body: .bytes(document.finish(root: "VersioningConfiguration")))
    }

    /// PutBucketVersioning. There is no MFA delete.
    package func putBucketVersioning(_ request: S3Request) async throws(S3Error) -> HTTPResponse {
        let bucket = try request.bucketReference()
        if request.headers.contains(name: "x-amz-mfa") { throw .notImplemented(header: "x-amz-mfa") }
        guard let document = try await xmlDocument(of: request, root: "VersioningConfiguration", byteCountMax: 64 << 10) else {
            throw .malformedXML
        }
        switch document.value("MfaDelete") ?? document.value("MFADelete") {
        case nil, "Disabled": break
        case "Enabled": throw .notImplemented(header: "VersioningConfiguration/MfaDelete")
        default: throw .malformedXML
        }
        let versioning: BucketVersioning
        switch document.value("Status") {
        case "Enabled": versioning = .enabled
        case "Suspended": versioning = .suspended
        case nil:
            throw S3Error(
                "IllegalVersioningConfigurationException", .badRequest, "The Versioning element must be specified")
        default: throw .malformedXML
        }
        try await request.answering { () async throws(MetadataError) in
            try await engine.setBucketVersioning(SetBucketVersioning(bucket: bucket, versioning: versioning))
        }
        return HTTPResponse(status: .ok, headers: [:])
    }
}
