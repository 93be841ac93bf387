import Foundation
import Testing

@Suite("Documents are tidy")
struct DocumentTests {
    /// Targets of `[text](target)` outside code blocks, with their lines.
    private func links(_ file: String) throws -> [(target: String, line: Int)] {
        var inCode = false
        var found: [(String, Int)] = []
        for (index, line) in try Repository.lines(file).enumerated() {
            if line.hasPrefix("```") { inCode.toggle() }
            guard !inCode else { continue }
            var rest = line
            while let start = rest.range(of: "](") {
                rest = rest[start.upperBound...]
                found.append((String(rest.prefix { $0 != ")" }), index + 1))
            }
        }
        return found
    }

    @Test("Every relative link leads to a file, every fragment to a heading")
    func links() throws {
        for file in Repository.markdown {
            for (target, line) in try links(file) where !target.contains("://") && !target.hasPrefix("mailto:") {
                let parts = target.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
                let folder = (file as NSString).deletingLastPathComponent
                let path = parts[0].isEmpty ? file : ("/\(folder)/\(parts[0])" as NSString).standardizingPath
                let exists = FileManager.default.fileExists(atPath: Repository.root.appendingPathComponent(path).path)
                #expect(exists, "\(file):\(line): \(target)")
                guard exists, parts.count == 2, path.hasSuffix(".md") else { continue }
                let headings = try Repository.lines(path).filter { $0.hasPrefix("#") }.map(slug)
                #expect(headings.contains(String(parts[1])), "\(file):\(line): \(target)")
            }
        }
    }

    /// The fragment that a heading gets.
    private func slug(_ heading: Substring) -> String {
        let text = heading.drop { $0 == "#" }.drop { $0 == " " }.lowercased()
        return String(text.compactMap { $0 == " " ? "-" : $0.isLetter || $0.isNumber || $0 == "-" || $0 == "_" ? $0 : nil })
    }

    @Test("No document names a path of the machine it was written on")
    func machinePaths() throws {
        for file in Repository.markdown {
            for (index, line) in try Repository.lines(file).enumerated() {
                for path in ["/wo" + "rk/", "/ro" + "ot/", "/ho" + "me/"] {
                    #expect(!line.contains(path), "\(file):\(index + 1)")
                }
            }
        }
    }

    @Test("The glossary's terms are sorted, each once")
    func glossary() throws {
        let terms = try Repository.lines("GLOSSARY.md").filter { $0.hasPrefix("**") }.map { line in
            String(line.dropFirst(2).prefix { $0 != "*" }).lowercased()
        }
        #expect(terms.count > 20)
        #expect(terms == terms.sorted())
        #expect(Set(terms).count == terms.count)
    }
}
