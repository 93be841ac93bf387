package import Raft

/// A row of operations of one node, of which each takes effect once however often it is sent (thesis, 6.3).
///
/// A node has one session at a time. A later one of the same node ends the earlier ones, and an earlier one can never come back: what is
/// late from before a restart finds no session.
package struct SessionID: Hashable, Comparable, Sendable {
    package var node: NodeID
    /// The node's own durable count of its starts.
    package var start: UInt64
    /// Sessions within one start: more than one only if an entry of the log has ended one.
    package var generation: UInt32

    package init(node: NodeID, start: UInt64, generation: UInt32 = 0) {
        self.node = node
        self.start = start
        self.generation = generation
    }

    package static func < (first: SessionID, second: SessionID) -> Bool {
        (first.node, first.start, first.generation) < (second.node, second.start, second.generation)
    }

    package var next: SessionID { SessionID(node: node, start: start, generation: generation + 1) }
}

/// The number of an operation within its session, from 1 on.
package struct Serial: Hashable, Comparable, Sendable {
    package var rawValue: UInt64

    package init(_ rawValue: UInt64) { self.rawValue = rawValue }

    package static func < (first: Serial, second: Serial) -> Bool { first.rawValue < second.rawValue }

    package var next: Serial { Serial(rawValue + 1) }
}

package enum SessionLimits {
    /// A session's operations lie within so many serials from its mark on, so that its results are bounded.
    /// Part of how entries are applied: it changes only with the cluster's version.
    package static let windowCount: UInt64 = 16384
}
