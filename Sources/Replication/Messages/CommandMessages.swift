package import Metadata
package import Raft

/// A command of an operator on another node, for the leader of one term. It is taken at most once: of repetitions the leader takes no
/// notice but that it answers them, and another term's leader refuses it.
package struct CommandRequest: Hashable, Sendable {
    package var term: Term
    /// The sender's count of its starts; numbers begin anew with each.
    package var start: UInt64
    package var number: UInt64
    /// Never one for the node that it was asked of (`takeSnapshot`).
    package var command: OperatorCommand

    package init(term: Term, start: UInt64, number: UInt64, command: OperatorCommand) {
        self.term = term
        self.start = start
        self.number = number
        self.command = command
    }
}

package struct CommandAnswer: Hashable, Sendable {
    /// Bytes of words.
    package static let textByteCountMax = 512

    /// The request's.
    package var start: UInt64
    package var number: UInt64
    /// As `CommandOutcome.forPeers` makes it.
    package var outcome: CommandOutcome

    package init(start: UInt64, number: UInt64, outcome: CommandOutcome) {
        self.start = start
        self.number = number
        self.outcome = outcome
    }
}

/// Asks a member for the digest of its state at that entry.
package struct DigestRequest: Hashable, Sendable {
    package var index: LogIndex

    package init(index: LogIndex) {
        self.index = index
    }
}

package struct DigestAnswer: Hashable, Sendable {
    package var index: LogIndex
    /// Nil: the member has applied the entry, and does not know the digest (any more).
    package var digest: StateDigest?

    package init(index: LogIndex, digest: StateDigest?) {
        self.index = index
        self.digest = digest
    }
}

extension CommandOutcome {
    /// What another node is told: what concerns this one alone is told in words, or left out.
    package var forPeers: CommandOutcome {
        switch self {
        case .done, .verified: self
        case .snapshot: .done
        case .unknown(.stopped): .unknown(.leadershipLost)
        case .unknown(.leadershipLost), .unknown(.timedOut): self
        case .refused(let refusal): .refused(refusal.forPeers)
        }
    }
}

extension CommandRefusal {
    fileprivate var forPeers: CommandRefusal {
        switch self {
        case .notLeader, .busy, .alreadyVoter, .notMember, .identityTaken, .notEmpty, .outdated, .unreachable,
            .unsupportedVersion,
            .didNotCatchUp, .bodiesLacking, .notTakenOver, .tooManyMembers, .invalidAddress:
            self
        case .change(.losesQuorum), .transfer(.notVoter), .transfer(.inactive): self
        case .change(.underWay), .change(.proposal(.transferring)): .busy
        case .change(.proposal(.notLeader)), .change(.proposal(.removed)): .notLeader(nil)
        case .change(let refusal): .words(refusal.description)
        case .transfer(.notLeader(let leader)): .notLeader(leader)
        case .snapshotFailed(let detail): .words(detail)
        // It is about to be no leader any more, and has changed nothing.
        case .stopped: .notLeader(nil)
        case .other(let text): .words(text)
        }
    }

    private static func words(_ text: String) -> CommandRefusal {
        guard text.utf8.count > CommandAnswer.textByteCountMax else { return .other(text) }
        var cut = text.prefix(CommandAnswer.textByteCountMax)
        while cut.utf8.count > CommandAnswer.textByteCountMax { cut.removeLast() }
        return .other(String(cut))
    }
}
