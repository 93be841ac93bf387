import FileSystem
import KeyValueStore
import Metadata
import ObjectDataStore
import Raft
import RaftStorage
import Replication

/// One machine: a disk, a clock, and while it is up a process.
final class SimulatedNode {
    let number: Int
    var id: NodeID { NodeID(UInt64(number)) }

    // The disk.
    var fileSystem: FaultyFileSystem
    var store: InMemoryStore
    var snapshots: [StoredSnapshot] = []
    var reception: Reception?
    var bodies: [BodyID: BodyFile] = [:]
    /// How often its store of bodies was opened; it begins anywhere, so that another disk repeats no id.
    var bodyStartCount: UInt64 = 0
    var incarnation: Incarnation
    var startCount: UInt64 = 0
    /// The cluster that it belongs to.
    var cluster: ClusterID?
    /// The cluster that its identity names, whatever else is there.
    var joined: ClusterID?
    /// Where the state was founded or installed last; written with the state.
    var installedIndex: LogIndex?
    var hadLog = false
    /// Something was done to the log that recovery may refuse.
    var isDamaged = false
    /// It is not the disk that was a member any more.
    var isWiped = false
    /// Times of the disk are multiplied by it.
    var diskSlowness: UInt64 = 1
    var applierSlowness: UInt64 = 1
    /// No body is taken.
    var isDiskFull = false

    // The rest of the machine.
    var clock: NodeClock
    let usualClockRate: UInt64
    /// It does nothing before that time.
    var pausedUntil: UInt64 = 0

    // The process.
    var life = 0
    var process: NodeProcess?
    var standing = NodeStanding.serves

    init(number: Int, incarnation: UInt64, clock: NodeClock) {
        self.number = number
        self.incarnation = Incarnation(incarnation)
        self.clock = clock
        usualClockRate = clock.rate
        fileSystem = FaultyFileSystem()
        store = InMemoryStore(families: KeySchema.families)
    }

    /// Another disk is put in.
    func resetDisk(incarnation: UInt64) {
        fileSystem = FaultyFileSystem()
        store = InMemoryStore(families: KeySchema.families)
        snapshots = []
        reception = nil
        bodies = [:]
        self.incarnation = Incarnation(incarnation)
        startCount = 0
        cluster = nil
        joined = nil
        installedIndex = nil
        hadLog = false
        isDamaged = false
    }

    static let logDirectory = "/data/raft/log"

    var isUp: Bool { process != nil }
    var reference: ProcessReference { ProcessReference(node: number, life: life) }

    func clockReading(at time: UInt64) -> ClockReading { ClockReading(nanoseconds: clock.local(at: time) * 1000) }
}

/// Whether a node takes part.
enum NodeStanding {
    case serves
    /// Its disk cannot be used any more, and it waits to be replaced.
    case lost
    /// A change of members has removed it.
    case removed
}

/// What a node has in memory, and loses when it stops.
final class NodeProcess {
    var replica: Replica
    var settings: ReplicaSettings
    var log: SegmentedLog
    var machine: ReplicatedStateMachine

    // The log's writer.
    var logQueue: [LogWork] = []
    var isDiskBusy = false
    /// Appended to the log and not durable: so many pieces of work, and the newest token.
    var unsynchronizedCount = 0
    var newestToken: UInt64?
    /// The part of these that the write under way takes.
    var writingCount = 0
    var writingToken: UInt64?
    /// The state is being replaced: nothing else is written meanwhile.
    var isReplacing = false
    /// Its first half is done: the state is the new one, the log is not yet.
    var hasBegunReplacing = false

    // The applier.
    var applyQueue: [Entry] = []
    var isApplying = false

    var peers: [NodeID] = []
    /// Nil in runs without bodies.
    var bodies: BodyProcess?

    init(replica: Replica, settings: ReplicaSettings, log: SegmentedLog, machine: ReplicatedStateMachine) {
        self.replica = replica
        self.settings = settings
        self.log = log
        self.machine = machine
    }
}

/// What the log's writer has to do, in order.
enum LogWork {
    case append(LogAppend)
    case compact(SnapshotMark, keepingAfter: LogIndex)
    case install(SnapshotID, LogAppend)
    case found(Genesis)
}

/// A snapshot on a disk.
struct StoredSnapshot {
    var description: SnapshotDescription
    var checkpoint: InMemoryStore.Checkpoint
    /// Some of its bytes have rotted.
    var isDamaged = false
}

/// A snapshot that is being received: chunks on the disk.
struct Reception {
    var offer: SnapshotOffer
    var chunks: [[UInt8]] = []
}
