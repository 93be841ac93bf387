import Raft
import Replication
import Testing

/// The tests are tested: each named case of docs/named-cases.md fails when its bug is put back.
@Suite("Named cases of replicas find their bugs")
struct NamedCaseMutantTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let test: String
        let bug: String
        let run: @Sendable () throws -> Void

        init(_ test: String, _ bug: String, _ run: @escaping @Sendable () throws -> Void) {
            (self.test, self.bug, self.run) = (test, bug, run)
        }

        var testDescription: String { "\(test), \(bug)" }
    }

    static let cases = [
        Case("CrashTests.appliedIndexInTheSameBatch", "replica/delays-applied-index") {
            try CrashTests().appliedIndexInTheSameBatch()
        },
        Case("CrashTests.stalledDisk", "raft/leads-on-stalled-disk") { try CrashTests().stalledDisk() },
        Case("MembershipTests.wipedDisk", "replica/ignores-incarnations") { try MembershipTests().wipedDisk() },
        Case("MembershipTests.caughtUp", "replica/promotes-early") { try MembershipTests().caughtUp() },
        Case("ProposalTests.retriedProposalAppliedOnce", "replica/applies-retries-twice") {
            try ProposalTests().retriedProposalAppliedOnce()
        },
        Case("SessionTests.repeated", "replica/drops-results") { try SessionTests().repeated() },
        Case("SessionTests.neverAgain", "replica/reopens-sessions") { try SessionTests().neverAgain() },
        Case("SnapshotTests.readsDuringInstall", "replica/reads-before-apply") { try SnapshotTests().readsDuringInstall() },
        Case("SnapshotTests.chunkOfAnother", "replica/mixes-chunks") { try SnapshotTests().chunkOfAnother() },
        Case("SnapshotTests.slowerThanTheLog", "replica/cuts-log-while-sending") { try SnapshotTests().slowerThanTheLog() },
        Case("SnapshotTests.atMostTwo", "replica/sends-to-all") { try SnapshotTests().atMostTwo() },
        Case("MembershipTests.removedThoughNeeded", "replica/removes-without-bodies") {
            try MembershipTests().removedThoughNeeded()
        },
        Case("RestoreTests.settled", "replica/settles-early") { try RestoreTests().settled() },
        Case("RestoreTests.refused", "replica/ignores-preparation") { try RestoreTests().refused() },
        Case("RestoreTests.replaced", "replica/forgets-sessions-at-restore") { try RestoreTests().replaced() },
        Case("StalenessTests.appliedCounts", "replica/ignores-applied-in-staleness") { try StalenessTests().appliedCounts() },
    ]

    @Test("A named case finds its bug", arguments: cases)
    func fails(_ named: Case) throws {
        let bug = ReplicationMutations.all.first { "replica/" + $0.name == named.bug }?.mutation
        let raftBug = RaftMutations.all.first { "raft/" + $0.name == named.bug }?.mutation
        #expect(bug != nil || raftBug != nil)
        PutBack.$bug.withValue(bug ?? []) {
            PutBack.$raftBug.withValue(raftBug ?? []) {
                withKnownIssue { try named.run() }
            }
        }
    }
}
