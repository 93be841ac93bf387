import Foundation
import KeyValueStore
import Metadata
import Raft
import Replication
import Testing

/// docs/formats/command.md, peer-messages.md and replicated-state.md promise numbers; these are the code's.
@Suite("The format documents are the code's")
struct FormatDocumentTests {
    /// The rows of the table whose header begins with these cells.
    private static func rows(_ document: String, header: [String]) throws -> [[String]] {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let text = try String(contentsOf: root.appending(path: "docs/formats/\(document)"), encoding: .utf8)
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map { cells(String($0)) }
        let start = try #require(lines.firstIndex { $0.starts(with: header) }, "\(document) has no table \(header)")
        return Array(lines[(start + 2)...].prefix { !$0.isEmpty })
    }

    private static func cells(_ line: String) -> [String] {
        guard line.hasPrefix("|") else { return [] }
        return line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
    }

    struct Table: Sendable, CustomStringConvertible {
        let document: String
        let header: [String]
        let rows: [(String, Int)]

        var description: String { "\(document): \(header.joined(separator: " | "))" }
    }

    static let tables: [Table] = [
        Table(
            document: "command.md", header: ["constant", "value"],
            rows: [
                ("layout version", Int(Command.layoutVersion)), ("session header bytes", Command.sessionHeaderByteCount),
                ("operation header bytes", Command.operationHeaderByteCount),
                ("session window", Int(SessionLimits.windowCount)),
            ]),
        Table(
            document: "command.md", header: ["kind", "code"],
            rows: [
                ("openSession", Int(Command.openSessionCode)), ("operation", Int(Command.operationCode)),
                ("expireSession", Int(Command.expireSessionCode)), ("raiseVersion", Int(Command.raiseVersionCode)),
                ("restore", Int(Command.restoreCode)), ("settleRestores", Int(Command.settleRestoresCode)),
            ]),
        Table(
            document: "command.md", header: ["step of a restore", "code"],
            rows: [
                ("begin", Int(RestoreStep.beginCode)), ("cancel", Int(RestoreStep.cancelCode)),
                ("replace", Int(RestoreStep.replaceCode)),
            ]),
        Table(
            document: "peer-messages.md", header: ["constant", "value"],
            rows: [
                ("layout version", Int(PeerEnvelope.layoutVersion)), ("header bytes", PeerEnvelope.headerByteCount),
                ("flag: cluster is there", Int(PeerEnvelope.hasClusterFlag)),
                ("flag: to incarnation is there", Int(PeerEnvelope.hasReceiverFlag)),
                ("entries in an append at most", PeerMessage.Limits.entryCountMax),
                ("commands in a forward at most", Forward.commandCountMax),
                ("bytes of an entry or command at most", PeerMessage.Limits.payloadByteCountMax),
                ("bytes of a chunk at most", SnapshotChunk.byteCountMax),
                ("nodes in a list at most", MembershipLimits.listCountMax),
                ("members in a list at most", MembershipLimits.listCountMax),
                ("bytes of an address at most", Member.addressByteCountMax),
                ("bytes of words at most", CommandAnswer.textByteCountMax),
            ]),
        Table(
            document: "peer-messages.md", header: ["command", "code"],
            rows: CommandCode.allCases.map { ("\($0)", Int($0.rawValue)) }),
        Table(
            document: "peer-messages.md", header: ["outcome of a command", "code"],
            rows: CommandOutcomeCode.allCases.map { ("\($0)", Int($0.rawValue)) }),
        Table(
            document: "peer-messages.md", header: ["refusal of a command", "code"],
            rows: CommandRefusalCode.allCases.map { ("\($0)", Int($0.rawValue)) }),
        Table(
            document: "peer-messages.md", header: ["doubt", "code"],
            rows: CommandDoubtCode.allCases.map { ("\($0)", Int($0.rawValue)) }),
        Table(
            document: "identity.md", header: ["membership", "code"],
            rows: NodeIdentityFile.Contents.Membership.allCases.map { ("\($0)", Int($0.rawValue)) }),
        Table(
            document: "peer-messages.md", header: ["kind", "code"],
            rows: PeerMessage.Kind.allCases.map { ("\($0)", Int($0.rawValue)) }),
        Table(
            document: "peer-messages.md", header: ["write level", "code"],
            rows: WriteLevel.allCases.map { ("\($0)", Int($0.rawValue)) }),
        Table(
            document: "peer-messages.md", header: ["refusal of a forward", "code"],
            rows: ForwardAnswer.Refusal.allCases.map { ("\($0)", Int($0.rawValue)) }),
        Table(
            document: "peer-messages.md", header: ["answer to a snapshot", "code"],
            rows: SnapshotAnswer.Result.allCases.map { ("\($0)", Int($0.rawValue)) }),
        Table(
            document: "peer-messages.md", header: ["refusal of a peer", "code"],
            rows: MessageRefusal.allCases.map { ("\($0)", Int($0.rawValue)) }),
        Table(
            document: "replicated-state.md", header: ["record", "version"],
            rows: ReplicationRecordVersions.all.map { ($0.name, Int($0.version)) }),
        Table(
            document: "replicated-state.md", header: ["error code", "value"],
            rows: OutcomeCode.errors.map { ("\($0.code)", Int($0.number)) }),
    ]

    @Test("The tables are the constants of the code", arguments: tables)
    func constants(table: Table) throws {
        let written = try Self.rows(table.document, header: table.header)
        #expect(written.map { $0[0] } == table.rows.map(\.0))
        #expect(written.map { Int($0[1]) } == table.rows.map { $0.1 })
    }

    @Test("The lanes are those of the document")
    func lanes() throws {
        let written = try Self.rows("peer-messages.md", header: ["kind", "code", "lane"])
        for message in PeerMessageTests.messages {
            let code = Int(PeerMessageTests.envelope(message).encoded()[PeerEnvelope.headerByteCount])
            let row = try #require(written.first { Int($0[1]) == code })
            #expect(row[2].contains("\(message.lane)"), "\(row[0])")
        }
    }

    /// The layout itself: bytes written down by hand from the document.
    @Test("A message has its fields where the document says")
    func messageBytes() {
        let message = PeerMessage.raft(
            Term(3),
            .append(
                AppendRequest(
                    previousIndex: LogIndex(7), previousTerm: Term(2), commit: LogIndex(6),
                    entries: [Entry(index: LogIndex(8), term: Term(3), type: .configurationChange, payload: [9])])))
        let expected: [UInt8] = [
            1, 3, 5, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 11, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0,
            12, 0, 0, 0, 0, 0, 0, 0,
            1, 3, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0,
            1, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 9,
        ]
        #expect(PeerMessageTests.envelope(message).encoded() == expected)
    }

    @Test("The records of the replicated state have their keys and fields where the document says")
    func stateBytes() throws {
        var bench = try ApplyBench()
        try bench.apply(.openSession(ApplyBench.session(1, start: 4, generation: 2)))
        let reader = bench.store.makeSnapshot()
        func value(_ key: [UInt8]) throws -> [UInt8]? {
            try reader.withValue(key, in: KeySchema.system, tier: .all) { $0.copy(0..<$0.byteCount) }
        }
        let session = Array("replication/session/".utf8) + [0, 0, 0, 0, 0, 0, 0, 1]
        #expect(
            try value(session) == [
                1, 1, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0,
            ])
        let result = Array("replication/result/".utf8) + [0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0]
        #expect(
            try value(result) == [
                2, 1, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            ])
        let position = Array("replication/position".utf8)
        #expect(try value(position) == [1, 5, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0])
    }
}
