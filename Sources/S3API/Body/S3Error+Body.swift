package import HTTPServer
package import Metadata
import NIOHTTP1

/// The errors of bodies. Where the body was not read to its end, the connection cannot be used again.
extension S3Error {
    package static let contentLengthMissing = S3Error(
        "MissingContentLength", .lengthRequired, "You must provide the Content-Length HTTP header.")

    package static let bodyIncomplete = S3Error(
        "IncompleteBody", .badRequest,
        "You did not provide the number of bytes specified by the Content-Length HTTP header.", closesConnection: true)

    package static let chunkedEncodingMalformed = S3Error(
        "InvalidRequest", .badRequest, "The aws-chunked encoding of the body is malformed.", closesConnection: true)

    package static let trailerMalformed = S3Error(
        "MalformedTrailerError", .badRequest,
        "The request contained trailing data that was not well-formed or did not conform to our published schema.",
        closesConnection: true)

    package static let requestTimedOut = S3Error(
        "RequestTimeout", .badRequest,
        "Your socket connection to the server was not read from or written to within the timeout period. "
            + "Idle connections will be closed.", closesConnection: true)

    package static let checksumAlgorithmUnsupported = invalidRequest(
        "Checksum algorithm provided is unsupported. Please try again with any of the valid types: "
            + "[CRC32, CRC32C, CRC64NVME, SHA1, SHA256]")

    package static func entityTooLarge(proposed: UInt64, byteCountMax: UInt64) -> S3Error {
        S3Error(
            "EntityTooLarge", .badRequest, "Your proposed upload exceeds the maximum allowed size",
            details: [Detail("ProposedSize", "\(proposed)"), Detail("MaxSizeAllowed", "\(byteCountMax)")],
            closesConnection: true)
    }

    package static func contentHashMismatch(expected: [UInt8], computed: [UInt8]) -> S3Error {
        S3Error(
            "XAmzContentSHA256Mismatch", .badRequest,
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
            details: [
                Detail("ClientComputedContentSHA256", String(decoding: Hexadecimal.encode(expected), as: UTF8.self)),
                Detail("S3ComputedContentSHA256", String(decoding: Hexadecimal.encode(computed), as: UTF8.self)),
            ])
    }

    package static func contentMD5Mismatch(expected: [UInt8], computed: [UInt8]) -> S3Error {
        S3Error(
            "BadDigest", .badRequest, "The Content-MD5 you specified did not match what we received.",
            details: [
                Detail("ExpectedDigest", Base64.encode(expected)), Detail("CalculatedDigest", Base64.encode(computed)),
            ])
    }

    package static func checksumMismatch(_ algorithm: ChecksumAlgorithm) -> S3Error {
        S3Error(
            "BadDigest", .badRequest, "The \(algorithm.name) you specified did not match the calculated checksum.")
    }

    /// The hashing threads have been shut down: the server is stopping.
    package static let stopping = S3Error(
        "ServiceUnavailable", .serviceUnavailable, "Service is unable to handle request. Please try again.",
        headers: [Detail("Retry-After", "1")], closesConnection: true)

    package init(_ error: HTTPBodyError) {
        switch error {
        case .connectionClosed, .malformed: self = .bodyIncomplete
        case .timedOut: self = .requestTimedOut
        }
    }
}
