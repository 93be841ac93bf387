import Crypto

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Signs request heads by AWS Signature Version 4 with `UNSIGNED-PAYLOAD`. Paths must need no percent-encoding.
struct RequestSigner {
    private let host: String
    private let accessKey: String
    private let scope: String
    private let timestamp: String
    private let key: SymmetricKey

    init(host: String, accessKey: String, secretKey: String, region: String, time: time_t) {
        var time = time
        var parts = tm()
        gmtime_r(&time, &parts)
        func digits(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let day = "\(parts.tm_year + 1900)\(digits(parts.tm_mon + 1))\(digits(parts.tm_mday))"
        self.host = host
        self.accessKey = accessKey
        scope = "\(day)/\(region)/s3/aws4_request"
        timestamp = "\(day)T\(digits(parts.tm_hour))\(digits(parts.tm_min))\(digits(parts.tm_sec))Z"
        var key = SymmetricKey(data: Array("AWS4\(secretKey)".utf8))
        for part in [day, region, "s3", "aws4_request"] {
            key = SymmetricKey(data: HMAC<SHA256>.authenticationCode(for: Array(part.utf8), using: key))
        }
        self.key = key
    }

    /// - Parameter bodyByteCount: `nil` for requests without a body.
    func head(method: String, path: String, bodyByteCount: Int?) -> String {
        let signedHeaders = "host;x-amz-content-sha256;x-amz-date"
        let canonical =
            "\(method)\n\(path)\n\nhost:\(host)\nx-amz-content-sha256:UNSIGNED-PAYLOAD\nx-amz-date:\(timestamp)\n\n"
            + "\(signedHeaders)\nUNSIGNED-PAYLOAD"
        let digest = Self.hexadecimal(SHA256.hash(data: Array(canonical.utf8)))
        let toSign = "AWS4-HMAC-SHA256\n\(timestamp)\n\(scope)\n\(digest)"
        let signature = Self.hexadecimal(HMAC<SHA256>.authenticationCode(for: Array(toSign.utf8), using: key))
        let length = bodyByteCount.map { "Content-Length: \($0)\r\n" } ?? ""
        return "\(method) \(path) HTTP/1.1\r\nHost: \(host)\r\nx-amz-content-sha256: UNSIGNED-PAYLOAD\r\n"
            + "x-amz-date: \(timestamp)\r\n\(length)Authorization: AWS4-HMAC-SHA256 Credential=\(accessKey)/\(scope), "
            + "SignedHeaders=\(signedHeaders), Signature=\(signature)\r\n\r\n"
    }

    private static func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        for byte in bytes {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }
}
