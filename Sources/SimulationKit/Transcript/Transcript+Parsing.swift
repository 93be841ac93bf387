extension Transcript {
    /// - Parameter file: its name, for messages.
    package init(parsing text: String, file: String) throws(TranscriptError) {
        var reader = Reader(text, file: file)
        self.init(file: file, stanzas: [], epilogue: [])
        while true {
            let prose = reader.prose()
            guard reader.line != nil else {
                epilogue = prose
                return
            }
            stanzas.append(try reader.stanza(after: prose))
        }
    }

    private struct Reader {
        let file: String
        let lines: [String]
        var next = 0

        init(_ text: String, file: String) {
            self.file = file
            // A carriage return and a line feed are one character in Swift.
            var lines = text.split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" }.map(String.init)
            if lines.last?.isEmpty == true { lines.removeLast() }
            self.lines = lines
        }

        var line: String? { next < lines.count ? lines[next] : nil }

        var location: TranscriptLocation { TranscriptLocation(file: file, line: next + 1) }

        mutating func prose() -> [String] {
            let start = next
            while let line, line.isBlank || line.hasPrefix("#") { next += 1 }
            return Array(lines[start..<next])
        }

        mutating func stanza(after prose: [String]) throws(TranscriptError) -> Stanza {
            let location = location
            guard line != "----" else { throw TranscriptError("---- without a command above it", at: location) }
            let commandLines = commandLines()
            let input = try input(of: location)
            let expected = try expected(of: location)
            let joined = commandLines.map { $0.hasSuffix("\\") ? String($0.dropLast()) : $0 }.joined(separator: " ")
            let command = try TranscriptCommand(parsing: joined, input: input, at: location)
            return Stanza(prose: prose, commandLines: commandLines, command: command, expected: expected)
        }

        private mutating func commandLines() -> [String] {
            let start = next
            next += 1
            while lines[next - 1].hasSuffix("\\"), next < lines.count { next += 1 }
            return Array(lines[start..<next])
        }

        private mutating func input(of command: TranscriptLocation) throws(TranscriptError) -> [String] {
            let start = next
            while let line, line != "----" {
                guard !line.isBlank else { break }
                next += 1
            }
            guard line == "----" else {
                throw TranscriptError("the command has no ---- before the next blank line", at: command)
            }
            next += 1
            return Array(lines[start..<(next - 1)])
        }

        private mutating func expected(of command: TranscriptLocation) throws(TranscriptError) -> [String] {
            guard line == "----" else {
                let start = next
                while let line, !line.isBlank { next += 1 }
                let end = next
                if line != nil { next += 1 }
                return Array(lines[start..<end])
            }
            next += 1
            let start = next
            while next + 1 < lines.count, lines[next] != "----" || lines[next + 1] != "----" { next += 1 }
            guard next + 1 < lines.count else {
                throw TranscriptError("the output begins with two lines ---- but does not end with two", at: command)
            }
            let end = next
            next += 2
            if let line, line.isBlank { next += 1 }
            return Array(lines[start..<end])
        }
    }
}

extension TranscriptCommand {
    /// Takes a command line apart.
    fileprivate init(parsing line: String, input: [String], at location: TranscriptLocation) throws(TranscriptError) {
        var rest = Substring(line)
        var words: [TranscriptArgument] = []
        while true {
            rest = rest.drop { $0 == " " || $0 == "\t" }
            guard !rest.isEmpty else { break }
            words.append(try Self.argument(&rest, at: location))
        }
        guard let name = words.first, name.values == nil else {
            throw TranscriptError("a command begins with its name", at: location)
        }
        self.init(name: name.key, arguments: Array(words.dropFirst()), input: input, location: location)
    }

    private static func argument(
        _ rest: inout Substring, at location: TranscriptLocation
    ) throws(TranscriptError) -> TranscriptArgument {
        let key = rest.prefix { $0 != " " && $0 != "\t" && $0 != "=" }
        guard !key.isEmpty else { throw TranscriptError("= without a key before it", at: location) }
        rest = rest.dropFirst(key.count)
        guard rest.first == "=" else { return TranscriptArgument(key: String(key), values: nil) }
        rest = rest.dropFirst()
        guard rest.first == "(" else {
            let value = rest.prefix { $0 != " " && $0 != "\t" }
            rest = rest.dropFirst(value.count)
            return TranscriptArgument(key: String(key), values: value.isEmpty ? [] : [String(value)])
        }
        let list = rest.dropFirst().prefix { $0 != ")" }
        rest = rest.dropFirst(list.count + 1)
        guard rest.first == ")" else { throw TranscriptError("\(key)=( has no closing parenthesis", at: location) }
        rest = rest.dropFirst()
        guard rest.first == nil || rest.first == " " || rest.first == "\t" else {
            throw TranscriptError("\(key)=(…) is followed by \(rest.prefix(1))", at: location)
        }
        let values = list.split { $0 == "," || $0 == " " || $0 == "\t" }.map(String.init)
        return TranscriptArgument(key: String(key), values: values)
    }
}

extension String {
    fileprivate var isBlank: Bool { allSatisfy { $0 == " " || $0 == "\t" } }
}
