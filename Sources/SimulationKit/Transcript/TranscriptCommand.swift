/// One word of a command line: `word`, `key=value`, or `key=(a,b)`.
package struct TranscriptArgument: Sendable, Hashable {
    package let key: String
    /// Nil for a word by itself.
    package let values: [String]?
}

/// The first line of a stanza, taken apart, and the lines below it.
package struct TranscriptCommand: Sendable, Hashable {
    package let name: String
    package let arguments: [TranscriptArgument]
    package let input: [String]
    package let location: TranscriptLocation

    package func mistake(_ message: String) -> TranscriptError {
        TranscriptError("\(name): \(message)", at: location)
    }

    /// The words by themselves, in order.
    package var words: [String] { arguments.filter { $0.values == nil }.map(\.key) }

    /// - Throws: If an argument is not among the keys, or there are too few or too many words.
    package func expect(
        words allowed: ClosedRange<Int>, of what: String, keys: [String] = []
    ) throws(TranscriptError) {
        guard allowed.contains(words.count) else {
            let range = allowed.lowerBound == allowed.upperBound ? "\(allowed.lowerBound)" : "\(allowed.lowerBound) or more"
            throw mistake("has \(words.count) arguments where \(range) are expected: \(what)")
        }
        for argument in arguments where argument.values != nil && !keys.contains(argument.key) {
            throw mistake("unknown argument \(argument.key)")
        }
    }

    /// The values of a key, of all its occurrences in order; empty without one.
    package func values(_ key: String) -> [String] {
        arguments.filter { $0.key == key }.flatMap { $0.values ?? [] }
    }

    package func has(_ key: String) -> Bool {
        arguments.contains { $0.key == key && $0.values != nil }
    }

    /// - Throws: If the key has several values, or none.
    package func value(_ key: String) throws(TranscriptError) -> String? {
        guard has(key) else { return nil }
        let found = values(key)
        guard found.count == 1, !found[0].isEmpty else { throw mistake("\(key) takes one value") }
        return found[0]
    }

    package func number(_ key: String) throws(TranscriptError) -> UInt64? {
        guard let text = try value(key) else { return nil }
        return try number(text, of: key)
    }

    /// A count that fits the machine's word.
    package func count(_ key: String) throws(TranscriptError) -> Int? {
        guard let number = try number(key) else { return nil }
        guard let count = Int(exactly: number) else { throw mistake("\(key)=\(number) is too large") }
        return count
    }

    package func flag(_ key: String) throws(TranscriptError) -> Bool? {
        switch try value(key) {
        case nil: return nil
        case "true"?, "t"?, "1"?: return true
        case "false"?, "f"?, "0"?: return false
        case let text?: throw mistake("\(key)=\(text) is neither true nor false")
        }
    }

    package func number(_ text: String, of what: String) throws(TranscriptError) -> UInt64 {
        guard let number = UInt64(text) else { throw mistake("\(what): \(text) is not a number") }
        return number
    }

    /// - Precondition: there are that many words.
    package func number(word position: Int, of what: String) throws(TranscriptError) -> UInt64 {
        try number(words[position], of: what)
    }
}
