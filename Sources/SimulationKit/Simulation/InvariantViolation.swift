/// What must always hold. The numbers are those of docs/simulation.md.
package enum Invariant: Int, Hashable, Sendable, CaseIterable {
    case oneLeaderPerTerm = 1
    case oneVotePerTerm = 2
    case hardStateMonotonic = 3
    case leaderAppendOnly = 4
    case logMatching = 5
    case leaderCompleteness = 6
    case committedByDurableQuorum = 7
    case committedNeverChanges = 8
    case equalStates = 9
    case orderedPositions = 10
    case appliedInOrderOnce = 11
    case promisesAfterSync = 12
    case durableImageConsistent = 13
    case configurationsOverlap = 14
    case snapshotsNeverGoBack = 15
    case acknowledgedWritesStay = 16
    case linearizable = 17
    case oneEffectPerOperation = 18
    case refusedNeverAppears = 19
    case readsFreshEnough = 20
    case damageIsNotTruncation = 21
    case limitsHold = 22
    case convergesWhenHealed = 23
    case leaderStaysInOffice = 24
    case stallsHarmNobody = 25
    /// A part of the product stopped itself: a precondition that is checked before it would trap, or a typed error without a cause.
    case noInternalError = 26
    case namedByDurableQuorum = 27
    case namedBodiesStay = 28
    case releasedBodiesStayUnnamed = 29
    case bodiesAreAsNamed = 30
    case restoresArePrepared = 31
    case restoredFilesStay = 32

    package var title: String {
        switch self {
        case .oneLeaderPerTerm: "at most one leader per term"
        case .oneVotePerTerm: "one vote per term and incarnation, across restarts"
        case .hardStateMonotonic: "the term and the commit index never fall, and the vote changes only with the term"
        case .leaderAppendOnly: "a leader never removes or overwrites its own entries"
        case .logMatching: "same index and term: same entry and same prefix"
        case .leaderCompleteness: "every committed entry is in the log of every later leader"
        case .committedByDurableQuorum: "what is committed is on the synchronized disks of a quorum"
        case .committedNeverChanges: "what is committed at an index never changes"
        case .equalStates: "equal states at equal applied indexes"
        case .orderedPositions: "purged ≤ snapshot ≤ applied ≤ commit ≤ last"
        case .appliedInOrderOnce: "entries are applied in order, without gaps, once, and not before they are durable here"
        case .promisesAfterSync: "no vote, acknowledgement or own match leaves before it is durable"
        case .durableImageConsistent: "the durable hard state fits the durable log"
        case .configurationsOverlap: "one change of members at a time, and its quorums overlap"
        case .snapshotsNeverGoBack: "a snapshot never moves commit or applied backwards"
        case .acknowledgedWritesStay: "every acknowledged strong write took effect as it was answered"
        case .linearizable: "strong operations are linearizable"
        case .oneEffectPerOperation: "an operation has at most one effect and one reply"
        case .refusedNeverAppears: "a refused proposal never appears"
        case .readsFreshEnough: "reads are as fresh as they promise"
        case .damageIsNotTruncation: "what was durable is there after a restart, or the restart is refused"
        case .limitsHold: "no queue, window or cache exceeds its limit"
        case .convergesWhenHealed: "a healed cluster converges, and everything that waits ends"
        case .leaderStaysInOffice: "a connected quorum keeps its leader"
        case .stallsHarmNobody: "a leader with a stalled disk loses leadership; a slow follower slows nobody, and catches up"
        case .noInternalError: "nothing stops itself without a cause"
        case .namedByDurableQuorum: "a body that the state begins to name is on the disks of a quorum"
        case .namedBodiesStay: "what the state names is deleted nowhere, and survives the loss of any minority"
        case .releasedBodiesStayUnnamed: "a body that was given up is never named"
        case .bodiesAreAsNamed: "a healed node has the bodies that its state names, whole, and no others"
        case .restoresArePrepared: "a restore takes effect only while its preparation lasts, and with its file on a quorum"
        case .restoredFilesStay: "a replica that has to restore a file finds it"
        }
    }
}

/// An invariant that did not hold.
package struct InvariantViolation: Error, Hashable, Sendable, CustomStringConvertible {
    package var invariant: Invariant
    package var message: String

    package init(_ invariant: Invariant, _ message: String) {
        self.invariant = invariant
        self.message = message
    }

    package var description: String { "invariant \(invariant.rawValue) (\(invariant.title)): \(message)" }
}
