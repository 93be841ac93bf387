package import Metadata

/// The text forms of entity tags: 32 lower-case hexadecimal digits, with `-N` after a multipart upload.
extension ETag {
    /// 32 digits, a hyphen and five digits.
    static let unquotedByteCountMax = 38

    /// In quotes, as headers show it.
    package var quoted: String {
        String(unsafeUninitializedCapacity: Self.unquotedByteCountMax + 2) { buffer in
            buffer[0] = UInt8(ascii: "\"")
            let count = writeUnquoted(to: UnsafeMutableBufferPointer(rebasing: buffer[1...]))
            buffer[count + 1] = UInt8(ascii: "\"")
            return count + 2
        }
    }

    /// - Returns: how many bytes were written.
    func writeUnquoted(to buffer: UnsafeMutableBufferPointer<UInt8>) -> Int {
        let digits = Hexadecimal.lowercaseDigits.utf8Start
        for position in 0..<16 {
            buffer[position] = digits[Int(truncatingIfNeeded: high >> UInt64(60 - 4 * position)) & 15]
            buffer[position + 16] = digits[Int(truncatingIfNeeded: low >> UInt64(60 - 4 * position)) & 15]
        }
        guard partCount > 0 else { return 32 }
        var count = 32
        buffer[count] = UInt8(ascii: "-")
        count += 1
        var divisor: UInt16 = 1
        while partCount / divisor >= 10 { divisor *= 10 }
        while divisor > 0 {
            buffer[count] = UInt8(ascii: "0") + UInt8(partCount / divisor % 10)
            divisor /= 10
            count += 1
        }
        return count
    }

    /// Reads exactly what `writeUnquoted` writes; `nil` for a tag that none of ours can equal.
    package init?(unquoted text: some StringProtocol) {
        let bytes = Array(text.utf8)
        guard bytes.count >= 32, !bytes[..<32].contains(where: { (UInt8(ascii: "A")...UInt8(ascii: "F")).contains($0) }),
            let digest = Hexadecimal.decode(bytes[..<32])
        else { return nil }
        var partCount: UInt16 = 0
        if bytes.count > 32 {
            let digits = bytes[33...]
            guard bytes[32] == UInt8(ascii: "-"), let first = digits.first, first != UInt8(ascii: "0"),
                digits.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
                let count = UInt16(String(decoding: digits, as: UTF8.self))
            else { return nil }
            partCount = count
        }
        self.init(md5: digest, partCount: partCount)
    }
}

extension ETagMatch {
    /// One tag as clients give it, in quotes or (as many do) without.
    package init(text: some StringProtocol) {
        var tag = Substring(text)
        if tag.count >= 2, tag.first == "\"", tag.last == "\"" { tag = tag.dropFirst().dropLast() }
        self = ETag(unquoted: tag).map { .tag($0) } ?? .foreign
    }

    /// The list of an `If-Match` or `If-None-Match` header (RFC 9110, section 13.1).
    ///
    /// - Parameter weak: whether a weak tag (`W/"…"`) compares by its value, as in `If-None-Match`; with the strong
    ///   comparison of `If-Match` it never matches.
    package static func list(_ values: [String], weak: Bool) -> [ETagMatch] {
        values.flatMap { $0.split(separator: ",") }.compactMap { item -> ETagMatch? in
            var item = item.trimmed
            if item.isEmpty { return nil }
            if item == "*" { return .any }
            if item.hasPrefix("W/") {
                guard weak else { return .foreign }
                item = item.dropFirst(2)
            }
            return ETagMatch(text: item)
        }
    }

    /// Whether the condition names this tag.
    package func matches(_ etag: ETag) -> Bool {
        switch self {
        case .any: true
        case .tag(let tag): tag == etag
        case .foreign: false
        }
    }
}

extension StringProtocol {
    /// Without spaces and tabs at both ends (the optional whitespace of RFC 9110).
    var trimmed: SubSequence {
        let isBlank: (Character) -> Bool = { $0 == " " || $0 == "\t" }
        guard let first = firstIndex(where: { !isBlank($0) }), let last = lastIndex(where: { !isBlank($0) }) else {
            return self[startIndex..<startIndex]
        }
        return self[first...last]
    }
}
