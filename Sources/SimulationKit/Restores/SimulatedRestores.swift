import KeyValueStore
import Metadata
import ObjectDataStore
import Raft
import Replication

/// A snapshot file that an operator keeps: the state of one node at one moment.
struct SimulatedBackup {
    var checkpoint: InMemoryStore.Checkpoint
    /// The last entry that it contains.
    var index: LogIndex
    var digest: StateDigest
    /// What clients would read of it.
    var values: [KeyedHistory.Object: UInt64]
}

/// One restore, as its operator knows it. Its coordinator goes through the steps of the server's `SnapshotRestorer`, and its end ends them.
struct RestoreAttempt {
    let number: UInt64
    let id: RestoreID
    let coordinator: ProcessReference
    let backup: SimulatedBackup
    /// As it lies on the disks of members.
    let file: StoredBody
    /// How often it was asked who holds the file.
    var lookCount = 0
    /// It may have taken effect, or may still.
    var isInDoubt = false
}

/// A step of a restore that was proposed and has no outcome.
struct RestoreCall {
    var attempt: RestoreAttempt
    var step: RestoreStep
    var invoked: UInt64
}

/// What operators keep and restore.
struct SimulatedRestores {
    static let backupCountMax = 4
    static let attemptCountMax = 2

    var backups: [SimulatedBackup] = []
    /// By number.
    var attempts: [UInt64: RestoreAttempt] = [:]
    /// By the token of the proposal.
    var calls: [UInt64: RestoreCall] = [:]
    /// What is in the files of all that were begun.
    var contents: [BodyID: InMemoryStore.Checkpoint] = [:]
    var backupCount: UInt64 = 0
    var attemptCount: UInt64 = 0
}

/// What an operator, or the node that restores for one, does next.
enum RestoreTurn {
    case keepOrRestore
    /// The file goes to members.
    case spread(UInt64)
    /// Who holds it?
    case look(UInt64)
    case cancel(UInt64)
    /// A node hears that nothing will name the file.
    case discard(BodyID, node: Int)
}

/// What a node does about restores.
enum RestoreWork {
    /// Its disk takes a file.
    case take(StoredBody)
    /// Its applier looks for the file that the next entry needs.
    case fetch
    /// Its applier has made a store of the file.
    case replaceState
}
