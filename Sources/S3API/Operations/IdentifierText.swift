package import Metadata

/// The text forms of version and upload ids: opaque to clients, url-safe, exactly one for each id.
///
/// ```
/// version   null | 16 characters        base64url of the position
/// upload    mpu- + 16 characters        the prefix keeps either from passing for the other
/// position  index (8 bytes, big-endian), offset (4 bytes, big-endian): 12 bytes are 16 characters without padding
/// ```
extension VersionID {
    package var text: String {
        switch self {
        case .null: "null"
        case .version(let position): position.text
        }
    }

    /// `nil`: not an id of ours.
    package init?(text: String) {
        if text == "null" {
            self = .null
        } else if let position = CommitPosition(text: text.utf8) {
            self = .version(position)
        } else {
            return nil
        }
    }
}

extension UploadID {
    package var text: String { "mpu-" + position.text }

    /// `nil`: not an id of ours.
    package init?(text: String) {
        guard text.hasPrefix("mpu-"), let position = CommitPosition(text: text.utf8.dropFirst(4)) else { return nil }
        self.init(position: position)
    }
}

extension CommitPosition {
    private static let characterCount = 16

    fileprivate var text: String {
        String(unsafeUninitializedCapacity: Self.characterCount) { buffer in
            // 96 bits as 16 groups of 6, the most significant first.
            for group in 0..<Self.characterCount {
                let shift = 90 - group * 6
                let bits =
                    shift >= 32
                    ? index >> UInt64(shift - 32)
                    : index << UInt64(32 - shift) | UInt64(offset) >> UInt64(shift)
                buffer[group] = Base64URL.alphabet[Int(bits & 63)]
            }
            return Self.characterCount
        }
    }

    fileprivate init?(text: some Collection<UInt8>) {
        guard text.count == Self.characterCount else { return nil }
        var high: UInt64 = 0
        var low: UInt64 = 0
        for character in text {
            guard let bits = Base64URL.value(of: character) else { return nil }
            high = high << 6 | low >> 58
            low = low << 6 | UInt64(bits)
        }
        // `high` holds bits 64…95, `low` bits 0…63 of the 96.
        self.init(index: high << 32 | low >> 32, offset: UInt32(truncatingIfNeeded: low))
    }
}

/// Base64 with the url-safe alphabet (RFC 4648, section 5), without padding.
enum Base64URL {
    static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    static func value(of character: UInt8) -> UInt8? {
        switch character {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): character - UInt8(ascii: "A")
        case UInt8(ascii: "a")...UInt8(ascii: "z"): character - UInt8(ascii: "a") + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): character - UInt8(ascii: "0") + 52
        case UInt8(ascii: "-"): 62
        case UInt8(ascii: "_"): 63
        default: nil
        }
    }

    static func encode(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count * 4 + 2) / 3)
        var bits: UInt32 = 0
        var bitCount = 0
        for byte in bytes {
            bits = bits << 8 | UInt32(byte)
            bitCount += 8
            while bitCount >= 6 {
                bitCount -= 6
                text.append(alphabet[Int(bits >> UInt32(bitCount) & 63)])
            }
        }
        if bitCount > 0 { text.append(alphabet[Int(bits << UInt32(6 - bitCount) & 63)]) }
        return String(decoding: text, as: UTF8.self)
    }

    /// `nil` for anything that `encode` does not write: other characters, an impossible length, bits left over.
    static func decode(_ text: some Collection<UInt8>) -> [UInt8]? {
        guard text.count % 4 != 1 else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count * 3 / 4)
        var bits: UInt32 = 0
        var bitCount = 0
        for character in text {
            guard let value = value(of: character) else { return nil }
            bits = bits << 6 | UInt32(value)
            bitCount += 6
            if bitCount >= 8 {
                bitCount -= 8
                bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(bitCount)))
            }
        }
        guard bits & (1 << UInt32(bitCount) - 1) == 0 else { return nil }
        return bytes
    }
}
