import NIOHTTP1

/// How the end of a response's body is found.
enum HTTPResponseFraming: Equatable {
    case none
    case length(UInt64)
    case chunked
    /// By the connection's end, for clients of HTTP/1.0.
    case close
}

/// What the response's `Connection` header says.
enum HTTPConnectionOption {
    case unsaid
    case keepAlive
    case close
}

extension HTTPResponseStatus {
    /// RFC 9112, section 6.3: responses that end with their head, whatever it says.
    var allowsBody: Bool {
        switch self {
        case .noContent, .notModified: false
        default: code >= 200 && code != 204 && code != 304
        }
    }

    /// The reason of a custom status must not split the response either.
    fileprivate var cleaned: HTTPResponseStatus {
        guard case .custom(let code, let reason) = self else { return self }
        return .custom(code: code, reasonPhrase: reason.cleanedFieldText)
    }
}

extension HTTPResponseHead {
    /// The head for NIOHTTP1's encoder, with the headers that are the server's to write: `Date` (unless the handler did), the length
    /// or transfer coding, `Connection`.
    init(
        _ response: HTTPResponse, framing: HTTPResponseFraming, isHead: Bool, connection: HTTPConnectionOption, date: String
    ) {
        var headers = HTTPHeaders()
        headers.reserveCapacity(response.headers.count + 3)
        var declaredLength: String?
        var hasDate = false
        for (name, value) in response.headers {
            switch name.utf8.count {
            case 4 where name.equalsIgnoringCase("date"): hasDate = true
            case 10 where name.equalsIgnoringCase("connection"): continue
            case 14 where name.equalsIgnoringCase("content-length"):
                declaredLength = value.cleanedFieldText
                continue
            case 17 where name.equalsIgnoringCase("transfer-encoding"): continue
            default: break
            }
            headers.add(name: name.cleanedFieldText, value: value.cleanedFieldText)
        }
        if !hasDate {
            headers.add(name: "Date", value: date)
        }
        switch framing {
        case .none:
            // The handler may say what GET would send; to a GET it cannot, as nothing follows.
            if let declaredLength, isHead || response.status == .notModified {
                headers.add(name: "Content-Length", value: declaredLength)
            } else if !isHead, response.status.allowsBody {
                headers.add(name: "Content-Length", value: "0")
            }
        case .length(let byteCount):
            if response.status.allowsBody || response.status == .notModified {
                headers.add(name: "Content-Length", value: String(byteCount))
            }
        case .chunked:
            if response.status.allowsBody {
                headers.add(name: "Transfer-Encoding", value: "chunked")
            }
        case .close:
            break
        }
        switch connection {
        case .unsaid: break
        case .keepAlive: headers.add(name: "Connection", value: "keep-alive")
        case .close: headers.add(name: "Connection", value: "close")
        }
        self.init(version: .http1_1, status: response.status.cleaned, headers: headers)
    }
}

extension String {
    /// Text of a header line. A value that came from a request's query may hold a line's end, which would split the response: control
    /// characters become spaces.
    fileprivate var cleanedFieldText: String {
        var copy = self
        let isClean = copy.withUTF8 { bytes in
            // Without an early exit the loop is vectorized.
            var isDirty = false
            for byte in bytes {
                isDirty = isDirty || Self.isControl(byte)
            }
            return !isDirty
        }
        guard !isClean else { return self }
        return String(decoding: utf8.map { Self.isControl($0) ? 0x20 : $0 }, as: UTF8.self)
    }

    private static func isControl(_ byte: UInt8) -> Bool {
        (byte < 0x20 && byte != 0x09) || byte == 0x7F
    }
}
