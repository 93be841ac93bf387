package import NIOHTTP1

/// The errors of parsing, routing and authentication. Codes, statuses and wording follow the S3 API reference, "Error responses".
extension S3Error {
    package static let invalidURI = S3Error("InvalidURI", .badRequest, "Couldn't parse the specified URI.")

    package static func invalidBucketName(_ name: String) -> S3Error {
        S3Error(
            "InvalidBucketName", .badRequest, "The specified bucket is not valid.", details: [.init("BucketName", name)])
    }

    package static func invalidArgument(_ message: String, name: String, value: String) -> S3Error {
        S3Error(
            "InvalidArgument", .badRequest, message,
            details: [.init("ArgumentName", name), .init("ArgumentValue", value)])
    }

    package static func invalidRequest(_ message: String) -> S3Error {
        S3Error("InvalidRequest", .badRequest, message)
    }

    package static func accessDenied(_ message: String = "Access Denied", details: [Detail] = []) -> S3Error {
        S3Error("AccessDenied", .forbidden, message, details: details)
    }

    package static func methodNotAllowed(
        _ method: HTTPMethod, _ level: S3ResourceLevel, allow: [HTTPMethod]
    ) -> S3Error {
        S3Error(
            "MethodNotAllowed", .methodNotAllowed, "The specified method is not allowed against this resource.",
            details: [.init("Method", method.rawValue), .init("ResourceType", level.rawValue)],
            headers: [.init("Allow", allow.map(\.rawValue).joined(separator: ", "))])
    }

    /// A preflight: nothing is ever allowed across origins.
    package static func crossOriginForbidden(_ level: S3ResourceLevel) -> S3Error {
        S3Error(
            "AccessForbidden", .forbidden, "CORSResponse: CORS is not enabled for this bucket.",
            details: [.init("Method", "OPTIONS"), .init("ResourceType", level.rawValue)])
    }

    /// An operation of the S3 API that this service does not have.
    package static func notImplemented(operation name: String) -> S3Error {
        S3Error(
            "NotImplemented", .notImplemented, "The operation \(name) is not implemented.",
            details: [.init("Operation", name)])
    }

    /// A header whose promise this service cannot keep.
    package static func notImplemented(header name: String, value: String? = nil) -> S3Error {
        S3Error(
            "NotImplemented", .notImplemented, "A header you provided implies functionality that is not implemented.",
            details: [.init("Header", name)] + (value.map { [.init("Value", $0)] } ?? []))
    }

    package static let partWithoutNumber = invalidRequest("A part's upload needs the query parameter partNumber.")
    package static let partWithoutUpload = invalidRequest("A part's upload needs the query parameter uploadId.")

    package static let internalError = S3Error(
        "InternalError", .internalServerError, "We encountered an internal error. Please try again.")
}
