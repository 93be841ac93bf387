import Metadata
import NIOCore
import ObjectDataStore
import Raft
import Replication

/// A body's file on a simulated disk. It is there whole, durably, or not at all: what is half written is gone with its process.
struct BodyFile: Hashable {
    var length: UInt64
    /// Some of its bytes have rotted; whoever reads it finds out.
    var isDamaged = false
}

/// A message about bodies on its way.
struct BodyDelivery {
    var from: Int
    var to: Int
    /// Of the connection that it travels on.
    var epoch: UInt32
    /// It was sent when all faults were over.
    var isOfHealedNetwork: Bool
    /// Of the sender's disk.
    var incarnation: Incarnation
    var message: BodyMessage
}

/// What a node's disk and tasks have done about bodies.
enum BodyWork {
    /// Its own store has taken what an upload was given last.
    case took(BodyMessage.Stream)
    /// Its own store has made the body durable.
    case stored(BodyMessage.Stream)
    /// The task of a reception goes on.
    case receive(BodyStreamKey)
    case serve(BodyMessage, to: NodeID)
    case delete([BodyID])
    case keep(KeeperStep)
    /// A client asks for what it has uploaded to be named.
    case name(BodyMessage.Stream)
}

struct BodyStreamKey: Hashable {
    var sender: NodeID
    var incarnation: Incarnation
    var stream: BodyMessage.Stream
}

/// How bodies are handled in a process; its end takes all of it.
struct BodyProcess {
    var ledger: BodyLedgerState
    var uploads: [BodyMessage.Stream: SimulatedUpload] = [:]
    var receptions: [BodyStreamKey: SimulatedReception] = [:]
    var keeper = SimulatedKeeper()
    /// The newest bodies that this start has numbered, and streams and requests.
    var bodyCount: UInt64 = 0
    var lastNumber: UInt64
    var saidStreamsAt = ClockReading.zero
    var tickCount = 0

    init(firstNumber: UInt64, mutations: ReplicationMutations) {
        ledger = BodyLedgerState(mutations: mutations)
        lastNumber = firstNumber
    }

    mutating func nextNumber() -> UInt64 {
        lastNumber += 1
        return lastNumber
    }
}

/// A client's body on its way to the members, at the node that receives it.
struct SimulatedUpload {
    /// What the writer waits for.
    enum Stage {
        case writes
        case waitsForRoom
        case finishes
        case waitsForQuorum
        /// A quorum holds it.
        case isOver
    }

    var upload: BodyUpload
    /// Who waits for it; nil: its body has been named, or was to be.
    var client: Int?
    var action: Action
    var length: UInt64
    var stage = Stage.writes
    /// The node's own store goes on.
    var isLocal = true
    var holders: [NodeID] = []
}

/// A body that a peer sends, and what its task has still to write.
struct SimulatedReception {
    enum Step {
        case data(UInt64)
        case finish
        case abort
    }

    var incoming: IncomingBody
    var steps: [Step] = []
    var isWriting = false
    var written: UInt64 = 0
}

/// The task that acts upon the ledger.
struct SimulatedKeeper {
    var isBusy = false
    var lastPass: ClockReading?
    var reported: BodyReport?
    var fetch: SimulatedFetch?
    /// Files that a pass found unnamed for as long as the grace time, which are being abandoned; and all that it found.
    var due: [BodyID] = []
    var unnamed: Set<BodyID> = []
}

/// A body that is fetched from a peer.
struct SimulatedFetch {
    var body: StoredBody
    var offset: UInt64 = 0
    /// Who may still be asked for the next piece.
    var peers: [NodeID]
    var preferred: NodeID?
    /// The read under way, and until when it is waited for.
    var request: (number: UInt64, deadline: ClockReading)?
}

enum KeeperStep {
    /// The files of what was named were looked for.
    case looked([StoredBody], isThere: [Bool])
    /// What was to be deleted was looked up among the names.
    case discard([BodyID])
    /// All names were compared with the files.
    case compared(missing: [StoredBody], upTo: LogIndex)
    case abandonNext
    case fetchNext
    case readNext
    /// What was fetched is to be durable now.
    case store
}

/// Times and sizes of a run; bodies are some pieces long.
struct BodyTimes {
    static let pieceByteCount: UInt64 = 64

    var grace: UInt64
    var pass: UInt64
    /// Milliseconds between two bodies that are fetched: repair has a rate.
    var repair: UInt64
    var upload = BodyUploadSettings()
    let streamsMilliseconds: UInt64 = 200
    let receptionMilliseconds: UInt64 = 1_000
    let readMilliseconds: UInt64 = 300
    /// Of the node's own: between two looks of the exchange and the keeper.
    let ticksOfNode = 5
    let tickMilliseconds: UInt64 = 50

    init(_ random: inout SeededRandom, mutations: ReplicationMutations) {
        grace = random.pick([400, 1_500])
        pass = random.pick([200, 1_000])
        repair = random.pick([0, 500, 3_000])
        upload.windowByteCount = Int(Self.pieceByteCount) * random.next(in: 1...3)
        upload.patienceMilliseconds = random.pick([0, 100])
        upload.stallMilliseconds = 400
        upload.mutations = mutations
    }
}

extension BodyMessage {
    /// Bytes of which only the number counts.
    static func content(byteCount: UInt64) -> ByteBuffer { ByteBuffer(repeating: 0, count: Int(byteCount)) }
}
