import Configuration
import Foundation
import Testing

/// Files of the repository, found from this source file.
enum RepositoryFiles {
    static func path(_ relative: String, from file: String = #filePath) -> String {
        URL(fileURLWithPath: file).deletingLastPathComponent().appendingPathComponent("../../\(relative)").standardized.path
    }
}

@Suite("docs/configuration.md is the configuration's reference")
struct DocumentationTests {
    /// The rows `| `key` | … |` of all tables, by key.
    private func documentedRows() throws -> [String: [String]] {
        let text = try String(contentsOfFile: RepositoryFiles.path("docs/configuration.md"), encoding: .utf8)
        var rows: [String: [String]] = [:]
        for line in text.split(separator: "\n") where line.hasPrefix("| `") {
            let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
            let key = cells[0].replacing("`", with: "")
            #expect(rows[key] == nil, "\(key) is documented twice")
            rows[key] = cells
        }
        return rows
    }

    @Test("Every key that the parser knows is documented, and no other")
    func keys() throws {
        let documented = Set(try documentedRows().keys)
        let known = Set(ServerConfiguration.knownKeys.map(\.path))
        #expect(known.subtracting(documented).sorted() == [])
        #expect(documented.subtracting(known).sorted() == [])
    }

    @Test("Type, default, variable and flag of each key are as in the code")
    func cells() throws {
        let rows = try documentedRows()
        for key in ServerConfiguration.knownKeys {
            let overrides = [key.environmentVariable, key.flag].compactMap { $0.map { "`\($0)`" } }.joined(separator: ", ")
            let expected = [
                "`\(key.path)`", key.type, key.defaultValue.map { "`\($0)`" } ?? "none", overrides.isEmpty ? "–" : overrides,
            ]
            #expect(rows[key.path].map { Array($0.prefix(4)) } == expected)
        }
    }
}
