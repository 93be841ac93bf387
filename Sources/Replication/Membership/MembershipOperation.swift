import Raft

/// One operation of an operator on the members, from the first look at the new node to the last change. It lives on the leader only: who
/// loses the office gives it up half done, and the same operation asked for again goes on from what is there.
///
/// ```
///   add:     contacting ─► adding ─► catching up ─► promoting ─► done
///   replace: contacting ─► adding ─► catching up ─► exchanging (joint) ─► done
///   remove:                                         removing ─► done
///   address:                                        updating ─► done
///                                        └─► too slow: taking back ─► refused
/// ```
struct MembershipOperation: Sendable {
    enum Goal: Sendable, Hashable {
        case add(NodeID)
        case replace(NodeID, with: NodeID)
        case remove(NodeID)
        case changeAddress(Member)
    }

    enum Step: Sendable {
        /// Waits for the new node's status.
        case contacting
        /// Waits until the change at that index is applied.
        case adding(LogIndex)
        case catchingUp
        case changing(LogIndex)
        case takingBack(LogIndex, CommandRefusal)
    }

    /// Nil: asked for by nobody outside.
    let caller: CommandCaller?
    let goal: Goal
    /// Whom to have a connection with besides the members.
    let newcomer: ConfiguredNode?
    let isForced: Bool
    var step: Step
    /// When the step began.
    var since: ClockReading
    /// Whoever is counted on must say of all bodies that entries up to this one name that it has them.
    let bodiesIndex: LogIndex
    /// The end of the log when it began.
    let lastIndex: LogIndex
    /// Whoever asked does not look at this node's role first: it may have been the leader for an instant only.
    var isPatient: Bool {
        switch caller {
        case .asked, .peer: true
        case .driver, nil: false
        }
    }
    /// The least that the new node has lacked of the bodies.
    var lackingByteCount = UInt64.max
}
