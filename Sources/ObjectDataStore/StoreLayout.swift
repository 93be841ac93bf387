/// Where a store's files are.
///
///     <root>/START                  how often the store was opened
///     <root>/tmp/<32>.<32 digits>   a body being written, and by whom
///     <root>/ab/cd/<32 digits>      a body
struct StoreLayout: Sendable {
    let root: String

    var start: String { root + "/START" }
    var temporaryDirectory: String { root + "/tmp" }

    /// What else lies in the root; the last one for an instant, or after a crash.
    static let rootNames: Set<String> = ["START", "tmp", "START.new"]

    func temporary(_ name: TemporaryName) -> String { "\(temporaryDirectory)/\(name)" }
    func body(_ id: BodyID) -> String { "\(directory(.init(of: id)))/\(id)" }
    func directory(_ directory: ObjectDataStore.Directory) -> String { "\(root)/\(directory)" }

    /// The byte that a directory's name of two digits stands for; nil for any other name.
    static func directoryByte(_ name: String) -> UInt8? {
        let digits = name.utf8.compactMap { BodyID.value(ofDigit: $0) }
        return digits.count == 2 && name.utf8.count == 2 ? UInt8(digits[0] << 4 | digits[1]) : nil
    }

    static func isDirectoryName(_ name: String) -> Bool { directoryByte(name) != nil }
}

/// The name of a body's file while it is written. It says which start's writer it is, because several may write one body, and because
/// a body that came from another node says nothing of this store's starts.
struct TemporaryName: Sendable, CustomStringConvertible {
    let body: BodyID
    /// The origin of the start that writes, and the writer's number in it.
    let writer: BodyID

    init(body: BodyID, writer: BodyID) {
        self.body = body
        self.writer = writer
    }

    /// The name that `description` printed; nil for any other string. Earlier programs wrote only their own bodies,
    /// under the id alone.
    init?(_ description: String) {
        let parts = description.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard let first = parts.first.flatMap(BodyID.init), let last = parts.last.flatMap(BodyID.init) else { return nil }
        (body, writer) = (first, last)
    }

    var description: String { "\(body).\(writer)" }
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
