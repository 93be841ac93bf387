import Raft
import Testing

/// Entries that the core has to have read from the log.
@Suite("Fetching older entries")
struct FetchTests {
    /// The leader of 1 and 2, whose own log lacks nothing, and which has nothing in memory: 2 needs what only the disk has.
    private func leader() throws -> RaftCore {
        var stored = Lab.stored(Configuration(voters: [NodeID(1), NodeID(2)]))
        stored.lastIndex = LogIndex(5)
        stored.termRuns = [TermRun(firstIndex: LogIndex(2), term: Term(1))]
        var settings = RaftSettings()
        settings.usesPreVote = false
        settings.checksQuorum = false
        var core = try RaftCore(id: NodeID(1), settings: settings, stored: stored, snapshot: nil, start: 1, seed: 1)
        core.campaign()
        _ = answer(&core)
        try core.step(Message(from: NodeID(2), to: NodeID(1), term: core.term, .voteResponse(VoteResponse(isGranted: true))))
        _ = answer(&core)
        #expect(core.role == .leader)
        return core
    }

    private static let entries = (2...5).map { Entry(index: LogIndex($0), term: Term(1), payload: []) }

    /// Completes writes and answers each fetch, with what the log holds or with nothing. - Returns: how many fetches there were.
    private func answer(_ core: inout RaftCore, entries: [Entry] = []) -> (fetches: Int, sent: [Entry], applied: [Entry]) {
        var result: (fetches: Int, sent: [Entry], applied: [Entry]) = (0, [], [])
        while let ready = core.takeReady(), result.fetches < 50 {
            if let append = ready.append { core.written(upTo: append.token) }
            for message in ready.messages {
                if case .append(let request) = message.body { result.sent += request.entries }
            }
            result.applied += ready.apply
            for fetch in ready.fetches {
                result.fetches += 1
                core.fetched(fetch, entries.filter { $0.index >= fetch.first && $0.index <= fetch.last })
            }
        }
        return result
    }

    @Test("A log that has nothing to give for a peer is asked again at the next tick, and not at once")
    func fruitlessForPeer() throws {
        var core = try leader()
        try core.step(
            Message(
                from: NodeID(2), to: NodeID(1), term: core.term,
                .appendResponse(
                    AppendResponse(index: LogIndex(5), rejection: .init(hintIndex: Lab.start, hintTerm: Term(1))))))
        #expect(answer(&core).fetches == 1)
        #expect(answer(&core).fetches == 0)
        core.tick()
        let second = answer(&core, entries: Self.entries)
        #expect(second.fetches == 1 && second.sent == Self.entries)
    }

    @Test("A log that has nothing to give for the applier is asked again at the next tick, and not at once")
    func fruitlessForApplier() throws {
        var core = try leader()
        try core.step(
            Message(from: NodeID(2), to: NodeID(1), term: core.term, .appendResponse(AppendResponse(index: LogIndex(6)))))
        #expect(core.commit == LogIndex(6))
        #expect(answer(&core).fetches == 1)
        #expect(answer(&core).fetches == 0)
        core.tick()
        let second = answer(&core, entries: Self.entries)
        #expect(second.fetches == 1 && second.applied.map(\.index) == (2...6).map { LogIndex($0) })
    }
}
