import Foundation
import SimulationKit
import Testing

/// Files of stanzas beside the tests, by folder.
enum TranscriptFiles {
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()

    static func list(_ folder: String) -> [String] {
        let names = try? FileManager.default.contentsOfDirectory(atPath: root.appending(path: folder).path)
        return (names ?? []).filter { $0.hasSuffix(".txt") }.sorted().map { "\(folder)/\($0)" }
    }

    static func read(_ file: String) throws -> Transcript {
        try Transcript(parsing: String(contentsOf: root.appending(path: file), encoding: .utf8), file: file)
    }
}

@Suite("Tables of quorums and of configuration changes")
struct TableTests {
    @Test("There are tables")
    func notEmpty() {
        #expect(TranscriptFiles.list("Tables/Quorum").count >= 2)
        #expect(TranscriptFiles.list("Tables/ConfigurationChange").count >= 4)
    }

    @Test("A table of quorums shows what it should", arguments: TranscriptFiles.list("Tables/Quorum"))
    func quorum(file: String) throws {
        let table = try TranscriptFiles.read(file)
        var environment = QuorumTable()
        let differences = try table.run(in: &environment).differences(from: table)
        #expect(differences.isEmpty, "\(differences)")
    }

    @Test(
        "A table of configuration changes shows what it should", arguments: TranscriptFiles.list("Tables/ConfigurationChange"))
    func configurationChange(file: String) throws {
        let table = try TranscriptFiles.read(file)
        var environment = ConfigurationChangeTable()
        let differences = try table.run(in: &environment).differences(from: table)
        #expect(differences.isEmpty, "\(differences)")
    }

    @Test(
        "A mistake in a table is told with its line",
        arguments: [
            ("elect\n----\n", "unknown command"), ("committed cfg=(1,2) idx=(1)\n----\n", "1 values for 2 voters"),
            ("committed cfg=(1,1) idx=(1,1)\n----\n", "twice"), ("committed cfg=(1) idx=(x)\n----\n", "not a number"),
            ("vote cfg=(1) votes=(maybe)\n----\n", "y, n or _"), ("vote cfg=(1) idx=(1)\n----\n", "unknown argument"),
        ]
    )
    func quorumMistakes(text: String, message: String) throws {
        let table = try Transcript(parsing: text, file: "t")
        var environment = QuorumTable()
        let error = #expect(throws: TranscriptError.self) { try table.run(in: &environment) }
        #expect(error?.description.hasPrefix("t:1: ") == true)
        #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
    }

    @Test(
        "A mistake in a change is told with its line",
        arguments: [
            ("join\nv1\n----\n", "unknown command"), ("simple\nx1\n----\n", "v, l, r or u"),
            ("simple\nv\n----\n", "not a number"),
            ("simple\nv0\n----\n", "nobody"), ("simple autoleave=true\nv1\n----\n", "unknown argument"),
            ("enter-joint autoleave=2\nv1\n----\n", "neither true nor false"),
        ]
    )
    func changeMistakes(text: String, message: String) throws {
        let table = try Transcript(parsing: text, file: "t")
        var environment = ConfigurationChangeTable()
        let error = #expect(throws: TranscriptError.self) { try table.run(in: &environment) }
        #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
    }
}
