package import Raft

/// What a replica starts from.
package struct ReplicaStart: Sendable {
    package var identity: NodeIdentity
    /// The durable count of this node's starts, this one included: no two starts of a disk have the same.
    package var start: UInt64
    /// What recovery found of the log; after `LogRepair`.
    package var stored: StoredLog
    /// What the store says.
    package var state: ReplicatedState
    /// The newest snapshot of this node that others can be given.
    package var snapshot: SnapshotDescription?
    /// The nodes of the configuration, this one among them: whom an empty node founds a cluster with, and whom a node that was alone
    /// adds. Sorted by node, each once. None: an empty node waits to be added.
    package var configured: [ConfiguredNode]
    /// The cluster that `join` has named before; nil: none, or one that the state knows.
    package var joined: ClusterID?
    /// The log's bytes behind its base.
    package var logByteCount: UInt64
    package var seed: UInt64
    /// What is known of this node's bodies.
    package var bodies: BodyReport

    package init(
        identity: NodeIdentity, start: UInt64, stored: StoredLog, state: ReplicatedState, snapshot: SnapshotDescription?,
        configured: [ConfiguredNode], joined: ClusterID? = nil, logByteCount: UInt64 = 0, seed: UInt64,
        bodies: BodyReport = .whole
    ) {
        self.identity = identity
        self.start = start
        self.stored = stored
        self.state = state
        self.snapshot = snapshot
        self.configured = configured
        self.joined = joined
        self.logByteCount = logByteCount
        self.seed = seed
        self.bodies = bodies
    }
}

/// Why a node must not go on with what its disk holds. Its log and state do not belong together, and which is right only its peers
/// could tell.
package enum ReplicaStartError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The state contains entries that the log neither holds nor was about to begin behind: the log has lost something.
    case stateBeyondLog(applied: LogIndex, last: LogIndex)
    /// The log begins behind entries that the state does not contain.
    case stateBehindLog(applied: LogIndex, base: LogIndex)
    /// Log and state have entries of different terms there.
    case differentHistories(LogIndex)
    /// There is a log, but the state belongs to no cluster.
    case logWithoutState
    /// The cluster was raised to rules that this build does not know: a downgrade was possible only before.
    case unknownVersion(ClusterVersion)
    case configuration(ConfigurationError)

    package var description: String {
        switch self {
        case .stateBeyondLog(let applied, let last): "the state contains entry \(applied), but the log ends at \(last)"
        case .stateBehindLog(let applied, let base): "the state ends at entry \(applied), but the log begins behind \(base)"
        case .differentHistories(let index): "log and state have different entries at \(index)"
        case .logWithoutState: "there is a log, but no state that it belongs to"
        case .unknownVersion(let version): "the cluster is at version \(version), which this build does not know"
        case .configuration(let error): error.description
        }
    }
}

/// What a start has to do to the log first.
package enum LogRepair: Hashable, Sendable {
    case none
    /// Founding or an installation was interrupted between its two writes: let the log begin behind the state, durably, then recover it
    /// again. The term and vote that the log holds stay.
    case restart(SnapshotMark)
}

extension ReplicaStart {
    /// Looks whether log and state belong together. The order of founding and installation is: the state is switched, then the log
    /// begins anew; so that after a crash the state is ahead of the log or both are old.
    ///
    /// | state | log | |
    /// |---|---|---|
    /// | of no cluster | no entries | a new node, or one that was alone, or one that a cluster has begun to add |
    /// | of no cluster | entries | refused |
    /// | applied before the log's base or snapshot | | refused |
    /// | applied within the log, same term | | start |
    /// | applied within the log, another term | | an interrupted installation, else refused |
    /// | applied behind the log's end | | interrupted founding or installation, else refused |
    ///
    /// - Parameter installed: the index at which the state was founded or installed last, if that is known.
    package static func repair(
        stored: StoredLog, state: ReplicatedState, installed: LogIndex?
    ) throws(ReplicaStartError) -> LogRepair {
        guard let genesis = state.genesis else {
            guard stored.lastIndex == .zero else { throw .logWithoutState }
            return .none
        }
        let isFresh = state.applied == genesis.index || state.applied == installed
        // Nor before the snapshot that the log knows of: it was durable before the log was told, and so was the state.
        let floor = max(stored.baseIndex, stored.configurationIndex)
        guard state.applied >= floor else { throw .stateBehindLog(applied: state.applied, base: floor) }
        guard state.applied <= stored.lastIndex else {
            guard isFresh else { throw .stateBeyondLog(applied: state.applied, last: stored.lastIndex) }
            return .restart(state.mark)
        }
        guard stored.term(at: state.applied) == state.term else {
            guard isFresh else { throw .differentHistories(state.applied) }
            return .restart(state.mark)
        }
        return .none
    }
}

extension StoredLog {
    func term(at index: LogIndex) -> Term? {
        if index == baseIndex { return baseTerm }
        guard index > baseIndex, index <= lastIndex else { return nil }
        return termRuns.last { $0.firstIndex <= index }?.term
    }

    /// The log of a founder before its first entry.
    init(_ genesis: Genesis) {
        self.init(behind: genesis.mark)
        term = Genesis.term
    }

    init(behind mark: SnapshotMark) {
        self.init()
        baseIndex = mark.index
        baseTerm = mark.term
        baseConfiguration = mark.configuration
        lastIndex = mark.index
        commit = mark.index
        applied = mark.index
    }
}
