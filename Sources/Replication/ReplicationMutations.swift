/// Bugs that others had, each of which can be put back, so that tests show that they would find it. Nothing but tests sets one.
package struct ReplicationMutations: OptionSet, Hashable, Sendable {
    package let rawValue: UInt32

    package init(rawValue: UInt32) { self.rawValue = rawValue }

    /// A repeated operation is applied again.
    package static let appliesRetriesTwice = ReplicationMutations(rawValue: 1 << 0)
    /// A read is served as soon as its index is confirmed, before it is applied here.
    package static let readsBeforeApply = ReplicationMutations(rawValue: 1 << 1)
    /// Staleness is judged by the newest confirmed index, applied or not.
    package static let ignoresAppliedInStaleness = ReplicationMutations(rawValue: 1 << 2)
    /// The results of a session are forgotten at once, so that a repetition finds nothing.
    package static let dropsResults = ReplicationMutations(rawValue: 1 << 3)
    /// The applied index reaches the store one batch after the data.
    package static let delaysAppliedIndex = ReplicationMutations(rawValue: 1 << 4)
    /// The mark names the newest operation instead of the oldest without an outcome.
    package static let marksTooFar = ReplicationMutations(rawValue: 1 << 5)
    /// An operation that timed out is called refused although a leader may have it.
    package static let refusesInDoubt = ReplicationMutations(rawValue: 1 << 6)
    /// A repetition gets a serial of its own.
    package static let retriesWithNewSerials = ReplicationMutations(rawValue: 1 << 7)
    /// A write is answered when the leader has appended it.
    package static let answersBeforeCommit = ReplicationMutations(rawValue: 1 << 8)
    /// Chunks are taken whatever snapshot they are of.
    package static let mixesChunks = ReplicationMutations(rawValue: 1 << 9)
    /// A learner is promoted as soon as it is one.
    package static let promotesEarly = ReplicationMutations(rawValue: 1 << 10)
    /// Messages of a wiped disk under a member's id are taken.
    package static let ignoresIncarnations = ReplicationMutations(rawValue: 1 << 11)
    /// A node founds a cluster as soon as it has heard of every other one, whatever those have heard.
    package static let foundsWithoutAgreement = ReplicationMutations(rawValue: 1 << 12)
    /// `write_quorum: all` is answered like a majority.
    package static let answersBeforeAll = ReplicationMutations(rawValue: 1 << 13)
    /// An ended session may be opened again.
    package static let reopensSessions = ReplicationMutations(rawValue: 1 << 14)
    /// The log is cut behind a newer snapshot while an older one is on its way.
    package static let cutsLogWhileSending = ReplicationMutations(rawValue: 1 << 15)
    /// Every follower that needs a snapshot is sent one at once.
    package static let sendsToAll = ReplicationMutations(rawValue: 1 << 16)
    /// A body counts as held by whoever has been sent all of it.
    package static let countsUndurableBodies = ReplicationMutations(rawValue: 1 << 17)
    /// A manifest is taken whoever holds its body.
    package static let ignoresHolders = ReplicationMutations(rawValue: 1 << 18)
    /// A learner becomes a voter whatever it lacks of the bodies.
    package static let promotesWithoutBodies = ReplicationMutations(rawValue: 1 << 19)
    /// A voter is removed whatever the others lack of the bodies.
    package static let removesWithoutBodies = ReplicationMutations(rawValue: 1 << 20)
    /// A replica whose state was replaced believes that it has all the bodies that the new one names.
    package static let believesItselfWhole = ReplicationMutations(rawValue: 1 << 21)
    /// A transition of the members ends although the new voters lack bodies.
    package static let leavesJointWithoutBodies = ReplicationMutations(rawValue: 1 << 22)
    /// A restore is settled as soon as the leader has applied it.
    package static let settlesEarly = ReplicationMutations(rawValue: 1 << 23)
    /// The state that a restore makes has no results of sessions.
    package static let forgetsSessionsAtRestore = ReplicationMutations(rawValue: 1 << 24)
    /// A restore takes effect although its preparation has ended.
    package static let ignoresPreparation = ReplicationMutations(rawValue: 1 << 25)

    package static let all: [(name: String, mutation: ReplicationMutations)] = [
        ("applies-retries-twice", .appliesRetriesTwice), ("reads-before-apply", .readsBeforeApply),
        ("ignores-applied-in-staleness", .ignoresAppliedInStaleness), ("drops-results", .dropsResults),
        ("delays-applied-index", .delaysAppliedIndex), ("marks-too-far", .marksTooFar),
        ("refuses-in-doubt", .refusesInDoubt), ("retries-with-new-serials", .retriesWithNewSerials),
        ("answers-before-commit", .answersBeforeCommit), ("mixes-chunks", .mixesChunks),
        ("promotes-early", .promotesEarly), ("ignores-incarnations", .ignoresIncarnations),
        ("founds-without-agreement", .foundsWithoutAgreement), ("answers-before-all", .answersBeforeAll),
        ("reopens-sessions", .reopensSessions), ("cuts-log-while-sending", .cutsLogWhileSending),
        ("sends-to-all", .sendsToAll), ("counts-undurable-bodies", .countsUndurableBodies),
        ("ignores-holders", .ignoresHolders), ("promotes-without-bodies", .promotesWithoutBodies),
        ("removes-without-bodies", .removesWithoutBodies), ("believes-itself-whole", .believesItselfWhole),
        ("leaves-joint-without-bodies", .leavesJointWithoutBodies), ("settles-early", .settlesEarly),
        ("forgets-sessions-at-restore", .forgetsSessionsAtRestore), ("ignores-preparation", .ignoresPreparation),
    ]
}
