package import HTTPServer
import Metadata
import NIOHTTP1

extension S3Operations {
    /// CreateBucket. Creating again what one owns is `BucketAlreadyOwnedByYou`, except in us-east-1, where S3 answers 200.
    package func createBucket(_ request: S3Request) async throws(S3Error) -> HTTPResponse {
        try BucketName.validate(request.bucket)
        let location = try await requestedLocation(request)
        do throws(MetadataError) {
            try await engine.createBucket(
                CreateBucket(name: request.bucket, owner: request.identity.owner, location: location))
        } catch {
            guard error.code == .bucketAlreadyOwnedByYou, region == "us-east-1" else { throw S3Error(error, for: request) }
        }
        return HTTPResponse(status: .ok, headers: ["Location": "/" + request.bucket])
    }

    /// The constraint of the request's document; empty for the default region.
    private func requestedLocation(_ request: S3Request) async throws(S3Error) -> String {
        guard let document = try await xmlDocument(of: request, root: "CreateBucketConfiguration", byteCountMax: 64 << 10)
        else { return "" }
        if document.child("Tags") != nil { throw .notImplemented(header: "CreateBucketConfiguration/Tags") }
        let constraint = document.value("LocationConstraint") ?? ""
        switch constraint {
        case "", "us-east-1": return ""
        case region: return constraint
        default:
            throw S3Error(
                "InvalidLocationConstraint", .badRequest, "The specified location-constraint is not valid",
                details: [S3Error.Detail("LocationConstraint", constraint)])
        }
    }
}
