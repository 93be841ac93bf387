import Testing

/// Rules for sources that a compiler does not know. Each ratchet has a list of what is excused, with the reason.
@Suite("Sources are tidy")
struct SourceTests {
    /// Files above 800 lines, with why they are one file.
    static let longFiles: [String: String] = [:]

    /// Files that may use what `crashes` names, with how often and why.
    static let excusedCrashes: [String: (count: Int, reason: String)] = [:]

    static let crashes = ["try" + "!", "as" + "!", "fatalError" + "("]

    @Test("There is something to look at")
    func notEmpty() {
        #expect(Repository.sources.count > 50)
        #expect(Repository.modules.count > 10)
        #expect(Repository.markdown.contains("README.md"))
    }

    @Test("No file has more than 800 lines without a reason")
    func lengths() throws {
        for file in Repository.sources where Self.longFiles[file] == nil {
            #expect(try Repository.lines(file).count <= 801, "\(file)")
        }
        for file in Self.longFiles.keys {
            #expect(try Repository.lines(file).count > 801, "\(file) is short now: remove it from the list")
        }
    }

    @Test("Nothing that comes from outside can crash the process by a forced try, cast or a fatal error")
    func crashes() throws {
        for file in Repository.sources {
            let lines = try Repository.lines(file).filter { !$0.isComment }
            let count = lines.reduce(0) { sum, line in sum + Self.crashes.count { line.containsWord($0) } }
            #expect(count == Self.excusedCrashes[file]?.count ?? 0, "\(file)")
        }
    }

    @Test("Whatever the compiler is told to trust has a comment right above that proves it")
    func uncheckedConcurrency() throws {
        let words = ["@unchecked " + "Sendable", "nonisolated(" + "unsafe)"]
        for file in Repository.swift {
            let lines = try Repository.lines(file)
            for (index, line) in lines.enumerated() where !line.isComment && words.contains(where: line.contains) {
                #expect(hasCommentAbove(index, in: lines), "\(file):\(index + 1)")
            }
        }
    }

    /// The nearest line above that is not an attribute or part of a declaration that spans lines is a comment.
    private func hasCommentAbove(_ index: Int, in lines: [Substring]) -> Bool {
        var above = index - 1
        while above >= 0, lines[above].trimmed.hasPrefix("@") { above -= 1 }
        return above >= 0 && lines[above].isComment
    }

    @Test("Nothing unfinished is merged")
    func unfinished() throws {
        let words = ["TO" + "DO", "FIX" + "ME", "XX" + "X:"]
        for file in Repository.swift {
            for (index, line) in try Repository.lines(file).enumerated() {
                #expect(!words.contains(where: line.containsWord), "\(file):\(index + 1)")
            }
        }
    }

    @Test("No tabs, no trailing blanks, one line feed at the end")
    func whitespace() throws {
        let scripts = ["script/server", "script/test", "script/fuzz", "script/sanitize", "script/packages.sh", ".ci/run"]
        for file in Repository.swift + Repository.markdown + scripts {
            let text = try Repository.text(file)
            #expect(text.hasSuffix("\n") && !text.hasSuffix("\n\n"), "\(file)")
            for (index, line) in try Repository.lines(file).enumerated() {
                #expect(!line.contains("\t") && line.last != " ", "\(file):\(index + 1)")
            }
        }
    }
}

extension Substring {
    var trimmed: Substring { drop { $0 == " " } }

    var isComment: Bool { trimmed.hasPrefix("//") }

    /// The word stands there and is not the end of a longer one.
    func containsWord(_ word: String) -> Bool {
        ranges(of: word).contains { range in
            guard range.lowerBound > startIndex else { return true }
            let before = self[index(before: range.lowerBound)]
            return !before.isLetter && !before.isNumber && before != "_"
        }
    }
}
