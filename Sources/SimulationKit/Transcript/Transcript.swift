/// A file of commands and what they are expected to show:
///
///     # A comment.
///     propose 1 foo
///     ----
///     ok
///
/// A stanza is a command line, optional lines of input, `----`, and the output up to a blank line. Output that has blank lines
/// itself stands between two pairs of `----`. A command line that ends with a backslash goes on in the next one.
package struct Transcript: Sendable, Hashable {
    package struct Stanza: Sendable, Hashable {
        /// Comments and blank lines in front.
        package var prose: [String]
        package var commandLines: [String]
        package var command: TranscriptCommand
        package var expected: [String]
    }

    package var file: String
    package var stanzas: [Stanza]
    /// Comments and blank lines after the last stanza.
    package var epilogue: [String]
}

/// What gives the commands their meaning.
package protocol TranscriptEnvironment {
    /// Carries out one command.
    ///
    /// - Returns: What it shows, lines separated by line feeds.
    /// - Throws: If the command itself is a mistake.
    mutating func run(_ command: TranscriptCommand) throws(TranscriptError) -> String
}

extension Transcript {
    /// Runs all stanzas in one environment.
    ///
    /// - Returns: This transcript with what was shown in place of what was expected.
    package func run(in environment: inout some TranscriptEnvironment) throws(TranscriptError) -> Transcript {
        var seen = self
        for (position, stanza) in stanzas.enumerated() {
            let output = try environment.run(stanza.command)
            var lines = output.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
            while lines.last?.isEmpty == true { lines.removeLast() }
            seen.stanzas[position].expected = lines
        }
        return seen
    }

    /// What each stanza shows.
    package var outputs: [String] { stanzas.map { $0.expected.joined(separator: "\n") } }

    /// The whole file again, with comments.
    package var text: String {
        var lines: [String] = []
        for stanza in stanzas { lines += stanza.prose + stanza.lines + [""] }
        lines += epilogue
        while lines.last?.isEmpty == true { lines.removeLast() }
        return lines.map { $0 + "\n" }.joined()
    }

    /// Where another run of the same transcript shows something else, in the form of a diff; empty if nowhere.
    package func differences(from expected: Transcript) -> String {
        var text = ""
        for (old, new) in zip(expected.stanzas, stanzas) where old.expected != new.expected {
            text += "\(old.command.location): \(old.commandLines.joined(separator: " "))\n"
            text += Self.difference(old.expected, new.expected)
        }
        return text
    }

    /// The lines of both, each with its sign.
    private static func difference(_ old: [String], _ new: [String]) -> String {
        let difference = new.difference(from: old)
        var removed: [Int: String] = [:]
        var inserted: [Int: String] = [:]
        for change in difference {
            switch change {
            case .remove(let offset, let line, _): removed[offset] = line
            case .insert(let offset, let line, _): inserted[offset] = line
            }
        }
        var text = ""
        var place = (old: 0, new: 0)
        while place.old < old.count || place.new < new.count {
            if let line = removed[place.old] {
                text += "- \(line)\n"
                place.old += 1
                removed[place.old - 1] = nil
            } else if let line = inserted[place.new] {
                text += "+ \(line)\n"
                place.new += 1
            } else {
                text += "  \(new[place.new])\n"
                place.old += 1
                place.new += 1
            }
        }
        return text
    }
}

extension Transcript.Stanza {
    /// Command, input, and output.
    package var lines: [String] {
        let quoted = expected.contains("") || expected.first == "----"
        let marks = quoted ? ["----", "----"] : ["----"]
        return commandLines + command.input + marks + expected + (quoted ? marks : [])
    }
}
