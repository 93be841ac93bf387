package import Metadata
package import Raft

/// What happens to a replica. Every event comes with a reading of the clock.
package enum ReplicaEvent: Sendable {
    /// One tick of the driver; all of `RaftSettings`' times are multiples of it.
    case tick

    // Peers.
    case received(PeerEnvelope)
    case connected(NodeID)
    /// The peer's end closed its control connection: its process is gone, as far as can be told.
    case connectionLost(NodeID)
    /// A disk that is not the member's was turned away before it could say anything.
    case refused(NodeIdentity)
    /// Most peers turn this node away: it was removed.
    case turnedAway
    /// Messages to the peer are being lost.
    case unreachable(NodeID)

    // Clients.
    case propose(Proposal)
    case read(ReadRequest)
    /// Carried out here, or refused if it is for the leader and that is another node.
    case command(RequestToken, OperatorCommand)
    /// Carried out by the leader, whoever that is: as soon as there is one, if that is before the deadline.
    case ask(RequestToken, OperatorCommand, deadline: ClockReading)

    // The log.
    /// All `append` and `install` effects up to that token are durable; of an `install` `installed` says so.
    case logWritten(token: UInt64)
    case logFetched(LogFetch, [Entry])
    /// The log cannot be written; it will not be tried again.
    case logFailed(detail: String)

    // The state machine.
    case applied(ApplyReport)
    case applyFailed(ApplyFailure)

    /// What this node lacks of the bodies is another number.
    case bodies(BodyReport)

    // Snapshots.
    case snapshotTaken(SnapshotDescription)
    case snapshotFailed(detail: String)
    /// Answers `openReception`: so many chunks, from the first on, are there already.
    case receptionOpened(SnapshotID, chunkCount: UInt64)
    /// Answers `storeChunk`.
    case chunkStored(SnapshotID, number: UInt64)
    /// Answers `finishReception`: the whole is durable, and is what the offer said.
    case receptionFinished(SnapshotID)
    case receptionFailed(SnapshotID, ReceptionFailure)
    /// Answers `sendChunk` where it could not be read.
    case chunkUnreadable(SnapshotID, to: NodeID)
    /// Answers `install`: state and log begin at the snapshot, durably.
    case installed(token: UInt64, InstalledState)
    case installFailed(detail: String)

    /// Answers `found`: the genesis is the state and the base of the log, durably.
    case founded(Genesis)

    /// Ends everything that waits.
    case stop
}

/// A write of a client of this node.
package struct Proposal: Sendable, Hashable {
    package var token: RequestToken
    package var kind: SessionOperation.Kind
    /// As in `SessionOperation`.
    package var operation: [UInt8]
    package var level: WriteLevel
    /// When the caller has to be told something.
    package var deadline: ClockReading

    package init(
        token: RequestToken, kind: SessionOperation.Kind = .metadata, operation: [UInt8], level: WriteLevel = .majority,
        deadline: ClockReading
    ) {
        self.token = token
        self.kind = kind
        self.operation = operation
        self.level = level
        self.deadline = deadline
    }
}

/// A read of a client of this node.
package struct ReadRequest: Sendable, Hashable {
    package var token: RequestToken
    package var consistency: ReadConsistency
    /// The state must contain at least this, whatever the consistency.
    package var minimumIndex: LogIndex
    package var deadline: ClockReading

    package init(
        token: RequestToken, consistency: ReadConsistency = .linearizable, minimumIndex: LogIndex = .zero,
        deadline: ClockReading
    ) {
        self.token = token
        self.consistency = consistency
        self.minimumIndex = minimumIndex
        self.deadline = deadline
    }
}

/// A snapshot of this node that others can be given.
package struct SnapshotDescription: Sendable, Hashable {
    package var id: SnapshotID
    /// As read from inside it.
    package var configuration: Configuration
    package var version: ClusterVersion
    package var byteCount: UInt64

    package init(id: SnapshotID, configuration: Configuration, version: ClusterVersion, byteCount: UInt64) {
        self.id = id
        self.configuration = configuration
        self.version = version
        self.byteCount = byteCount
    }

    package var mark: SnapshotMark { SnapshotMark(index: id.index, term: id.term, configuration: configuration) }
}

package enum ReceptionFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// The bytes are not what the offer says.
    case damaged(detail: String)
    /// The disk does not take them.
    case storage(detail: String)

    package var description: String {
        switch self {
        case .damaged(let detail): "what was received is damaged: \(detail)"
        case .storage(let detail): "this node's disk does not take it: \(detail)"
        }
    }
}

/// What took the place of the state.
package struct InstalledState: Sendable, Equatable {
    package var state: ReplicatedState
    /// The results that the installed state keeps for this node's session.
    package var results: [SessionResult]

    package init(state: ReplicatedState, results: [SessionResult]) {
        self.state = state
        self.results = results
    }
}
