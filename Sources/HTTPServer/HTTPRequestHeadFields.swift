import NIOHTTP1

/// A decoded request head: what the handler is told, and what the connection needs to know.
///
/// NIOHTTP1's decoder refuses most of what two parsers could understand differently (request smuggling): other line ends, white space
/// before a colon, control characters, a length twice or beside `Transfer-Encoding`. What it lets through is refused here.
struct HTTPRequestHeadFields {
    var method: HTTPMethod
    var target: String
    /// `HTTP/1.0`, else `HTTP/1.1`.
    var isHTTP10: Bool
    var headers: HTTPHeaders
    var framing: HTTPBodyFraming
    /// The client keeps the connection for another request, and the decoder can read one.
    var keepsAlive: Bool
    var expectation = HTTPExpectation.none
}

/// How the end of a request's body is found (RFC 9112, section 6.3).
enum HTTPBodyFraming: Equatable {
    case length(UInt64)
    case chunked
}

/// The `Expect` header (RFC 9110, section 10.1.1).
enum HTTPExpectation {
    case none
    /// `100-continue`: the client waits for an interim response before it sends the body.
    case interimResponse
    /// Anything else: `417`.
    case unsupported
}

extension HTTPRequestHeadFields {
    /// `nil` for a request whose end, target or host is ambiguous (RFC 9112, sections 3.2 and 6.3).
    init?(_ head: HTTPRequestHead) {
        guard head.version == .http1_1 || head.version == .http1_0, Self.isUnambiguous(target: head.uri) else { return nil }
        method = head.method
        target = head.uri
        isHTTP10 = head.version == .http1_0
        headers = Self.trimmed(head.headers)
        framing = .length(0)
        keepsAlive = head.isKeepAlive
        var hostCount = 0
        var contentLength: UInt64?
        var isChunked = false
        for (name, value) in headers {
            switch name.utf8.count {
            case 4 where name.equalsIgnoringCase("host"):
                hostCount += 1
            case 6 where name.equalsIgnoringCase("expect"):
                expectation =
                    expectation == .none && value.equalsIgnoringCase("100-continue") ? .interimResponse : .unsupported
            case 7 where name.equalsIgnoringCase("upgrade"):
                // The decoder takes what follows for another protocol, whose bytes are not its own to read.
                keepsAlive = false
            case 10 where isHTTP10 && name.equalsIgnoringCase("connection"):
                // `keep-alive, close`: the decoder sees only the former.
                keepsAlive = keepsAlive && !value.utf8.split(separator: 0x2C).contains { Self.isClose($0) }
            case 14 where name.equalsIgnoringCase("content-length"):
                guard contentLength == nil, let length = Self.parseLength(value) else { return nil }
                contentLength = length
            case 17 where name.equalsIgnoringCase("transfer-encoding"):
                guard !isChunked, value.equalsIgnoringCase("chunked") else { return nil }
                isChunked = true
            default:
                break
            }
        }
        guard hostCount == 1 || (isHTTP10 && hostCount == 0) else { return nil }
        guard !isChunked || (contentLength == nil && !isHTTP10) else { return nil }
        framing = isChunked ? .chunked : .length(contentLength ?? 0)
        if isHTTP10 {
            // A client of HTTP/1.0 cannot understand an interim response (RFC 9110, section 10.1.1).
            expectation = .none
        }
        if method == .CONNECT {
            // As for `Upgrade`. A body has no meaning, and the decoder looks for none.
            framing = .length(0)
            keepsAlive = false
        }
    }

    /// Only visible ASCII (RFC 3986): a key's other bytes are percent-encoded.
    private static func isUnambiguous(target: String) -> Bool {
        var target = target
        return target.withUTF8 { bytes in
            // Without an early exit the loop is vectorized.
            var isDirty = false
            for byte in bytes {
                isDirty = isDirty || byte <= 0x20 || byte >= 0x7F
            }
            return !isDirty
        }
    }

    /// The decoder leaves the white space after a value, which is no part of it (RFC 9112, section 5.1).
    private static func trimmed(_ headers: HTTPHeaders) -> HTTPHeaders {
        let isSpace: (UInt8) -> Bool = { $0 == 0x20 || $0 == 0x09 }
        guard headers.contains(where: { $0.value.utf8.last.map(isSpace) ?? false }) else { return headers }
        return HTTPHeaders(
            headers.map { name, value in
                let end = value.utf8.lastIndex { !isSpace($0) }.map { value.utf8.index(after: $0) } ?? value.startIndex
                return (name, String(value[..<end]))
            })
    }

    private static func isClose(_ option: String.UTF8View.SubSequence) -> Bool {
        let letters = option.filter { $0 != 0x20 && $0 != 0x09 }.map { $0 | 0x20 }
        return letters.elementsEqual("close".utf8)
    }

    private static func parseLength(_ value: String) -> UInt64? {
        // 18 digits cannot overflow and are a thousand times the largest object.
        guard (1...18).contains(value.utf8.count) else { return nil }
        var length: UInt64 = 0
        for byte in value.utf8 {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
            length = length * 10 + UInt64(byte - UInt8(ascii: "0"))
        }
        return length
    }
}

extension String {
    /// Compares with a string of lower-case letters, digits and hyphens; `self` must hold no control characters.
    func equalsIgnoringCase(_ lowercase: StaticString) -> Bool {
        guard utf8.count == lowercase.utf8CodeUnitCount else { return false }
        var expected = lowercase.utf8Start
        for byte in utf8 {
            guard byte | 0x20 == expected.pointee else { return false }
            expected += 1
        }
        return true
    }
}
