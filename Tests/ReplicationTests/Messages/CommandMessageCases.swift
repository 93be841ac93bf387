import Metadata
import Raft
import Replication
import Testing

/// Every command and every outcome that nodes tell each other.
enum CommandMessageCases {
    static let address = Array("four:7000".utf8)

    static let commands: [OperatorCommand] = [
        .add(NodeID(4), address: address), .remove(NodeID(3), isForced: true), .remove(NodeID(3), isForced: false),
        .replace(NodeID(3), with: NodeID(4), address: address), .transferLeadership(to: NodeID(2)),
        .changeAddress(NodeID(3), address: []), .verify,
    ]

    static let refusals: [CommandRefusal] = [
        .notLeader(nil), .notLeader(NodeID(2)), .busy, .alreadyVoter(NodeID(2)), .notMember(NodeID(9)),
        .identityTaken(NodeID(4), Incarnation(77)), .notEmpty(NodeID(4)), .outdated(NodeID(4)), .unreachable(NodeID(4)),
        .unsupportedVersion(NodeID(4), ClusterVersion(3)), .didNotCatchUp(NodeID(4), behind: 1000), .bodiesLacking(nil),
        .bodiesLacking(3), .change(.losesQuorum(active: 1, needed: 2)), .transfer(.notVoter(NodeID(9))),
        .transfer(.inactive(NodeID(3))), .notTakenOver, .tooManyMembers, .invalidAddress, .other(""), .other("a reason"),
    ]

    static let comparison = DigestComparison(
        index: LogIndex(7),
        rows: [
            DigestComparison.Row(node: NodeID(1), digest: StateDigest(low: 5, high: .max)),
            DigestComparison.Row(node: NodeID(2), digest: nil),
        ])

    static let outcomes: [CommandOutcome] =
        [.done, .unknown(.leadershipLost), .unknown(.timedOut), .verified(comparison)] + refusals.map { .refused($0) }

    static let messages: [PeerMessage] =
        commands.map { .command(CommandRequest(term: Term(3), start: 4, number: 5, command: $0)) }
        + outcomes.map { .commandAnswer(CommandAnswer(start: 4, number: 5, outcome: $0)) }
        + [
            .digestRequest(DigestRequest(index: LogIndex(7))), .digestAnswer(DigestAnswer(index: LogIndex(7), digest: nil)),
            .digestAnswer(DigestAnswer(index: LogIndex(7), digest: StateDigest(low: 1, high: 2))),
        ]

    /// What concerns one node alone, and what another one is told in its place.
    static let translations: [(CommandOutcome, CommandOutcome)] = [
        (.unknown(.stopped(.shutdown)), .unknown(.leadershipLost)), (.refused(.stopped(.removed)), .refused(.notLeader(nil))),
        (.refused(.change(.underWay(LogIndex(3)))), .refused(.busy)),
        (.refused(.change(.proposal(.transferring(to: NodeID(1))))), .refused(.busy)),
        (.refused(.change(.proposal(.notLeader(NodeID(1))))), .refused(.notLeader(nil))),
        (.refused(.change(.proposal(.removed))), .refused(.notLeader(nil))),
        (.refused(.transfer(.notLeader(NodeID(1)))), .refused(.notLeader(NodeID(1)))),
        (.refused(.change(.impossible(.removedAllVoters))), .refused(.other("removed all voters"))),
        (.refused(.snapshotFailed("a reason")), .refused(.other("a reason"))),
    ]
}

@Suite("Outcomes of commands for other nodes")
struct CommandOutcomeTests {
    @Test("What concerns one node alone is told in other words", arguments: CommandMessageCases.translations)
    func translations(own: CommandOutcome, told: CommandOutcome) {
        #expect(own.forPeers == told)
    }

    @Test("What can be told stays as it is", arguments: CommandMessageCases.outcomes)
    func unchanged(outcome: CommandOutcome) {
        #expect(outcome.forPeers == outcome)
    }

    @Test("Words have a bound, wherever a character ends")
    func longWords() {
        for length in 500..<520 {
            let text = String(repeating: "x", count: length) + String(repeating: "é", count: 300)
            guard case .refused(.other(let told)) = CommandOutcome.refused(.other(text)).forPeers else {
                Issue.record("told otherwise")
                return
            }
            #expect(told.utf8.count <= CommandAnswer.textByteCountMax && told.utf8.count > CommandAnswer.textByteCountMax - 2)
            #expect(text.hasPrefix(told))
        }
    }
}
