/// Bugs that others had, each of which can be put back into the core, so that tests show that they would find it. Nothing but tests
/// sets one.
package struct RaftMutations: OptionSet, Hashable, Sendable {
    package let rawValue: UInt32

    package init(rawValue: UInt32) { self.rawValue = rawValue }

    /// Votes and acknowledgements leave before what they promise is durable.
    package static let respondsBeforeDurable = RaftMutations(rawValue: 1 << 0)
    /// The leader counts its own entries before they are durable.
    package static let countsOwnBeforeDurable = RaftMutations(rawValue: 1 << 1)
    /// Entries of earlier terms are committed by counting (Raft paper, figure 8).
    package static let commitsEarlierTerms = RaftMutations(rawValue: 1 << 2)
    /// An append cuts the log behind its entries although they agree, so that a late one takes committed entries away.
    package static let truncatesOnAgreement = RaftMutations(rawValue: 1 << 3)
    /// A completed write counts for entries that have replaced what was written.
    package static let ignoresReplacedWrites = RaftMutations(rawValue: 1 << 4)
    /// Reads are answered before the first commit of the term.
    package static let readsBeforeFirstCommit = RaftMutations(rawValue: 1 << 5)
    /// Reads are answered without asking a quorum.
    package static let readsWithoutQuorum = RaftMutations(rawValue: 1 << 6)
    /// A vote is granted whatever the candidate's log.
    package static let votesForShortLogs = RaftMutations(rawValue: 1 << 7)
    /// A node votes twice in a term.
    package static let votesTwice = RaftMutations(rawValue: 1 << 8)
    /// Committed entries are applied before the local log holds them durably.
    package static let appliesBeforeDurable = RaftMutations(rawValue: 1 << 9)
    /// Several changes of members at once.
    package static let overlapsChanges = RaftMutations(rawValue: 1 << 10)
    /// A joint configuration asks only its incoming half.
    package static let ignoresOutgoingHalf = RaftMutations(rawValue: 1 << 11)
    /// Learners count.
    package static let countsLearners = RaftMutations(rawValue: 1 << 12)
    /// A snapshot leaves a tail that contradicts it.
    package static let keepsTailBehindSnapshot = RaftMutations(rawValue: 1 << 13)
    /// An older snapshot takes the state back.
    package static let installsStaleSnapshots = RaftMutations(rawValue: 1 << 14)
    /// The commit index of a heartbeat is believed beyond what is known to agree.
    package static let commitsUnverified = RaftMutations(rawValue: 1 << 15)
    /// A node campaigns, and counts, by the configuration that it has applied, whatever changes its log holds.
    package static let ignoresUnappliedChanges = RaftMutations(rawValue: 1 << 16)
    /// Entries behind a change are committed by the configuration before it.
    package static let commitsBeyondChanges = RaftMutations(rawValue: 1 << 17)
    /// Reads are told apart by numbers that begin anew with each start.
    package static let reusesReadPositions = RaftMutations(rawValue: 1 << 18)
    /// A candidate leads on the votes of others although its own is not durable.
    package static let leadsBeforeOwnVote = RaftMutations(rawValue: 1 << 19)

    /// A node grants its vote although it hears from a leader.
    package static let helpsDisturbers = RaftMutations(rawValue: 1 << 20)
    /// A learner by its own log does not vote.
    package static let refusesAsLearner = RaftMutations(rawValue: 1 << 21)
    /// Campaigns are not rehearsed.
    package static let campaignsUnrehearsed = RaftMutations(rawValue: 1 << 22)
    /// Acknowledgements of an earlier term count.
    package static let countsEarlierTerms = RaftMutations(rawValue: 1 << 23)
    /// A follower that does not answer is sent more and more.
    package static let ignoresWindow = RaftMutations(rawValue: 1 << 24)
    /// A leader whose disk stands still leads on.
    package static let leadsOnStalledDisk = RaftMutations(rawValue: 1 << 25)
    /// A change is made although too few of the new voters are heard from.
    package static let addsDeadVoters = RaftMutations(rawValue: 1 << 26)
    /// Nobody tells a node that it was removed.
    package static let forgetsRemovedNodes = RaftMutations(rawValue: 1 << 27)
    /// A change that was cut from the log comes into force all the same.
    package static let keepsTruncatedChanges = RaftMutations(rawValue: 1 << 28)
    /// The report of a write stands for the oldest one, whichever it is of.
    package static let countsReports = RaftMutations(rawValue: 1 << 29)
    /// What follows the last entry that the log has forgotten is not sent from the log.
    package static let ignoresBase = RaftMutations(rawValue: 1 << 30)
    /// Entries are sent that nobody can apply any more who has not.
    package static let sendsRetired = RaftMutations(rawValue: 1 << 31)

    package static let all: [(name: String, mutation: RaftMutations)] = [
        ("responds-before-durable", .respondsBeforeDurable), ("counts-own-before-durable", .countsOwnBeforeDurable),
        ("commits-earlier-terms", .commitsEarlierTerms), ("truncates-on-agreement", .truncatesOnAgreement),
        ("ignores-replaced-writes", .ignoresReplacedWrites), ("reads-before-first-commit", .readsBeforeFirstCommit),
        ("reads-without-quorum", .readsWithoutQuorum), ("votes-for-short-logs", .votesForShortLogs),
        ("votes-twice", .votesTwice), ("applies-before-durable", .appliesBeforeDurable),
        ("overlaps-changes", .overlapsChanges), ("ignores-outgoing-half", .ignoresOutgoingHalf),
        ("counts-learners", .countsLearners), ("keeps-tail-behind-snapshot", .keepsTailBehindSnapshot),
        ("installs-stale-snapshots", .installsStaleSnapshots), ("commits-unverified", .commitsUnverified),
        ("ignores-unapplied-changes", .ignoresUnappliedChanges), ("commits-beyond-changes", .commitsBeyondChanges),
        ("reuses-read-positions", .reusesReadPositions),
        ("leads-before-own-vote", .leadsBeforeOwnVote), ("helps-disturbers", .helpsDisturbers),
        ("refuses-as-learner", .refusesAsLearner), ("campaigns-unrehearsed", .campaignsUnrehearsed),
        ("counts-earlier-terms", .countsEarlierTerms), ("ignores-window", .ignoresWindow),
        ("leads-on-stalled-disk", .leadsOnStalledDisk), ("adds-dead-voters", .addsDeadVoters),
        ("forgets-removed-nodes", .forgetsRemovedNodes), ("keeps-truncated-changes", .keepsTruncatedChanges),
        ("counts-reports", .countsReports), ("ignores-base", .ignoresBase),
        ("sends-retired", .sendsRetired),
    ]
}
