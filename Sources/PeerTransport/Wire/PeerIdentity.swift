/// Who an end of a connection says it is.
package struct PeerIdentity: Sendable, Hashable {
    /// Nil: it belongs to no cluster yet.
    package var cluster: UInt64?
    package var node: UInt64
    /// Which disk speaks for the node: one that was wiped has another incarnation.
    package var incarnation: UInt64

    package init(cluster: UInt64?, node: UInt64, incarnation: UInt64) {
        self.cluster = cluster
        self.node = node
        self.incarnation = incarnation
    }
}

/// What a connection carries. Bulk has connections of its own, so that it never delays what keeps a leader in office. The codes are on
/// the wire.
package enum PeerLane: UInt8, Sendable, Hashable, CaseIterable {
    case control = 0
    case log = 1
    /// Chunks of snapshots.
    case snapshot = 2
    /// Bodies of objects that are not in the log.
    case body = 3
}

/// One value for each lane.
package struct PeerLanes<Value> {
    package var control: Value
    package var log: Value
    package var snapshot: Value
    package var body: Value

    package init(control: Value, log: Value, snapshot: Value, body: Value) {
        self.control = control
        self.log = log
        self.snapshot = snapshot
        self.body = body
    }

    package init(_ value: (PeerLane) throws -> Value) rethrows {
        self.init(
            control: try value(.control), log: try value(.log), snapshot: try value(.snapshot), body: try value(.body))
    }

    package subscript(lane: PeerLane) -> Value {
        get {
            switch lane {
            case .control: control
            case .log: log
            case .snapshot: snapshot
            case .body: body
            }
        }
        set {
            switch lane {
            case .control: control = newValue
            case .log: log = newValue
            case .snapshot: snapshot = newValue
            case .body: body = newValue
            }
        }
    }
}

extension PeerLanes: Sendable where Value: Sendable {}
extension PeerLanes: Equatable where Value: Equatable {}

/// Why one end does not talk to the other. The codes are on the wire.
package enum PeerRefusal: UInt8, Sendable, Hashable, CaseIterable {
    /// Both belong to a cluster, and not to the same one.
    case wrongCluster = 1
    /// The dialler meant another node: an address leads somewhere else.
    case notThisNode = 2
    /// The id of the dialler belongs to another disk: its own was wiped, or two nodes were given one id.
    case wrongIncarnation = 3
    /// The dialler meant another disk of this node.
    case notThisIncarnation = 4
    /// No version of the protocol is known to both.
    case noCommonVersion = 5
    /// The dialler is nobody this node knows.
    case unknownNode = 6
    /// The dialler was a member, and was removed.
    case removed = 7
    /// A handshake that says what cannot be.
    case malformed = 8
    /// A reason that only a newer version knows.
    case other = 255
}
