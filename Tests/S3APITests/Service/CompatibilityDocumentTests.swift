import Foundation
import S3API
import Testing

@Suite("docs/s3-compatibility.md and the router name the same operations")
struct CompatibilityDocumentTests {
    /// The first cells of the table under a heading, in order.
    private func table(under heading: String) throws -> [String] {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let text = try String(contentsOf: root.appendingPathComponent("docs/s3-compatibility.md"), encoding: .utf8)
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        let start = try #require(lines.firstIndex(of: "## " + heading))
        let section = lines[(start + 1)...].prefix { !$0.hasPrefix("## ") }
        return section.filter { $0.hasPrefix("| ") }.compactMap { line in
            line.split(separator: "|").first?.trimmingCharacters(in: .whitespaces)
        }.filter { $0 != "operation" && $0 != "---" }
    }

    @Test("Every operation that there is, and no other")
    func implemented() throws {
        #expect(try table(under: "Operations that there are") == S3Operation.implemented.map(\.name))
    }

    @Test("Every operation that is missing, and no other")
    func missing() throws {
        let routed = S3Route.all.compactMap { route in
            if case .notImplemented(let name) = route.operation { name } else { nil }
        }
        let expected = Set(routed).union(S3Route.notImplementedOtherwise).sorted()
        #expect(try table(under: "Operations that are missing") == expected)
    }

    @Test("No operation is both")
    func disjoint() throws {
        let missing = Set(try table(under: "Operations that are missing"))
        #expect(missing.isDisjoint(with: S3Operation.implemented.map(\.name)))
    }
}
