import Foundation
import SimulationKit
import Testing

/// A row of docs/named-cases.md.
struct NamedCase: Sendable, CustomTestStringConvertible {
    /// Of the nearest row above that has one.
    let title: String
    /// A transcript's name, or `Suite.function`.
    let test: String
    /// Relative to the repository's root.
    let file: String
    let mutant: String

    var testDescription: String { "\(title): \(test), \(mutant)" }
    var isTranscript: Bool { file.hasSuffix(".txt") }

    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "../..")
        .standardizedFileURL

    static func text(_ path: String) -> String? {
        try? String(contentsOf: root.appending(path: path), encoding: .utf8)
    }

    static let all: [NamedCase] = {
        var cases: [NamedCase] = []
        for line in (text("docs/named-cases.md") ?? "").split(separator: "\n") where line.contains("](../Tests/") {
            let cells = line.split(separator: "|", omittingEmptySubsequences: false).map {
                $0.trimmingCharacters(in: .whitespaces)
            }
            guard cells.count == 5, let link = cells[2].firstRange(of: "](../") else { continue }
            cases.append(
                NamedCase(
                    title: cells[1].isEmpty ? cases.last?.title ?? "" : cells[1],
                    test: cells[2][..<link.lowerBound].filter { !"[`".contains($0) },
                    file: String(cells[2][link.upperBound...].dropLast()), mutant: cells[3].filter { $0 != "`" }))
        }
        return cases
    }()
}

@Suite("The table of named cases is true")
struct NamedCaseTableTests {
    @Test("It has the cases that it had, and more")
    func notEmpty() {
        #expect(Set(NamedCase.all.map(\.title)).count >= 47)
    }

    @Test("The bug exists", arguments: NamedCase.all)
    func bugExists(named: NamedCase) {
        #expect(Mutant.named(named.mutant) != nil)
    }

    /// The module's own tests run each of their cases with its bug.
    @Test("The test exists, and is run with its bug", arguments: NamedCase.all.filter { !$0.isTranscript })
    func testExists(named: NamedCase) throws {
        let parts = named.test.split(separator: ".")
        try #require(parts.count == 2)
        let text = try #require(NamedCase.text(named.file))
        #expect(text.contains("struct \(parts[0])") && text.contains("func \(parts[1])("))
        let folder = named.file.split(separator: "/")[1]
        let bug = named.mutant.split(separator: "/").last ?? ""
        let proofs = ["NamedCaseMutantTests", "DiskCaseMutantTests"].compactMap {
            NamedCase.text("Tests/\(folder)/\($0).swift")
        }
        let isProven = proofs.contains { proof in
            ["\(bug)", named.mutant].contains { proof.contains("Case(\"\(named.test)\", \"\($0)\")") }
        }
        // Whoever drives a replica is simulated: SimulationTests has those bugs.
        #expect(isProven || named.mutant.hasPrefix("driver/"))
    }

    @Test("A scripted cluster fails with its bug", arguments: NamedCase.all.filter(\.isTranscript))
    func transcriptFails(named: NamedCase) throws {
        let mutant = try #require(Mutant.named(named.mutant))
        try #require(!mutant.raft.isEmpty)
        let transcript = try TranscriptFiles.read("Transcripts/\(named.test).txt")
        var cluster = ClusterTranscript(mutations: mutant.raft)
        let differences = try transcript.run(in: &cluster).differences(from: transcript)
        #expect(!differences.isEmpty)
    }

    @Test("What random runs are not asked to find is found here")
    func escapes() {
        let named = Set(NamedCase.all.map(\.mutant))
        for mutant in Mutant.all where mutant.escape != nil { #expect(named.contains(mutant.name), "\(mutant.name)") }
    }

    @Test("Every transcript of a case is in the table, or shows what no bug breaks")
    func everyTranscript() {
        let others = [
            "apply-goes-on-after-a-restart", "election-lost-connection", "flow-uncommitted-proposals-are-bounded",
            "membership-removed-leader-steps-down", "read-late-confirmation", "read-on-a-follower",
            "snapshot-slower-than-the-log-is-kept",
        ]
        let named = Set(NamedCase.all.filter(\.isTranscript).map(\.test))
        let all = TranscriptFiles.list("Transcripts").map { String($0.dropFirst("Transcripts/".count).dropLast(".txt".count)) }
        #expect(Set(all) == named.union(others))
    }
}
