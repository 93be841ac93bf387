package import Raft

/// A reading of a clock of this node that never goes back and counts on while the machine is suspended (CLOCK_BOOTTIME). Readings of
/// different nodes, or of different starts of a machine, have nothing to do with each other.
package struct ClockReading: Hashable, Comparable, Sendable {
    package var nanoseconds: UInt64

    package init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    package static let zero = ClockReading(nanoseconds: 0)

    package static func < (first: ClockReading, second: ClockReading) -> Bool { first.nanoseconds < second.nanoseconds }

    /// The end of time if it would come later.
    package func adding(milliseconds: UInt64) -> ClockReading {
        let (product, overflows) = milliseconds.multipliedReportingOverflow(by: 1_000_000)
        let (sum, overflowsToo) = nanoseconds.addingReportingOverflow(product)
        return ClockReading(nanoseconds: overflows || overflowsToo ? .max : sum)
    }

    /// Rounded up: who compares it with a bound must not gain by it. 0 if `other` is later.
    package func milliseconds(since other: ClockReading) -> UInt64 {
        guard nanoseconds > other.nanoseconds else { return 0 }
        let elapsed = nanoseconds - other.nanoseconds
        return elapsed / 1_000_000 + (elapsed % 1_000_000 == 0 ? 0 : 1)
    }
}

/// One life of a node's disk: made with its data directory. A disk that was wiped has another one, so that what the old one promised
/// is not asked of the new one.
package struct Incarnation: Hashable, Sendable, CustomStringConvertible {
    package var rawValue: UInt64

    package init(_ rawValue: UInt64) { self.rawValue = rawValue }

    package var description: String { "\(rawValue)" }
}

/// A cluster, for as long as it exists: made when it is founded.
package struct ClusterID: Hashable, Sendable, CustomStringConvertible {
    package var rawValue: UInt64

    package init(_ rawValue: UInt64) { self.rawValue = rawValue }

    package var description: String { "\(rawValue)" }
}

/// The rules by which a cluster applies its log. An entry of the log raises it once every member knows the new ones.
package struct ClusterVersion: Hashable, Comparable, Sendable, CustomStringConvertible {
    package var rawValue: UInt32

    package init(_ rawValue: UInt32) { self.rawValue = rawValue }

    package static let first = ClusterVersion(1)
    /// The state can be replaced through the log (`RestoreStep`), and messages of bodies ask who holds what.
    package static let restores = ClusterVersion(2)
    /// A body that too few members hold is not deleted when the operation that names it is refused: it is offered again.
    package static let offersAgain = ClusterVersion(2)
    /// What this build knows.
    package static let newest = ClusterVersion.restores

    package static func < (first: ClusterVersion, second: ClusterVersion) -> Bool { first.rawValue < second.rawValue }

    package var description: String { "\(rawValue)" }
}

/// A node and the disk that it speaks for.
package struct NodeIdentity: Hashable, Sendable {
    package var node: NodeID
    package var incarnation: Incarnation

    package init(_ node: NodeID, _ incarnation: Incarnation) {
        self.node = node
        self.incarnation = incarnation
    }
}

/// A node that is or was a member of the cluster. Its id belongs to that one disk for ever.
package struct Member: Hashable, Sendable {
    package static let addressByteCountMax = 255

    package var identity: NodeIdentity
    /// Where its peers reach it, in UTF-8; consensus does not look at it.
    package var address: [UInt8]

    package init(_ identity: NodeIdentity, address: [UInt8] = []) {
        self.identity = identity
        self.address = address
    }

    package var node: NodeID { identity.node }
}

/// When a write is answered.
package enum WriteLevel: UInt8, Hashable, Sendable, CaseIterable {
    /// Durable on a majority and applied here.
    case majority = 0
    /// The same, and durable on every voter.
    case all = 1
    /// Durable on the leader, which may lose it. Only for operations whose answer does not depend on the state.
    case eventual = 2
}
