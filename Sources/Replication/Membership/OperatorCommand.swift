package import Raft

/// What an operator asks of a node. Those that change members or leadership are for the leader.
package enum OperatorCommand: Sendable, Hashable {
    /// Adds the node as a learner, brings it up to date, and makes it a voter.
    case add(NodeID, address: [UInt8])
    case remove(NodeID, isForced: Bool)
    /// Brings the new node up to date as a learner, then exchanges the two in one joint change.
    case replace(NodeID, with: NodeID, address: [UInt8])
    /// Where the others reach the member from now on; it stays the same disk.
    case changeAddress(NodeID, address: [UInt8])
    case transferLeadership(to: NodeID)
    /// Compares the digests of all members' states at one index.
    case verify
    case takeSnapshot
}

package enum CommandOutcome: Sendable, Hashable {
    case done
    /// The snapshot that was asked for.
    case snapshot(SnapshotID)
    case verified(DigestComparison)
    /// Nothing has changed, or what had was taken back.
    case refused(CommandRefusal)
    /// It may still come to pass, wholly or in part; asking again goes on from there.
    case unknown(CommandDoubt)
}

package enum CommandRefusal: Error, Hashable, Sendable {
    case notLeader(NodeID?)
    /// Another operation on the members, or a snapshot, is under way.
    case busy
    /// It is a voter already, or is none.
    case alreadyVoter(NodeID)
    case notMember(NodeID)
    /// The id belongs to another disk for ever: a new disk needs a new id.
    case identityTaken(NodeID, Incarnation)
    /// The node belongs to another cluster, or has a state of its own.
    case notEmpty(NodeID)
    /// It was a member before a snapshot was restored whose file is gone: it has the entry, and can never apply it.
    case outdated(NodeID)
    /// It was not heard from in time.
    case unreachable(NodeID)
    /// Its build does not know the rules of the cluster.
    case unsupportedVersion(NodeID, ClusterVersion)
    /// It did not catch up in time, and is no member any more.
    case didNotCatchUp(NodeID, behind: Int)
    /// Without the node too few would hold every body: so many are lacking on one that is needed; nil: it is not known. Force says that
    /// it may be so.
    case bodiesLacking(UInt64?)
    case change(ChangeRefusal)
    case transfer(RaftCore.TransferRefusal)
    /// The node did not take over in time.
    case notTakenOver
    case snapshotFailed(String)
    case tooManyMembers
    case invalidAddress
    case stopped(StopReason)
    /// In the words of the leader, where it is another node.
    case other(String)
}

package enum CommandDoubt: Error, Hashable, Sendable {
    case leadershipLost
    case timedOut
    case stopped(StopReason)
}
