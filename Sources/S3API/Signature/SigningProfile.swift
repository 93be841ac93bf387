import Crypto
import NIOHTTP1
import Synchronization

/// All of an `Authorization` header but the signature itself, once a request signed that way has been verified: who signs, with
/// which key, over which headers. A client sends the same for a day, so that it need not be taken apart for each request.
final class SigningProfile: Sendable {
    static let signatureDigitCount = 64
    /// More headers than a client of S3 sends; a signature over more is verified at length.
    static let fieldCountMax = 32

    /// The header's text as far as `Signature=`.
    let text: [UInt8]
    let identity: S3Identity
    let key: SigningKey
    let scope: SigningScope
    /// The end of the string to sign's head, `20130524/us-east-1/s3/aws4_request\n`.
    private let scopeLine: [UInt8]
    private let names: [String]
    /// The host is signed, and what every signed request has.
    private let coversAuthentication: Bool
    /// The canonical request's last line but one, `host;x-amz-date\n`.
    private let namesLine: [UInt8]

    /// - Returns: `nil` where the text does not end with the signature, or a name is there twice.
    init?(_ presented: PresentedSignature, authorization: String, identity: S3Identity, key: SigningKey) {
        guard presented.place == .header, Set(presented.signedHeaders).count == presented.signedHeaders.count,
            let text = Self.withText(of: authorization, { Array($0) })
        else { return nil }
        self.text = text
        self.identity = identity
        self.key = key
        scope = presented.scope
        scopeLine = Array("\(presented.scope.text)\n".utf8)
        names = presented.signedHeaders
        coversAuthentication = Set(names).isSuperset(of: ["host", "x-amz-date", "x-amz-content-sha256"])
        namesLine = Array("\(presented.signedHeaders.joined(separator: ";"))\n".utf8)
    }

    /// What `body` makes of a header's text as far as `Signature=`; `nil` where not 64 bytes follow.
    static func withText<Value>(of authorization: String, _ body: (UnsafeRawBufferPointer) -> Value?) -> Value? {
        let value = authorization.utf8.withContiguousStorageIfAvailable { authorization -> Value? in
            let end: StaticString = "Signature="
            let text = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(authorization).dropLast(signatureDigitCount))
            guard
                text.suffix(end.utf8CodeUnitCount).elementsEqual(
                    UnsafeRawBufferPointer(start: end.utf8Start, count: end.utf8CodeUnitCount))
            else { return nil }
            return body(text)
        }
        return value ?? nil
    }

    /// Whether the headers of these names are signed.
    private func covers(_ fieldNames: [String]) -> Bool {
        fieldNames.allSatisfy { fieldName in names.contains { ASCIICase.equal($0, fieldName) } }
    }

    /// Whether the headers are signed by `signature`, in the simplest of all cases: each signed header is there once and in
    /// canonical form, and so is the path. Everything else is `false`, right or wrong: whoever asks verifies it at length then.
    ///
    /// - Parameters:
    ///   - path: in canonical form, without a query.
    ///   - signature: 64 digits.
    func signs(
        method: String, path: String, fields: RequestFields, signature: Substring.UTF8View
    ) -> Bool {
        guard coversAuthentication, fields.amazonDate.hasPrefix(scope.date), covers(fields.amazonNames) else { return false }
        var byteCount = method.utf8.count + path.utf8.count + namesLine.count + fields.contentHash.utf8.count + 8
        for field in fields.all { byteCount += field.name.utf8.count + field.value.utf8.count + 2 }
        let hash = withUnsafeTemporaryAllocation(byteCount: byteCount, alignment: 1) { buffer -> SHA256Digest? in
            var text = TextWriter(buffer)
            text.write(method)
            text.write("\n")
            text.write(path)
            text.write("\n\n")
            for name in names {
                guard let value = fields.canonicalValue(of: name) else { return nil }
                text.write(name)
                text.write(":")
                text.write(value)
                text.write("\n")
            }
            text.write("\n")
            text.write(namesLine)
            text.write(fields.contentHash)
            var hash = SHA256()
            hash.update(bufferPointer: text.written)
            return hash.finalize()
        }
        guard let hash else { return false }
        return withUnsafeTemporaryAllocation(byteCount: 96 + scopeLine.count, alignment: 1) { buffer in
            var text = TextWriter(buffer)
            text.write("AWS4-HMAC-SHA256\n")
            text.write(fields.amazonDate)
            text.write("\n")
            text.write(scopeLine)
            hash.withUnsafeBytes { text.write(hexadecimal: $0) }
            return key.isValid(digits: signature, for: text.written)
        }
    }
}

/// The headers of a request, those of its authentication found.
struct RequestFields {
    let all: HTTPHeaders
    private(set) var authorization = ""
    /// 16 bytes: `YYYYMMDD'T'HHMMSS'Z'`.
    private(set) var amazonDate = ""
    private(set) var contentHash = ""
    /// Of Amazon's other headers. They must be signed.
    private(set) var amazonNames: [String] = []
    private(set) var wantsChecksum = false
    /// None of the others can change what a read means.
    private(set) var isPlain = true

    /// - Returns: `nil` if one of authentication is missing, repeated or of an unusual kind.
    init?(_ headers: HTTPHeaders) {
        guard headers.count <= SigningProfile.fieldCountMax else { return nil }
        all = headers
        for (name, value) in headers {
            guard let first = name.utf8.first else { return nil }
            switch first | 0x20 {
            case UInt8(ascii: "x"):
                guard take(name, value) else { return nil }
            case UInt8(ascii: "a"):
                if ASCIICase.equal(name, "authorization") {
                    guard authorization.isEmpty else { return nil }
                    authorization = value
                }
            case UInt8(ascii: "c") where ASCIICase.hasPrefix(name, "content-"):
                if !ASCIICase.equal(name, "content-length"), !ASCIICase.equal(name, "content-type") { isPlain = false }
            case UInt8(ascii: "i") where ASCIICase.hasPrefix(name, "if-"): isPlain = false
            case UInt8(ascii: "r") where ASCIICase.equal(name, "range"): isPlain = false
            case UInt8(ascii: "t") where ASCIICase.equal(name, "transfer-encoding"): isPlain = false
            default: break
            }
        }
        guard amazonDate.utf8.count == 16, !contentHash.isEmpty, !authorization.isEmpty else { return nil }
    }

    /// A header that begins with an x. - Returns: false if it makes the request unusual.
    private mutating func take(_ name: String, _ value: String) -> Bool {
        if ASCIICase.equal(name, "x-amz-date") {
            guard amazonDate.isEmpty else { return false }
            amazonDate = value
        } else if ASCIICase.equal(name, "x-amz-content-sha256") {
            guard contentHash.isEmpty else { return false }
            contentHash = value
        } else if ASCIICase.equal(name, "x-amz-security-token") {
            return false
        } else if ASCIICase.hasPrefix(name, "x-amz-") {
            amazonNames.append(name)
            if ASCIICase.equal(name, "x-amz-checksum-mode"), ASCIICase.equal(value, "ENABLED") {
                wantsChecksum = true
            } else {
                isPlain = false
            }
        } else {
            isPlain = false
        }
        return true
    }

    /// The value of the one header of that name; `nil` if there is none, or several, or one that has to be normalized first.
    fileprivate func canonicalValue(of name: String) -> String? {
        var found: String?
        for field in all where ASCIICase.equal(field.name, name) {
            guard found == nil else { return nil }
            found = field.value
        }
        guard let found, SignedHeaders.isCanonical(found) else { return nil }
        return found
    }
}

/// Profiles of clients by the text of their headers. Safe from any thread.
///
/// Each text has one place, and a later one takes it: what is forgotten is verified at length once more. Only what was verified
/// is kept, so that strangers change nothing here.
final class SigningProfileCache: Sendable {
    private static let placeCount = 256
    private let places = Mutex<[SigningProfile?]>(Array(repeating: nil, count: placeCount))

    func profile(for authorization: String) -> SigningProfile? {
        SigningProfile.withText(of: authorization) { text in
            let place = Self.place(of: text)
            guard let profile = places.withLock({ $0[place] }), profile.text.elementsEqual(text) else { return nil }
            return profile
        }
    }

    func insert(_ profile: SigningProfile) {
        let place = profile.text.withUnsafeBytes(Self.place)
        // The old one is released after the lock.
        let old = places.withLock { places in
            defer { places[place] = profile }
            return places[place]
        }
        _ = consume old
    }

    private static func place(of text: UnsafeRawBufferPointer) -> Int {
        var hasher = Hasher()
        hasher.combine(bytes: text)
        return Int(UInt(bitPattern: hasher.finalize()) % UInt(placeCount))
    }
}

/// Writes text into memory of a known size.
private struct TextWriter {
    private let buffer: UnsafeMutableRawBufferPointer
    private var count = 0

    init(_ buffer: UnsafeMutableRawBufferPointer) {
        self.buffer = buffer
    }

    var written: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: buffer[..<count]) }

    mutating func write(_ bytes: UnsafeRawBufferPointer) {
        UnsafeMutableRawBufferPointer(rebasing: buffer[count...]).copyMemory(from: bytes)
        count += bytes.count
    }

    mutating func write(_ text: StaticString) {
        write(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    mutating func write(_ text: [UInt8]) {
        text.withUnsafeBytes { write($0) }
    }

    mutating func write(_ text: String) {
        var text = text
        text.withUTF8 { write(UnsafeRawBufferPointer($0)) }
    }

    mutating func write(hexadecimal bytes: UnsafeRawBufferPointer) {
        let digits = Hexadecimal.lowercaseDigits.utf8Start
        for byte in bytes {
            buffer[count] = digits[Int(byte >> 4)]
            buffer[count + 1] = digits[Int(byte & 15)]
            count += 2
        }
    }
}
