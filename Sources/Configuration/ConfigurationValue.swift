/// A value with the place it came from, so that a check over several keys can still name one.
struct Located<Value: Sendable>: Sendable {
    var value: Value
    var key: String
    var origin: ConfigurationOrigin

    /// Something gave the value; it is not the default.
    var isGiven: Bool { origin != .builtIn }
}

/// A scalar as it was written.
struct RawScalar {
    var text: String
    /// Written without quotes (or in the environment, or as a flag): it may be a number or a truth value.
    var isPlain: Bool

    /// Plain and empty, `~` or `null`: the key stands there without a value.
    var isNull: Bool { isPlain && (text.isEmpty || text == "~" || text.lowercased() == "null") }
}

/// One kind of value: what it is called in documentation, and how its text is read.
struct ValueType<Value: Sendable> {
    /// As `docs/configuration.md` has it.
    var name: String
    var parse: (RawScalar) throws(ValueProblem) -> Value
    /// How the default is written in the documentation.
    var write: (Value) -> String
}

extension ValueType<Int> {
    /// A whole number within a range, its unit in the key's name.
    static func integer(_ range: ClosedRange<Int>) -> Self {
        Self(
            name: "integer \(range.lowerBound)–\(range.upperBound)",
            parse: { (raw) throws(ValueProblem) in try parseInteger(raw, in: range) },
            write: { "\($0)" }
        )
    }

    private static func parseInteger(_ raw: RawScalar, in range: ClosedRange<Int>) throws(ValueProblem) -> Int {
        guard raw.isPlain else { throw ValueProblem("is the text \"\(raw.text)\"; it must be a whole number (without quotes)") }
        let digits = raw.text.filter { $0 != "_" }
        let unsigned = digits.hasPrefix("-") ? digits.dropFirst() : digits[...]
        guard !unsigned.isEmpty, unsigned.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) else {
            throw ValueProblem("is '\(raw.text)'; it must be a whole number")
        }
        guard let value = Int(digits), range.contains(value) else {
            throw ValueProblem("is \(raw.text); it must be between \(range.lowerBound) and \(range.upperBound)")
        }
        return value
    }
}

extension ValueType<String> {
    /// Text that is not empty and has no control characters.
    static func text(_ name: String = "text", check: @escaping (String) throws(ValueProblem) -> Void = { _ in }) -> Self {
        Self(
            name: name,
            parse: { (raw) throws(ValueProblem) in
                guard !raw.text.isEmpty else { throw ValueProblem("is empty") }
                guard raw.text.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7F }) else {
                    throw ValueProblem("contains a control character")
                }
                try check(raw.text)
                return raw.text
            },
            write: { $0 }
        )
    }

    /// A path; a relative one is relative to the directory in which the server is started.
    static var path: Self { text("path") }

    /// Visible ASCII without the characters that delimit credentials in a request. Messages never repeat what was written.
    static func key(_ name: String, lengths: ClosedRange<Int>) -> Self {
        text("\(name), \(lengths.lowerBound)–\(lengths.upperBound) characters") { (text) throws(ValueProblem) in
            guard lengths.contains(text.utf8.count) else {
                throw ValueProblem(
                    "has \(text.utf8.count) characters; it must have \(lengths.lowerBound) to \(lengths.upperBound)")
            }
            let delimiters = name == "access key" ? Set("/,=\"".utf8) : []
            guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && !delimiters.contains($0) }) else {
                throw ValueProblem("must be visible ASCII characters\(delimiters.isEmpty ? "" : " other than / , = \"")")
            }
        }
    }
}

extension ValueType<UInt64> {
    /// The id of a node: a positive number that fits a signed one, as other systems store ids.
    static var nodeID: Self {
        let integer = ValueType<Int>.integer(1...Int.max)
        return Self(
            name: "integer from 1",
            parse: { (raw) throws(ValueProblem) in
                do throws(ValueProblem) {
                    return UInt64(try integer.parse(raw))
                } catch {
                    throw ValueProblem(error.message.replacing("between 1 and \(Int.max)", with: "at least 1"))
                }
            },
            write: { "\($0)" }
        )
    }
}

extension ValueType<NetworkAddress> {
    /// Where a server listens: port 0 asks for a free one, an empty host means every IPv4 address of the machine.
    static var listenAddress: Self {
        Self(
            name: "host:port",
            parse: { (raw) throws(ValueProblem) in try NetworkAddress(parsing: raw.text, emptyHost: "0.0.0.0") },
            write: { $0.description }
        )
    }

    /// Where another node is reached.
    static var peerAddress: Self {
        Self(
            name: "host:port",
            parse: { (raw) throws(ValueProblem) in
                let address = try NetworkAddress(parsing: raw.text, emptyHost: nil)
                guard address.port > 0 else { throw ValueProblem("is '\(raw.text)'; other nodes need a port from 1 to 65535") }
                return address
            },
            write: { $0.description }
        )
    }
}

extension ValueType where Value: RawRepresentable<String> & CaseIterable {
    /// One of a few words.
    static func choice(_ type: Value.Type = Value.self) -> Self {
        let words = Value.allCases.map(\.rawValue)
        let list = words.joined(separator: ", ")
        return Self(
            name: words.joined(separator: " / "),
            parse: { (raw) throws(ValueProblem) in
                if let value = Value(rawValue: raw.text) { return value }
                let hint =
                    NameSuggestion.closest(to: raw.text.lowercased(), among: words).map { " Did you mean '\($0)'?" } ?? ""
                throw ValueProblem("is '\(raw.text)'; it must be one of \(list).\(hint)")
            },
            write: { $0.rawValue }
        )
    }
}
