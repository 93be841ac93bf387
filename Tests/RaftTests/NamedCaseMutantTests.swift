import Raft
import Testing

/// The tests are tested: each named case of docs/named-cases.md fails when its bug is put back.
@Suite("Named cases of the core find their bugs")
struct NamedCaseMutantTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let test: String
        let bug: String
        let run: @Sendable (NamedCaseTests) throws -> Void

        init(_ test: String, _ bug: String, _ run: @escaping @Sendable (NamedCaseTests) throws -> Void) {
            (self.test, self.bug, self.run) = (test, bug, run)
        }

        var testDescription: String { "\(test), \(bug)" }
    }

    static let cases = [
        Case("NamedCaseTests.voteBeforeDurable", "responds-before-durable") { try $0.voteBeforeDurable() },
        Case("NamedCaseTests.leaderWithoutOwnVote", "leads-before-own-vote") { try $0.leaderWithoutOwnVote() },
        Case("NamedCaseTests.readsAcrossRestart", "reuses-read-positions") { try $0.readsAcrossRestart() },
        Case("NamedCaseTests.heartbeatOfAnotherHistory", "commits-unverified") { try $0.heartbeatOfAnotherHistory() },
        Case("NamedCaseTests.campaignReadsNothing", "ignores-unapplied-changes") { try $0.campaignReadsNothing() },
        Case("NamedCaseTests.retiredEntries", "sends-retired") { try $0.retiredEntries() },
        Case("NamedCaseTests.replacedConfiguration", "ignores-unapplied-changes") { try $0.replacedConfiguration() },
    ]

    @Test(arguments: cases) func fails(_ named: Case) throws {
        let bug = try #require(RaftMutations.all.first { $0.name == named.bug }).mutation
        PutBack.$bug.withValue(bug) {
            withKnownIssue { try named.run(NamedCaseTests()) }
        }
    }
}
