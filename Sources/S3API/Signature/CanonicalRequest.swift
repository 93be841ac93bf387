package import NIOHTTP1

/// The canonical form of a request that Signature Version 4 hashes ("Authenticating Requests: Using the Authorization Header").
///
/// ```
/// PUT\n
/// /bucket/key%20with%20space\n           path, encoded once, nothing normalized
/// partNumber=1&uploadId=…\n              query, sorted by encoded bytes
/// host:…\nx-amz-date:…\n\n               signed headers, trimmed, spaces collapsed
/// host;x-amz-date\n                      their names
/// UNSIGNED-PAYLOAD                       hash of the payload, or what stands for it
/// ```
package struct CanonicalRequest: Sendable {
    package private(set) var bytes: [UInt8] = []

    package init(
        method: HTTPMethod, path: CanonicalPath, query: S3Query, headers: SignedHeaders, payloadHash: String
    ) {
        bytes.reserveCapacity(512)
        bytes.append(contentsOf: method.rawValue.utf8)
        bytes.append(UInt8(ascii: "\n"))
        switch path {
        case .encoded(let decoded): Self.appendEncoded(decoded, keepingSlashes: true, to: &bytes)
        case .asSent(let raw): bytes.append(contentsOf: raw)
        }
        bytes.append(UInt8(ascii: "\n"))
        appendQuery(query)
        bytes.append(UInt8(ascii: "\n"))
        for (name, value) in zip(headers.names, headers.values) {
            bytes.append(contentsOf: name.utf8)
            bytes.append(UInt8(ascii: ":"))
            bytes.append(contentsOf: value.utf8)
            bytes.append(UInt8(ascii: "\n"))
        }
        bytes.append(UInt8(ascii: "\n"))
        for (position, name) in headers.names.enumerated() {
            if position > 0 { bytes.append(UInt8(ascii: ";")) }
            bytes.append(contentsOf: name.utf8)
        }
        bytes.append(UInt8(ascii: "\n"))
        bytes.append(contentsOf: payloadHash.utf8)
    }

    /// How the path goes into the canonical request.
    package enum CanonicalPath: Sendable {
        /// Decoded bytes, to be encoded as the specification says.
        case encoded([UInt8])
        /// As it stood on the request line. Some clients send, and sign, an encoding of their own (`%2F` or lower-case digits);
        /// a signature over the very bytes sent is as good.
        case asSent([UInt8])
    }

    // MARK: Query

    private mutating func appendQuery(_ query: S3Query) {
        let signature = "X-Amz-Signature"
        if query.items.count == 1, let only = query.items.first, only.name != signature {
            Self.appendItem(only, to: &bytes)
            return
        }
        let items = query.items.lazy.filter { $0.name != signature }.map { item in
            (Self.encoded(Array(item.name.utf8)), Self.encoded(item.value ?? []))
        }
        let sorted = Array(items).sorted { left, right in
            left.0 == right.0 ? left.1.lexicographicallyPrecedes(right.1) : left.0.lexicographicallyPrecedes(right.0)
        }
        for (position, item) in sorted.enumerated() {
            if position > 0 { bytes.append(UInt8(ascii: "&")) }
            bytes.append(contentsOf: item.0)
            bytes.append(UInt8(ascii: "="))
            bytes.append(contentsOf: item.1)
        }
    }

    private static func appendItem(_ item: S3Query.Item, to bytes: inout [UInt8]) {
        appendEncoded(item.name.utf8, keepingSlashes: false, to: &bytes)
        bytes.append(UInt8(ascii: "="))
        appendEncoded(item.value ?? [], keepingSlashes: false, to: &bytes)
    }

    private static func encoded(_ raw: [UInt8]) -> [UInt8] {
        var encoded: [UInt8] = []
        encoded.reserveCapacity(raw.count + 16)
        appendEncoded(raw, keepingSlashes: false, to: &encoded)
        return encoded
    }

    /// `UriEncode` of the specification: all but `A–Z a–z 0–9 - . _ ~` (and, in a path, `/`) as `%XX` with upper-case digits.
    package static func appendEncoded(_ raw: some Sequence<UInt8>, keepingSlashes: Bool, to bytes: inout [UInt8]) {
        let digits = Hexadecimal.uppercaseDigits.utf8Start
        for byte in raw {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                bytes.append(byte)
            case UInt8(ascii: "/") where keepingSlashes:
                bytes.append(byte)
            default:
                bytes.append(UInt8(ascii: "%"))
                bytes.append(digits[Int(byte >> 4)])
                bytes.append(digits[Int(byte & 15)])
            }
        }
    }
}
