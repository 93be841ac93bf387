/// What one node's core says to another's. Messages may be lost, repeated, delayed and reordered.
package struct Message: Hashable, Sendable {
    package var from: NodeID
    package var to: NodeID
    /// The sender's term; that of a pre-vote is the one that it would campaign for.
    package var term: Term
    package var body: Body

    package init(from: NodeID, to: NodeID, term: Term, _ body: Body) {
        self.from = from
        self.to = to
        self.term = term
        self.body = body
    }

    package enum Body: Hashable, Sendable {
        /// AppendEntries (Raft paper, section 5.3).
        case append(AppendRequest)
        case appendResponse(AppendResponse)
        /// Keeps the followers, and confirms reads (thesis, 6.4).
        case heartbeat(Heartbeat)
        case heartbeatResponse(HeartbeatResponse)
        /// RequestVote (Raft paper, section 5.2), and its rehearsal (thesis, 9.6).
        case vote(VoteRequest)
        case voteResponse(VoteResponse)
        /// InstallSnapshot (Raft paper, section 7): where the snapshot stands. Its bytes travel apart, and the receiver's
        /// core is told of it when they have all arrived and been found whole.
        case snapshot(SnapshotMark)
        /// Campaign at once (thesis, 3.10).
        case timeoutNow
        /// A follower's reads ask for an index (thesis, 6.4); answered with the same position.
        case readIndex(position: UInt64)
        case readIndexResponse(position: UInt64, index: LogIndex)
        /// You are no member any more since the configuration change at that index.
        case removed(since: LogIndex)
    }
}

package struct AppendRequest: Hashable, Sendable {
    package var previousIndex: LogIndex
    package var previousTerm: Term
    package var commit: LogIndex
    /// From `previousIndex` + 1 on, without gaps.
    package var entries: [Entry]

    package init(previousIndex: LogIndex, previousTerm: Term, commit: LogIndex, entries: [Entry]) {
        self.previousIndex = previousIndex
        self.previousTerm = previousTerm
        self.commit = commit
        self.entries = entries
    }
}

package struct AppendResponse: Hashable, Sendable {
    /// Up to here the log agrees with the leader's and is durable; of a rejection the `previousIndex` that did not fit.
    package var index: LogIndex
    package var rejection: Rejection?

    package init(index: LogIndex, rejection: Rejection? = nil) {
        self.index = index
        self.rejection = rejection
    }

    /// Where the leader should try next: the newest entry at or before the one that did not fit, of a term no later.
    package struct Rejection: Hashable, Sendable {
        package var hintIndex: LogIndex
        package var hintTerm: Term

        package init(hintIndex: LogIndex, hintTerm: Term) {
            self.hintIndex = hintIndex
            self.hintTerm = hintTerm
        }
    }
}

package struct Heartbeat: Hashable, Sendable {
    /// Never beyond what the receiver is known to hold.
    package var commit: LogIndex
    /// The newest read batch of this term; 0 if there was none.
    package var readPosition: UInt64

    package init(commit: LogIndex, readPosition: UInt64 = 0) {
        self.commit = commit
        self.readPosition = readPosition
    }
}

package struct HeartbeatResponse: Hashable, Sendable {
    /// That of the heartbeat.
    package var readPosition: UInt64

    package init(readPosition: UInt64 = 0) {
        self.readPosition = readPosition
    }
}

package struct VoteRequest: Hashable, Sendable {
    package var lastIndex: LogIndex
    package var lastTerm: Term
    package var priority: Int
    /// Changes no state: who would win may campaign.
    package var isPreVote: Bool
    /// The leader itself asked for the campaign, so that its being alive is no reason to refuse.
    package var isTransfer: Bool

    package init(
        lastIndex: LogIndex, lastTerm: Term, priority: Int = 0, isPreVote: Bool = false, isTransfer: Bool = false
    ) {
        self.lastIndex = lastIndex
        self.lastTerm = lastTerm
        self.priority = priority
        self.isPreVote = isPreVote
        self.isTransfer = isTransfer
    }
}

package struct VoteResponse: Hashable, Sendable {
    package var isPreVote: Bool
    package var isGranted: Bool

    package init(isPreVote: Bool = false, isGranted: Bool) {
        self.isPreVote = isPreVote
        self.isGranted = isGranted
    }
}

/// A message that no correct node sends.
package enum MessageError: Error, Hashable, Sendable, CustomStringConvertible {
    /// It is for another node.
    case misaddressed(to: NodeID)
    /// From nobody, or from the receiver itself.
    case invalidSender(NodeID)
    /// A term or an index that no cluster reaches, so that it could not be counted on from.
    case outOfRange(UInt64)
    /// Leaders have terms; the first is 1.
    case leaderWithoutTerm(NodeID)
    /// Its entries have gaps, or terms that fall or exceed the message's.
    case malformedEntries(first: LogIndex)
    /// It stands for no entry, or for one of a later term than its sender's.
    case malformedSnapshot(index: LogIndex, term: Term)
    case invalidConfiguration(ConfigurationDefect)
    /// It acknowledges entries that were never sent, or commits what is not there.
    case beyondLog(index: LogIndex, last: LogIndex)
    /// It contradicts what is committed here; one of the two nodes is broken, so that both must be looked at.
    case contradictsCommitted(index: LogIndex, commit: LogIndex)
    /// Another leader in the same term.
    case secondLeader(NodeID, term: Term)

    package var description: String {
        switch self {
        case .misaddressed(let node): "a message for node \(node) came here"
        case .invalidSender(let node): "a message names node \(node) as its sender"
        case .outOfRange(let value): "a message counts to \(value), which no cluster reaches"
        case .leaderWithoutTerm(let node): "node \(node) claims to lead without a term"
        case .malformedSnapshot(let index, let term): "a snapshot stands for index \(index) of term \(term), which is no entry"
        case .malformedEntries(let first): "the entries of a message, from index \(first) on, are no part of a log"
        case .invalidConfiguration(let defect): "a snapshot's configuration is none: \(defect)"
        case .beyondLog(let index, let last): "a message is about index \(index), but the log ends at \(last)"
        case .contradictsCommitted(let index, let commit):
            "a message contradicts the entry at index \(index), which is committed here (up to \(commit))"
        case .secondLeader(let node, let term): "node \(node) claims to lead term \(term), which has another leader"
        }
    }
}
