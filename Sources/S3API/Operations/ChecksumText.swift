package import Metadata
package import NIOHTTP1

/// How S3 writes checksum algorithms and values.
extension ChecksumAlgorithm {
    /// The element of XML documents that holds a value.
    var elementName: StaticString {
        switch self {
        case .crc32: "ChecksumCRC32"
        case .crc32c: "ChecksumCRC32C"
        case .sha1: "ChecksumSHA1"
        case .sha256: "ChecksumSHA256"
        case .crc64nvme: "ChecksumCRC64NVME"
        }
    }

    /// - Throws: `InvalidRequest` for a name that S3 does not know.
    package static func named(_ name: String) throws(S3Error) -> ChecksumAlgorithm {
        guard let algorithm = ChecksumAlgorithm(name: name) else { throw .checksumAlgorithmUnsupported }
        return algorithm
    }
}

extension ObjectChecksum.Kind {
    package var name: String {
        switch self {
        case .fullObject: "FULL_OBJECT"
        case .composite: "COMPOSITE"
        }
    }

    /// - Throws: `InvalidRequest` for another word.
    package init(name: String) throws(S3Error) {
        switch name {
        case "FULL_OBJECT": self = .fullObject
        case "COMPOSITE": self = .composite
        default: throw .invalidRequest("Value for x-amz-checksum-type header is invalid.")
        }
    }
}

extension ObjectChecksum {
    /// The digest in base64; a composite one with the number of parts behind.
    package func text(partCount: Int) -> String {
        let base64 = Base64.encode(digest)
        return kind == .composite ? "\(base64)-\(partCount)" : base64
    }

    /// Reads a value; `nil` when it is none of this algorithm. `-N` at the end makes it composite.
    package init?(algorithm: ChecksumAlgorithm, text: String) {
        var base64 = Substring(text)
        var kind = Kind.fullObject
        if let hyphen = base64.lastIndex(of: "-") {
            let count = base64[base64.index(after: hyphen)...]
            guard let parts = UInt16(count), (1...10_000).contains(parts) else { return nil }
            base64 = base64[..<hyphen]
            kind = .composite
        }
        guard let digest = Base64.decode(base64.utf8), digest.count == algorithm.digestByteCount else { return nil }
        self.init(algorithm: algorithm, kind: kind, digest: digest)
    }

    /// The value that a request's headers carry, if any.
    /// - Throws: `InvalidRequest` for a value that is none, or for several.
    package static func value(in headers: HTTPHeaders) throws(S3Error) -> ObjectChecksum? {
        var found: ObjectChecksum?
        for algorithm in ChecksumAlgorithm.allCases {
            guard let text = headers.first(name: algorithm.headerName) else { continue }
            guard found == nil else {
                throw .invalidRequest("Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
            }
            guard let checksum = ObjectChecksum(algorithm: algorithm, text: text) else {
                throw .invalidRequest("Value for \(algorithm.headerName) header is invalid.")
            }
            found = checksum
        }
        return found
    }
}
