package import Raft

/// How far the leader is with an operation on the members, for whoever watches.
package struct MembershipProgress: Sendable, Hashable {
    package enum Kind: String, Sendable {
        case add, remove, replace
        case changeAddress = "change_address"
    }

    package enum Step: String, Sendable {
        case contacting, adding
        case catchingUp = "catching_up"
        case changing
        case takingBack = "taking_back"
    }

    package var kind: Kind
    /// The node that is added, that leaves, or whose address changes.
    package var node: NodeID
    /// Of `replace`: the node that takes its place.
    package var newNode: NodeID?
    package var step: Step
    /// For how long the step has lasted; while bodies arrive it begins anew with each of them.
    package var stepMilliseconds: UInt64
}

extension Replica {
    /// Nil: none is under way, or this node is not the leader.
    package var membershipProgress: MembershipProgress? {
        guard let membership else { return nil }
        let (kind, node, newNode): (MembershipProgress.Kind, NodeID, NodeID?) =
            switch membership.goal {
            case .add(let node): (.add, node, nil)
            case .remove(let node): (.remove, node, nil)
            case .replace(let old, let new): (.replace, old, new)
            case .changeAddress(let member): (.changeAddress, member.node, nil)
            }
        let step: MembershipProgress.Step =
            switch membership.step {
            case .contacting: .contacting
            case .adding: .adding
            case .catchingUp: .catchingUp
            case .changing: .changing
            case .takingBack: .takingBack
            }
        return MembershipProgress(
            kind: kind, node: node, newNode: newNode, step: step,
            stepMilliseconds: now.milliseconds(since: membership.since))
    }

    /// What the node lacks of the bodies, as it said last; of this node, as it is. Nil: it has not said.
    package func bodyReport(of peer: NodeID) -> BodyReport? {
        peer == node ? bodies : manager.peer(peer)?.status?.bodies
    }
}
