package import Raft

/// What the driver does for a replica, in the order of the list. Nothing may overtake an `append` or `install` on its way to the log, an
/// `apply` on its way to the state machine; several of each may be under way.
package enum ReplicaEffect: Sendable {
    /// May be lost.
    case send(PeerEnvelope)

    /// Write to the log; `logWritten` says when it is durable.
    case append(LogAppend)
    /// Read from the log; `logFetched` answers.
    case fetch(LogFetch)
    /// Committed entries for the state machine; `applied` answers, and carries their results.
    case apply([Entry])

    case complete(RequestToken, ProposalOutcome)
    case completeRead(RequestToken, ReadOutcome)
    case completeCommand(RequestToken, CommandOutcome)

    /// Make a snapshot of the state as it is; `snapshotTaken` (when it is durable) or `snapshotFailed` answers. One at a time.
    case takeSnapshot
    /// The log may forget what lies before `keepingAfter`; the snapshot stands for all up to its mark.
    case compact(SnapshotMark, keepingAfter: LogIndex)
    /// A receiver says that its bytes are not what they should be: look at them, before another one is made of the same files.
    case checkSnapshot(SnapshotID)
    /// No longer needed for anybody.
    case releaseSnapshot(SnapshotID)
    /// Read a chunk and send it as a `SnapshotChunk`, on the lane of snapshots.
    case sendChunk(SnapshotID, number: UInt64, to: NodeID)

    /// Make ready to receive the snapshot, or go on with what is there of it; `receptionOpened` answers. Others are abandoned.
    case openReception(SnapshotOffer)
    case storeChunk(SnapshotID, number: UInt64, bytes: [UInt8])
    /// Make it durable, and compare it with what was offered; `receptionFinished` or `receptionFailed` answers.
    case finishReception(SnapshotID)
    case abandonReception(SnapshotID)
    /// Put the received snapshot in the place of the state, durably; then let the log begin behind it, with the hard state and the
    /// entries, durably; then switch readers over. `installed` or `installFailed` answers. A crash leaves the old or the new whole
    /// (`RecoveredReplica` completes what was half done).
    case install(SnapshotID, LogAppend)

    /// Write the genesis: the state first, then the log's base. `founded` answers.
    case found(Genesis)
    /// The node belongs to this cluster from now on: its identity says so before anything of the cluster is stored.
    case join(ClusterID)

    /// Whom to keep connections with: all members but this node, and who is about to become one.
    case connect([Contact])
    /// Role, term or leader changed.
    case standing(Standing)
    case note(ReplicaNote)
    /// The replica goes no further; readers of old state may be served on.
    case stopped(StopReason)
}

/// Whom to have connections with.
package struct Contact: Sendable, Hashable {
    package var node: NodeID
    /// Nil: it is not known yet.
    package var incarnation: Incarnation?
    package var address: [UInt8]

    package init(node: NodeID, incarnation: Incarnation?, address: [UInt8]) {
        self.node = node
        self.incarnation = incarnation
        self.address = address
    }
}

/// What an operator may want to know of. The driver limits how often it logs one.
package enum ReplicaNote: Sendable, Hashable {
    /// A peer broke the protocol.
    case invalidMessage(from: NodeID, MessageError)
    case malformedForward(from: NodeID)
    /// A peer is not whom it says, or not of this cluster.
    case refusedPeer(NodeIdentity, MessageRefusal)
    /// A peer does not accept this node.
    case refusedBy(NodeID, MessageRefusal)
    case diskStalled(milliseconds: UInt64)
    case diskRecovered
    case snapshotSendFailed(to: NodeID, SnapshotAnswer.Result?)
    case snapshotReceptionFailed(ReceptionFailure)
    case snapshotFailed(detail: String)
    case sessionExpired(SessionID)
    case formation(FormationState)
}
