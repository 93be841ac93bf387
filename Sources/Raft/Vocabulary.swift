/// A node of the cluster. An id is never given to another node, and 0 is nobody.
package struct NodeID: Hashable, Comparable, Sendable, CustomStringConvertible {
    package var rawValue: UInt64

    package init(_ rawValue: UInt64) { self.rawValue = rawValue }

    package static func < (first: NodeID, second: NodeID) -> Bool { first.rawValue < second.rawValue }

    package var description: String { "\(rawValue)" }
}

/// A period with at most one leader (Raft paper, section 5.1). The first is 1; 0 is before all of them.
package struct Term: Hashable, Comparable, Sendable, CustomStringConvertible {
    package var rawValue: UInt64

    package init(_ rawValue: UInt64) { self.rawValue = rawValue }

    package static let zero = Term(0)
    /// A billion terms a second reach it in a century; a later one is an error, and arithmetic below it does not overflow.
    package static let last = Term(1 << 62)

    package static func < (first: Term, second: Term) -> Bool { first.rawValue < second.rawValue }

    package var next: Term { Term(rawValue + 1) }

    package var description: String { "\(rawValue)" }
}

/// The place of an entry in the log. The first is 1; 0 is before all of them.
package struct LogIndex: Hashable, Comparable, Sendable, CustomStringConvertible {
    package var rawValue: UInt64

    package init(_ rawValue: UInt64) { self.rawValue = rawValue }

    package static let zero = LogIndex(0)
    /// A billion entries a second reach it in a century; a later one is an error, and arithmetic below it does not overflow.
    package static let last = LogIndex(1 << 62)

    package static func < (first: LogIndex, second: LogIndex) -> Bool { first.rawValue < second.rawValue }

    package static func + (index: LogIndex, count: Int) -> LogIndex {
        LogIndex(UInt64(Int64(bitPattern: index.rawValue) + Int64(count)))
    }

    /// How many places further on than `other`; negative if before it.
    package static func - (index: LogIndex, other: LogIndex) -> Int {
        Int(Int64(bitPattern: index.rawValue) - Int64(bitPattern: other.rawValue))
    }

    package var next: LogIndex { LogIndex(rawValue + 1) }

    /// The place before; that of 0 is 0.
    package var previous: LogIndex { LogIndex(rawValue == 0 ? 0 : rawValue - 1) }

    package var description: String { "\(rawValue)" }
}

package enum EntryType: UInt8, Hashable, Sendable {
    /// A command of the state machine, opaque here; empty is what a new leader begins its term with.
    case normal = 0
    /// The bytes of a `ConfigurationChange`.
    case configurationChange = 1
}

/// One entry of the log.
package struct Entry: Hashable, Sendable {
    package var index: LogIndex
    package var term: Term
    package var type: EntryType
    package var payload: [UInt8]

    package init(index: LogIndex, term: Term, type: EntryType = .normal, payload: [UInt8]) {
        self.index = index
        self.term = term
        self.type = type
        self.payload = payload
    }
}

/// What a node must not forget (Raft paper, figure 2), and how far it knows the log to be committed, which it may.
package struct HardState: Hashable, Sendable {
    package var term: Term
    package var vote: NodeID?
    package var commit: LogIndex

    package init(term: Term, vote: NodeID?, commit: LogIndex) {
        self.term = term
        self.vote = vote
        self.commit = commit
    }
}

/// Who votes and who listens. Each list is sorted, each node once.
package struct Configuration: Hashable, Sendable {
    package var voters: [NodeID] = []
    /// The voters from before the transition; empty outside one.
    package var outgoingVoters: [NodeID] = []
    package var learners: [NodeID] = []
    /// Voters of the outgoing half that become learners when the transition ends.
    package var learnersNext: [NodeID] = []
    /// Whether the leader ends the transition by itself.
    package var autoLeave = false

    package init() {}

    package init(voters: [NodeID], learners: [NodeID] = []) {
        self.voters = voters.sorted()
        self.learners = learners.sorted()
    }

    package var isJoint: Bool { !outgoingVoters.isEmpty }

    /// Whether the node counts in one of the halves.
    package func hasVoter(_ node: NodeID) -> Bool { voters.hasSorted(node) || outgoingVoters.hasSorted(node) }

    /// All members, sorted, each once.
    package var members: [NodeID] {
        var all = voters
        for node in outgoingVoters { all.insertSorted(node) }
        for node in learners { all.insertSorted(node) }
        return all
    }
}

/// Up to where a snapshot stands for the log.
package struct SnapshotMark: Hashable, Sendable {
    /// The last entry that the snapshot contains.
    package var index: LogIndex
    package var term: Term
    /// The configuration at that entry.
    package var configuration: Configuration

    package init(index: LogIndex, term: Term, configuration: Configuration) {
        self.index = index
        self.term = term
        self.configuration = configuration
    }
}

/// Entries of one term in a row.
package struct TermRun: Hashable, Sendable {
    package var firstIndex: LogIndex
    package var term: Term

    package init(firstIndex: LogIndex, term: Term) {
        self.firstIndex = firstIndex
        self.term = term
    }
}
