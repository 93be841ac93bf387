package import Metadata
package import Raft

/// What came of the entries that were applied together.
package struct ApplyReport: Sendable, Equatable {
    /// All entries up to this one are applied.
    package var index: LogIndex
    /// Of that entry.
    package var term: Term
    /// Of every operation among the entries, in their order.
    package var operations: [AppliedOperation] = []
    /// Sessions that began and ended, in order.
    package var sessions: [SessionChange] = []
    /// All that ever were members, if that changed.
    package var members: [Member]?
    /// The rules from now on, if they changed.
    package var version: ClusterVersion?
    /// The digest of the state behind the last entry, if that is one at which all replicas remember it.
    package var mark: DigestMark?
    /// What the state says of replacements of itself, if that changed.
    package var restore: RestoreState?
    /// The entry, which is alone, has replaced the metadata.
    package var hasReplacedState = false
    /// What must happen outside the store, now that the batch is committed. The driver's; a replica takes no notice.
    package var effects = ApplyEffects()

    package init(index: LogIndex, term: Term) {
        self.index = index
        self.term = term
    }
}

package struct AppliedOperation: Sendable, Equatable {
    package var index: LogIndex
    package var session: SessionID
    package var serial: Serial
    package var result: OperationResult

    package init(index: LogIndex, session: SessionID, serial: Serial, result: OperationResult) {
        self.index = index
        self.session = session
        self.serial = serial
        self.result = result
    }
}

/// What an entry with an operation did.
package enum OperationResult: Sendable, Equatable {
    /// It took effect.
    case applied(MetadataOutcome)
    /// It had taken effect at an earlier index; nothing happened now.
    case repeated(LogIndex, MetadataOutcome)
    /// Its caller had been answered before; nothing happened.
    case acknowledged
    /// There is no such session; nothing happened.
    case sessionExpired
    /// It lies beyond the window of its session; nothing happened.
    case beyondWindow
}

package enum SessionChange: Sendable, Hashable {
    case opened(SessionID)
    case ended(SessionID)
    /// It was not opened: a later one of its node was there, or the node is no member.
    case notOpened(SessionID)
}

/// A result that a session keeps.
package struct SessionResult: Sendable, Equatable {
    package var serial: Serial
    /// Where the operation took effect.
    package var index: LogIndex
    package var outcome: MetadataOutcome

    package init(serial: Serial, index: LogIndex, outcome: MetadataOutcome) {
        self.serial = serial
        self.index = index
        self.outcome = outcome
    }
}

/// What the replicated state says of the cluster itself.
package struct ReplicatedState: Sendable, Equatable {
    /// The last applied entry; 0: none.
    package var applied = LogIndex.zero
    package var term = Term.zero
    package var configuration = Configuration()
    /// All that ever were members, sorted by node.
    package var members: [Member] = []
    package var version = ClusterVersion.first
    /// Nil: it belongs to no cluster.
    package var genesis: Genesis?
    /// The open ones, sorted by node.
    package var sessions: [SessionID] = []
    package var restore = RestoreState()

    package init() {}

    package var cluster: ClusterID? { genesis?.cluster }

    package var mark: SnapshotMark { SnapshotMark(index: applied, term: term, configuration: configuration) }
}

/// Why the log could not be applied further. Nothing of the batch is in the store; the state machine is of no further use.
package enum ApplyFailure: Error, Equatable, Sendable, CustomStringConvertible {
    case store(MetadataStoreFailure)
    /// An entry that this build cannot carry out: it was written by a newer one, or is damaged. Going on without it would make this
    /// replica another one.
    case unknownEntry(LogIndex, Term, reason: String)
    /// The cluster has been raised to rules that this build does not know.
    case unknownVersion(LogIndex, ClusterVersion)
    /// The entry replaces the state, and what it replaces it with cannot be made here.
    case replacement(LogIndex, reason: String)

    package var description: String {
        switch self {
        case .store(let failure): failure.description
        case .unknownEntry(let index, let term, let reason):
            "the entry \(index) of term \(term) is unknown to this build: \(reason)"
        case .unknownVersion(let index, let version):
            "the entry \(index) raises the cluster to version \(version), unknown to this build"
        case .replacement(let index, let reason):
            "the entry \(index) restores a snapshot, and its state cannot be made here: \(reason)"
        }
    }
}
