/// A node of the cluster; 0 is nobody.
package struct NodeID: Hashable, Comparable, Sendable, CustomStringConvertible {
    package var rawValue: UInt64

    package init(_ rawValue: UInt64) { self.rawValue = rawValue }

    package static func < (first: NodeID, second: NodeID) -> Bool { first.rawValue < second.rawValue }

    package var description: String { "\(rawValue)" }
}

/// The place of an entry in the log; the first is 1.
package struct LogIndex: Hashable, Comparable, Sendable, CustomStringConvertible {
    package var rawValue: UInt64

    package init(_ rawValue: UInt64) { self.rawValue = rawValue }

    package static func < (first: LogIndex, second: LogIndex) -> Bool { first.rawValue < second.rawValue }

    package var description: String { "\(rawValue)" }
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

    package var isJoint: Bool { !outgoingVoters.isEmpty }
}
