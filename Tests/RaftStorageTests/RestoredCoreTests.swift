import FileSystem
import Raft
import RaftStorage
import Testing

/// What recovery hands to the Raft core.
@Suite("The core that a log restores")
struct RestoredCoreTests {
    /// Entries of 1,000 bytes up to 100; node 3 joins at 10; a snapshot stands for all up to 80, and entries behind 20 are kept.
    private func log(_ fixture: LogFixture) throws -> SegmentedLog {
        let log = try fixture.open().log
        let addition = ConfigurationChange([MembershipStep(.addVoter, NodeID(3))])
        for index in 1...100 as ClosedRange<UInt64> {
            let next =
                index == 10
                ? entry(index, addition.encoded(), type: .configurationChange)
                : entry(index, [UInt8](repeating: UInt8(index), count: 1000))
            try log.commit(LogBatch(hardState: state(1, commit: index), entries: [next]))
            try log.maintain()
        }
        log.retentionFloor = LogIndex(20)
        try log.commit(LogBatch(snapshot: .compaction(mark(80)), hardState: state(1, commit: 100)))
        try log.maintain()
        return log
    }

    private func core(_ recovered: RecoveredLog) throws -> RaftCore {
        var settings = RaftSettings()
        settings.usesPreVote = false
        return try RaftCore(
            id: NodeID(1), settings: settings, stored: recovered.stored(applied: LogIndex(80)), snapshot: recovered.snapshot,
            start: 1, seed: 1)
    }

    @Test("It has the entries before the snapshot that the log still holds, and the snapshot's configuration")
    func base() throws {
        let fixture = LogFixture()
        let base = try log(fixture).contents.baseIndex
        #expect(base > .zero && base <= LogIndex(20))
        let (reopened, recovered) = try fixture.open()
        let core = try core(recovered)
        #expect(core.baseIndex == base && core.lastIndex == LogIndex(100) && core.applied == LogIndex(80))
        #expect(core.configuration == mark(80).configuration)
        #expect(core.term(at: base.next) == Term(1))
        let first = try reopened.entries(from: base.next, through: base.next, byteCountMax: .max)
        #expect(first.map(\.index) == [base.next])
    }

    @Test("A follower a little behind is given entries after a restart of the leader, and no snapshot")
    func followerBehind() throws {
        let fixture = LogFixture()
        _ = try log(fixture)
        let (reopened, recovered) = try fixture.open()
        var core = try core(recovered)
        core.campaign()
        let behind = LogIndex(40)
        var sent: [Entry] = []
        for round in 0..<20 {
            while let ready = core.takeReady() {
                if let append = ready.append { core.written(upTo: append.token) }
                for fetch in ready.fetches {
                    core.fetched(
                        fetch,
                        try reopened.entries(from: fetch.first, through: fetch.last, byteCountMax: fetch.byteCountMax))
                }
                for message in ready.messages where message.to == NodeID(2) {
                    if case .snapshot = message.body { Issue.record("a snapshot for a follower at \(behind)") }
                    if case .append(let request) = message.body { sent += request.entries }
                }
            }
            let answer: Message.Body? =
                switch round {
                case 0: .voteResponse(VoteResponse(isGranted: true))
                case 1:
                    .appendResponse(
                        AppendResponse(index: LogIndex(100), rejection: .init(hintIndex: behind, hintTerm: Term(1))))
                default: nil
                }
            if let answer { try core.step(Message(from: NodeID(2), to: NodeID(1), term: core.term, answer)) }
        }
        #expect(sent.contains { $0.index == behind.next && $0.payload.first == 41 })
    }

    @Test("Entries that were there when the log was opened stay until its owner lets them go")
    func retention() throws {
        let fixture = LogFixture()
        let base = try log(fixture).contents.baseIndex
        let reopened = try fixture.open().log
        try reopened.maintain()
        #expect(reopened.contents.baseIndex == base)
        reopened.retentionFloor = LogIndex(60)
        try reopened.maintain()
        #expect(reopened.contents.baseIndex > base)
    }
}
