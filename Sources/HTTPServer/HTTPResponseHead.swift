import NIOCore
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

extension ByteBuffer {
    /// Writes the head, with the headers that are the server's to write: `Date` (unless the handler did), the length or transfer coding,
    /// `Connection`.
    mutating func writeHead(
        _ response: HTTPResponse, framing: HTTPResponseFraming, isHead: Bool, connection: HTTPConnectionOption, date: String
    ) {
        let status = response.status.cleaned
        reserveCapacity(
            minimumWritableBytes: response.headers.reduce(192) { $0 + $1.name.utf8.count + $1.value.utf8.count + 4 })
        writeStaticString("HTTP/1.1 ")
        writeString(String(status.code))
        writeStaticString(" ")
        writeString(status.reasonPhrase)
        writeStaticString("\r\n")
        let (declaredLength, hasDate) = writeHandlersHeaders(response.headers)
        if !hasDate { writeHeader("Date", date) }
        switch framing {
        case .none:
            // The handler may say what GET would send; to a GET it cannot, as nothing follows.
            if let declaredLength, isHead || response.status == .notModified {
                writeHeader("Content-Length", declaredLength)
            } else if !isHead, response.status.allowsBody {
                writeHeader("Content-Length", "0")
            }
        case .length(let byteCount):
            if response.status.allowsBody || response.status == .notModified {
                writeHeader("Content-Length", String(byteCount))
            }
        case .chunked:
            if response.status.allowsBody { writeHeader("Transfer-Encoding", "chunked") }
        case .close:
            break
        }
        switch connection {
        case .unsaid: break
        case .keepAlive: writeHeader("Connection", "keep-alive")
        case .close: writeHeader("Connection", "close")
        }
        writeStaticString("\r\n")
    }

    /// Writes the handler's headers without those that are the server's to write.
    private mutating func writeHandlersHeaders(_ headers: HTTPHeaders) -> (declaredLength: String?, hasDate: Bool) {
        var declaredLength: String?
        var hasDate = false
        for (name, value) in headers {
            switch name.utf8.count {
            case 4 where name.equalsIgnoringCase("date"): hasDate = true
            case 10 where name.equalsIgnoringCase("connection"): continue
            case 14 where name.equalsIgnoringCase("content-length"):
                declaredLength = value.cleanedFieldText
                continue
            case 17 where name.equalsIgnoringCase("transfer-encoding"): continue
            default: break
            }
            writeHeader(name.cleanedFieldText, value.cleanedFieldText)
        }
        return (declaredLength, hasDate)
    }

    /// There is room for it: one check for the line, not four.
    private mutating func writeHeader(_ name: String, _ value: String) {
        var (name, value) = (name, value)
        writeWithUnsafeMutableBytes(minimumWritableBytes: name.utf8.count + value.utf8.count + 4) { line in
            var count = 0
            func append(_ text: UnsafeBufferPointer<UInt8>) {
                UnsafeMutableRawBufferPointer(rebasing: line[count...]).copyBytes(from: text)
                count += text.count
            }
            name.withUTF8(append)
            (line[count], line[count + 1]) = (UInt8(ascii: ":"), UInt8(ascii: " "))
            count += 2
            value.withUTF8(append)
            (line[count], line[count + 1]) = (UInt8(ascii: "\r"), UInt8(ascii: "\n"))
            return count + 2
        }
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
