import Raft
import Testing

/// What a peer says is checked before anything changes: the answer to nonsense is a typed error, never a trap and never half a step.
@Suite("Malformed messages")
struct MalformedMessageTests {
    /// A follower of node 2 in term 3 with the entries 1 (term 1), 2 and 3 (term 3), of which two are committed.
    private func follower() throws -> RaftCore {
        var stored = StoredLog()
        stored.baseConfiguration = Configuration(voters: [NodeID(1), NodeID(2), NodeID(3)])
        stored.newestEntries = [entry(1, 1), entry(2, 3), entry(3, 3)]
        stored.termRuns = [
            TermRun(firstIndex: LogIndex(1), term: Term(1)), TermRun(firstIndex: LogIndex(2), term: Term(3)),
        ]
        stored.lastIndex = LogIndex(3)
        (stored.term, stored.commit, stored.applied) = (Term(3), LogIndex(2), LogIndex(2))
        var core = try RaftCore(
            id: NodeID(1), settings: RaftSettings(), stored: stored, snapshot: nil, start: 1, seed: 1)
        try core.step(message(3, .heartbeat(Heartbeat(commit: LogIndex(2)))))
        while core.takeReady() != nil {}
        return core
    }

    private static let far = UInt64.max

    static let malformed: [Message] = [
        Message(from: NodeID(2), to: NodeID(3), term: Term(3), .timeoutNow),
        Message(from: NodeID(1), to: NodeID(1), term: Term(3), .timeoutNow),
        Message(from: NodeID(0), to: NodeID(1), term: Term(3), .timeoutNow),
        // Indexes and terms that cannot be counted on from.
        message(far, .heartbeat(Heartbeat(commit: .zero))),
        message(far, .vote(VoteRequest(lastIndex: LogIndex(3), lastTerm: Term(3)))),
        message(far, .voteResponse(VoteResponse(isGranted: false))),
        append(3, after: far, 3, []),
        append(3, after: far, 3, [entry(far, 3)]),
        append(3, after: UInt64(Int64.max), 3, [entry(UInt64(Int64.max) + 1, 3)]),
        append(3, after: UInt64(Int64.max) - 1, 3, [entry(UInt64(Int64.max), 3)]),
        snapshot(3, far, 3),
        snapshot(3, UInt64(Int64.max), 3),
        // Entries that are no part of a log.
        append(3, after: 3, 3, [entry(5, 3)]),
        append(3, after: 3, 3, [entry(4, 3), entry(6, 3)]),
        append(3, after: 3, 3, [entry(4, 2)]),
        append(3, after: 3, 3, [entry(4, 4)]),
        append(3, after: 3, 4, []),
        append(3, after: 0, 1, []),
        append(4, after: 0, 0, [entry(1, 0)]),
        // Nobody leads term 0.
        append(0, after: 0, 0, []),
        // What it contradicts is committed.
        append(3, after: 0, 0, [entry(1, 2)]),
        append(4, after: 1, 1, [entry(2, 4)]),
        // It commits what the receiver does not hold.
        message(3, .heartbeat(Heartbeat(commit: LogIndex(4)))),
        message(4, .heartbeat(Heartbeat(commit: LogIndex(4)))),
        // Snapshots of no entry, of a later term, and of no configuration.
        snapshot(3, 0, 0),
        snapshot(3, 9, 0),
        snapshot(3, 9, 4),
        message(
            3,
            .snapshot(
                SnapshotMark(
                    index: LogIndex(9), term: Term(3),
                    configuration: Configuration(voters: [NodeID(1)], learners: [NodeID(1)])))),
        // Two leaders in one term.
        message(3, .heartbeat(Heartbeat(commit: .zero)), from: 3),
    ]

    @Test("A malformed message is refused, and nothing has changed", arguments: malformed)
    func refused(_ message: Message) throws {
        var core = try follower()
        let before = String(reflecting: core)
        #expect(throws: MessageError.self) { try core.step(message) }
        #expect(String(reflecting: core) == before)
        #expect(core.takeReady() == nil)
    }

    @Test("A message of an earlier term is no error, however it looks: its sender has been replaced")
    func earlierTerm() throws {
        var core = try follower()
        try core.step(message(2, .heartbeat(Heartbeat(commit: LogIndex(4))), from: 3))
        #expect(core.term == Term(3) && core.leader == NodeID(2))
    }

    @Test("A leader refuses the acknowledgement of what it never had")
    func acknowledgementBeyondLog() throws {
        var stored = StoredLog()
        stored.baseConfiguration = Configuration(voters: [NodeID(1)], learners: [NodeID(2)])
        var core = try RaftCore(
            id: NodeID(1), settings: RaftSettings(), stored: stored, snapshot: nil, start: 1, seed: 1)
        core.campaign()
        while let ready = core.takeReady() {
            if let append = ready.append { core.written(upTo: append.token) }
        }
        #expect(core.role == .leader)
        #expect(throws: MessageError.beyondLog(index: LogIndex(2), last: LogIndex(1))) {
            try core.step(message(1, .appendResponse(AppendResponse(index: LogIndex(2)))))
        }
    }
}

private func entry(_ index: UInt64, _ term: UInt64) -> Entry {
    Entry(index: LogIndex(index), term: Term(term), payload: [])
}

private func message(_ term: UInt64, _ body: Message.Body, from: UInt64 = 2) -> Message {
    Message(from: NodeID(from), to: NodeID(1), term: Term(term), body)
}

private func append(_ term: UInt64, after index: UInt64, _ previousTerm: UInt64, _ entries: [Entry]) -> Message {
    message(
        term,
        .append(
            AppendRequest(
                previousIndex: LogIndex(index), previousTerm: Term(previousTerm), commit: .zero, entries: entries)))
}

private func snapshot(_ term: UInt64, _ index: UInt64, _ markTerm: UInt64) -> Message {
    message(
        term,
        .snapshot(
            SnapshotMark(
                index: LogIndex(index), term: Term(markTerm), configuration: Configuration(voters: [NodeID(1)]))))
}
