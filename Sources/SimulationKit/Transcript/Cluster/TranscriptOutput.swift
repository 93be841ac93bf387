/// What a command shows: lines, indented where they belong to one above, and none below the level.
struct TranscriptOutput {
    enum Level: String, CaseIterable, Comparable {
        case debug, info, warn, error, fatal, none

        static func < (first: Level, second: Level) -> Bool { first.order < second.order }

        private var order: Int { Self.allCases.firstIndex(of: self) ?? 0 }
    }

    /// Remarks below it are left out; at `none` there is no output at all, except for errors.
    var level = Level.debug
    private var indentation = 0
    private var lines: [String] = []

    mutating func line(_ text: String) {
        guard level != .none, !text.isEmpty else { return }
        let indent = String(repeating: " ", count: indentation)
        lines += text.split(separator: "\n").map { indent + $0 }
    }

    /// What goes on inside a node.
    mutating func remark(_ text: String, level: Level) {
        if level >= self.level { line("\(level.rawValue.uppercased()) \(text)") }
    }

    /// Why a command could not be carried out: never left out.
    mutating func failure(_ text: String) {
        lines.append(String(repeating: " ", count: indentation) + text)
    }

    /// Lines below a headline.
    mutating func beginSection(_ headline: String) {
        line(headline)
        indentation += 2
    }

    mutating func endSection() {
        indentation -= 2
    }

    /// Everything since the last time; `ok` if that is nothing.
    mutating func take() -> String {
        defer { lines = [] }
        return lines.isEmpty ? "ok" : lines.joined(separator: "\n")
    }
}
