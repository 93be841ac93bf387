package import Crypto

/// The strings that Signature Version 4 signs.
package enum StringToSign {
    /// The hexadecimal SHA-256 of no bytes.
    package static let emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    package static let emptyHashBytes = Hexadecimal.decode(emptyHash.utf8) ?? []

    package static func request(canonicalRequest: [UInt8], timestamp: String, scope: SigningScope) -> [UInt8] {
        var text = head("AWS4-HMAC-SHA256", timestamp: timestamp, scope: scope)
        Hexadecimal.append(SHA256.hash(data: canonicalRequest), to: &text)
        return text
    }

    /// One chunk of `STREAMING-AWS4-HMAC-SHA256-PAYLOAD`.
    /// - Parameters:
    ///   - previousSignature: hexadecimal; the request's for the first chunk.
    ///   - chunkHash: the SHA-256 of the chunk's bytes.
    package static func chunk(
        previousSignature: [UInt8], chunkHash: SHA256Digest, timestamp: String, scope: SigningScope
    ) -> [UInt8] {
        var text = head("AWS4-HMAC-SHA256-PAYLOAD", timestamp: timestamp, scope: scope)
        text.append(contentsOf: previousSignature)
        text.append(UInt8(ascii: "\n"))
        text.append(contentsOf: emptyHash.utf8)
        text.append(UInt8(ascii: "\n"))
        Hexadecimal.append(chunkHash, to: &text)
        return text
    }

    /// The trailers of `STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER`.
    /// - Parameter trailers: `name:value\n` for each, in the order sent.
    package static func trailers(
        previousSignature: [UInt8], trailers: [UInt8], timestamp: String, scope: SigningScope
    ) -> [UInt8] {
        var text = head("AWS4-HMAC-SHA256-TRAILER", timestamp: timestamp, scope: scope)
        text.append(contentsOf: previousSignature)
        text.append(UInt8(ascii: "\n"))
        Hexadecimal.append(SHA256.hash(data: trailers), to: &text)
        return text
    }

    private static func head(_ algorithm: String, timestamp: String, scope: SigningScope) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(320)
        text.append(contentsOf: algorithm.utf8)
        text.append(UInt8(ascii: "\n"))
        text.append(contentsOf: timestamp.utf8)
        text.append(UInt8(ascii: "\n"))
        for field in [scope.date, scope.region, scope.service] {
            text.append(contentsOf: field.utf8)
            text.append(UInt8(ascii: "/"))
        }
        text.append(contentsOf: "aws4_request\n".utf8)
        return text
    }
}
