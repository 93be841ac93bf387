import HTTPServer
import Metadata

/// A request that is known to come from the identity it names. Its body is still to be read and verified.
struct AdmittedRequest {
    let request: HTTPRequest
    let operation: S3Operation
    let target: S3Target
    let identity: S3Identity
    let consistency: S3Consistency
    let plan: BodyPlan
    let nowMilliseconds: UInt64

    func request(requestID: String, body: S3RequestBody) -> S3Request {
        var headers = request.headers
        S3HeaderPolicy.removeTransferCoding(from: &headers)
        return S3Request(
            operation: operation, method: request.method, bucket: target.bucket, key: target.key, query: target.query,
            headers: headers, identity: identity, body: body, requestID: requestID, nowMilliseconds: nowMilliseconds,
            isSecure: request.isSecure, isVirtualHosted: target.isVirtualHosted, eventLoop: request.eventLoop,
            read: consistency.read, write: consistency.write)
    }
}
