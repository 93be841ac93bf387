import Raft
import Replication
import Testing

@Suite("The bytes of a command")
struct CommandTests {
    static let session = SessionID(node: NodeID(3), start: 7, generation: 2)

    static let commands: [Command] = [
        .openSession(session), .expireSession(session), .raiseVersion(ClusterVersion(9)),
        .operation(SessionOperation(session: session, serial: Serial(12), mark: Serial(10), operation: [1, 2, 3])),
        .operation(SessionOperation(session: session, serial: Serial(1), mark: Serial(0), operation: [])),
        .operation(
            SessionOperation(session: session, serial: Serial(12), mark: Serial(10), kind: .restore, operation: [4, 5])),
        .settleRestores(LogIndex(80)),
    ]

    @Test("What is encoded decodes to the same", arguments: commands)
    func roundTrip(command: Command) throws {
        let bytes = command.encoded()
        #expect(try Command(decoding: bytes) == command)
    }

    @Test("Each cut is refused, except within an operation, whose own decoder knows", arguments: commands)
    func cut(command: Command) {
        let bytes = command.encoded()
        let whole = if case .operation = command { Command.operationHeaderByteCount } else { bytes.count }
        for count in 0..<whole {
            #expect(throws: DecodingFault.self) { try Command(decoding: Array(bytes.prefix(count))) }
        }
    }

    @Test("Unknown versions and kinds, a mark beyond its operation and node 0 are refused with what they are")
    func refused() {
        let bytes = Self.commands[3].encoded()
        func changed(_ place: Int, _ value: UInt8) -> [UInt8] {
            var copy = bytes
            copy[place] = value
            return copy
        }
        #expect(throws: DecodingFault.unknownVersion(2)) { try Command(decoding: changed(0, 2)) }
        #expect(throws: DecodingFault.unknownCode(field: "kind", code: 9)) { try Command(decoding: changed(1, 9)) }
        #expect(throws: DecodingFault.invalid(field: "session")) { try Command(decoding: changed(2, 0)) }
        #expect(throws: DecodingFault.invalid(field: "mark")) { try Command(decoding: changed(30, 13)) }
    }

    @Test("The fields are where docs/formats/command.md says")
    func bytes() {
        let expected: [UInt8] = [
            1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0,
            12, 0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3,
        ]
        #expect(Self.commands[3].encoded() == expected)
        #expect(Self.commands[2].encoded() == [1, 4, 9, 0, 0, 0])
        #expect(Self.commands[5].encoded() == [1, 5] + expected[2..<38] + [4, 5])
        #expect(Self.commands[6].encoded() == [1, 6, 80, 0, 0, 0, 0, 0, 0, 0])
    }
}
