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
        var (headers, declaredLength, hasDate) = Self.handlersHeaders(response.headers)
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

    /// The handler's headers without those that are the server's to write.
    private static func handlersHeaders(
        _ given: HTTPHeaders
    ) -> (headers: HTTPHeaders, declaredLength: String?, hasDate: Bool) {
        // Most responses have nothing to take out or to clean: theirs are used as they are.
        let isPlain = given.allSatisfy { name, value in
            switch name.utf8.count {
            case 4 where name.equalsIgnoringCase("date"): false
            case 10 where name.equalsIgnoringCase("connection"): false
            case 14 where name.equalsIgnoringCase("content-length"): false
            case 17 where name.equalsIgnoringCase("transfer-encoding"): false
            default: name.isFieldText && value.isFieldText
            }
        }
        if isPlain { return (given, nil, false) }
        var headers = HTTPHeaders()
        headers.reserveCapacity(given.count + 3)
        var declaredLength: String?
        var hasDate = false
        for (name, value) in given {
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
        return (headers, declaredLength, hasDate)
    }
}

extension String {
    /// Text of a header line. A value that came from a request's query may hold a line's end, which would split the response: control
    /// characters become spaces.
    fileprivate var cleanedFieldText: String {
        isFieldText ? self : String(decoding: utf8.map { Self.isControl($0) ? 0x20 : $0 }, as: UTF8.self)
    }

    fileprivate var isFieldText: Bool {
        let isClean = utf8.withContiguousStorageIfAvailable { bytes in
            // Without an early exit the loop is vectorized.
            var isDirty = false
            for byte in bytes {
                isDirty = isDirty || Self.isControl(byte)
            }
            return !isDirty
        }
        return isClean ?? !utf8.contains(where: Self.isControl)
    }

    private static func isControl(_ byte: UInt8) -> Bool {
        (byte < 0x20 && byte != 0x09) || byte == 0x7F
    }
}
