/// Where a store's files are.
///
///     <root>/START                  how often the store was opened
///     <root>/tmp/<32 digits>        a body being written
///     <root>/ab/cd/<32 digits>      a body
struct StoreLayout: Sendable {
    let root: String

    var start: String { root + "/START" }
    var temporaryDirectory: String { root + "/tmp" }

    /// What else lies in the root; the last one for an instant, or after a crash.
    static let rootNames: Set<String> = ["START", "tmp", "START.new"]

    func temporary(_ id: BodyID) -> String { "\(temporaryDirectory)/\(id)" }
    func body(_ id: BodyID) -> String { "\(root)/\(Self.directory(of: id))/\(id)" }

    /// `ab/cd`: 65,536 directories. 256 bodies in a row share one, so that a directory is created, and its parent made durable,
    /// once in 256 bodies; each start of the store begins at another one, and goes on to the next.
    static func directory(of id: BodyID) -> DirectoryNumber {
        let start = (id.origin &* 0x9e37_79b9_7f4a_7c15) >> 48
        return DirectoryNumber(rawValue: UInt16(truncatingIfNeeded: start &+ id.sequence >> 8))
    }

    struct DirectoryNumber: Hashable, Sendable, CustomStringConvertible {
        let rawValue: UInt16

        var parent: String { Self.digits(UInt8(rawValue >> 8)) }
        var description: String { parent + "/" + Self.digits(UInt8(truncatingIfNeeded: rawValue)) }

        private static func digits(_ byte: UInt8) -> String {
            (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }
    }

    static func isDirectoryName(_ name: String) -> Bool {
        name.utf8.count == 2 && name.utf8.allSatisfy { BodyID.value(ofDigit: $0) != nil }
    }
}

extension BodyID {
    /// The id that `description` printed; nil for any other string.
    package init?(_ description: String) {
        let digits = Array(description.utf8)
        guard digits.count == 32 else { return nil }
        var words: (UInt64, UInt64) = (0, 0)
        for (position, digit) in digits.enumerated() {
            guard let value = Self.value(ofDigit: digit) else { return nil }
            if position < 16 { words.0 = words.0 << 4 | value } else { words.1 = words.1 << 4 | value }
        }
        self.init(origin: words.0, sequence: words.1)
    }

    fileprivate static func value(ofDigit digit: UInt8) -> UInt64? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt64(digit - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt64(digit - UInt8(ascii: "a") + 10)
        default: nil
        }
    }
}
