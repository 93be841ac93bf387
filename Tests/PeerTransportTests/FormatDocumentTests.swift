import Foundation
import PeerTransport
import Testing

/// docs/formats/peer-frames.md promises numbers; these are the code's.
@Suite("The format document is the code's")
struct FormatDocumentTests {
    struct Table: Sendable, CustomStringConvertible {
        let section: String
        let header: [String]
        let rows: [(String, Int)]

        var description: String { "\(section): \(header.joined(separator: " | "))" }
    }

    static let tables: [Table] = [
        Table(
            section: "Opening", header: ["constant", "value"], rows: [("bytes of an opening", PeerOpening.byteCount)]),
        Table(
            section: "Handshake", header: ["constant", "value"],
            rows: [
                ("bytes before what the length counts", PeerHandshake.prefixByteCount),
                ("bytes that the length counts", PeerHandshake.restByteCount),
                ("bytes that the length counts, at most", PeerHandshake.restByteCountMax),
                ("flag: cluster is there", Int(PeerHandshake.hasClusterFlag)),
                ("flag: receiver incarnation is there", Int(PeerHandshake.hasIncarnationFlag)),
            ]),
        Table(section: "Handshake", header: ["lane", "code"], rows: PeerLane.allCases.map { ("\($0)", Int($0.rawValue)) }),
        Table(
            section: "Handshake", header: ["reason", "code"],
            rows: PeerRefusal.allCases.map { ("\($0)", Int($0.rawValue)) }),
        Table(
            section: "Frame", header: ["constant", "value"],
            rows: [("header bytes", PeerFrame.headerByteCount)]
                + PeerLane.allCases.map {
                    ("bytes of a body on the \($0) lane at most", PeerTransportSettings().frameByteCountMax[$0])
                }),
    ]

    /// Rows of numbers of the table below the section whose header begins with these cells.
    private static func rows(_ table: Table) throws -> [[String]] {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let text = try String(contentsOf: root.appending(path: "docs/formats/peer-frames.md"), encoding: .utf8)
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        let section = try #require(lines.firstIndex { $0 == "## \(table.section)" })
        let rows = lines[section...].map { line in
            line.hasPrefix("|") ? line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) } : []
        }
        let start = try #require(rows.firstIndex { $0.starts(with: table.header) }, "there is no table \(table.header)")
        return rows[(start + 2)...].prefix { !$0.isEmpty }.filter { Int($0[1]) != nil }
    }

    @Test("The tables are the constants of the code", arguments: tables)
    func constants(table: Table) throws {
        let written = try Self.rows(table)
        #expect(written.map { $0[0] } == table.rows.map(\.0))
        #expect(written.map { Int($0[1]) } == table.rows.map { $0.1 })
    }
}
