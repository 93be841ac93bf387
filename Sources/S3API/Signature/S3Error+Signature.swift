import NIOHTTP1

/// The errors of authentication, with the codes, statuses and wording that clients of S3 look for.
extension S3Error {
    package static let unsupportedMechanism = invalidRequest(
        "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.")

    package static func twoMechanisms(_ authorization: String) -> S3Error {
        invalidArgument(
            "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or "
                + "the Authorization header should be specified", name: "Authorization", value: authorization)
    }

    package static func authorizationHeaderMalformed(_ reason: String, region: String? = nil) -> S3Error {
        S3Error(
            "AuthorizationHeaderMalformed", .badRequest, "The authorization header is malformed; \(reason).",
            details: region.map { [Detail("Region", $0)] } ?? [])
    }

    package static func authorizationQueryParameters(_ message: String, region: String? = nil) -> S3Error {
        S3Error(
            "AuthorizationQueryParametersError", .badRequest, message,
            details: region.map { [Detail("Region", $0)] } ?? [])
    }

    package static let dateMissing = accessDenied("AWS authentication requires a valid Date or x-amz-date header")

    package static let tokenInvalid = S3Error(
        "InvalidToken", .badRequest, "The provided token is malformed or otherwise invalid.")

    package static func accessKeyUnknown(_ accessKey: String) -> S3Error {
        S3Error(
            "InvalidAccessKeyId", .forbidden, "The AWS Access Key Id you provided does not exist in our records.",
            details: [Detail("AWSAccessKeyId", accessKey)])
    }

    package static func timeTooSkewed(request: String, server: S3Timestamp, secondsMax: Int64) -> S3Error {
        S3Error(
            "RequestTimeTooSkewed", .forbidden,
            "The difference between the request time and the current time is too large.",
            details: [
                Detail("RequestTime", request), Detail("ServerTime", server.iso8601),
                Detail("MaxAllowedSkewMilliseconds", "\(secondsMax * 1000)"),
            ])
    }

    package static func presignedExpired(seconds: Int64, at expiry: S3Timestamp, server: S3Timestamp) -> S3Error {
        accessDenied(
            "Request has expired",
            details: [
                Detail("X-Amz-Expires", "\(seconds)"), Detail("Expires", expiry.iso8601),
                Detail("ServerTime", server.iso8601),
            ])
    }

    package static func presignedNotYetValid(date: String, server: S3Timestamp) -> S3Error {
        accessDenied(
            "Request is not yet valid", details: [Detail("X-Amz-Date", date), Detail("ServerTime", server.iso8601)])
    }

    package static func headersNotSigned(_ names: [String]) -> S3Error {
        accessDenied(
            "There were headers present in the request which were not signed",
            details: [Detail("HeadersNotSigned", names.joined(separator: ", "))])
    }

    package static func signatureMismatch(
        _ presented: PresentedSignature, stringToSign: [UInt8], canonicalRequest: [UInt8]
    ) -> S3Error {
        S3Error(
            "SignatureDoesNotMatch", .forbidden,
            "The request signature we calculated does not match the signature you provided. Check your key and signing method.",
            details: [
                Detail("AWSAccessKeyId", presented.scope.accessKey),
                Detail("StringToSign", String(decoding: stringToSign, as: UTF8.self)),
                Detail("SignatureProvided", presented.signature),
                Detail("CanonicalRequest", String(decoding: canonicalRequest, as: UTF8.self)),
            ])
    }

    /// A chunk or the trailers; the request's own signature was right.
    package static let chunkSignatureMismatch = S3Error(
        "SignatureDoesNotMatch", .forbidden,
        "The chunk signature we calculated does not match the signature you provided. Check your key and signing method.",
        closesConnection: true)

    package static let contentHashMissing = invalidRequest(
        "Missing required header for this request: x-amz-content-sha256")

    package static func contentHashInvalid(_ value: String) -> S3Error {
        invalidArgument(
            "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, "
                + "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, STREAMING-UNSIGNED-PAYLOAD-TRAILER, or a valid sha256 value.",
            name: "x-amz-content-sha256", value: value)
    }
}
