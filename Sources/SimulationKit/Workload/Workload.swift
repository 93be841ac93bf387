import Metadata
import ObjectDataStore
import Raft
import Replication

/// Clients that put, read, delete, list and upload through any node, one operation at a time each, and the history of what they saw.
///
/// A value stands for an object's content and its entity tag, and no two writes have the same one.
struct Workload {
    /// What a client is doing.
    enum State {
        case idle
        case waits(UInt64)
        /// A body, by way of that node.
        case uploads(ProcessReference, BodyMessage.Stream)
    }

    struct Call {
        var client: Int
        var node: ProcessReference
        var action: Action
        var invoked: UInt64
        /// What was committed anywhere when it was called.
        var committedAtCall: LogIndex
        var level = WriteLevel.majority
        /// Of a write: what names it.
        var number: UInt64 = 0
        /// Of a write that names one.
        var body: StoredBody?
        var read: ReadRequest?
    }

    static let owner = Owner(canonicalID: "simulated", displayName: "")
    /// A few keys take most of the load.
    static let plainBucket = "plain"
    static let versionedBucket = "versioned"
    /// So small that it is also judged as a whole.
    static let smallBucket = "small"
    static let buckets = [plainBucket, versionedBucket, smallBucket]

    var clients: [State]
    var calls: [UInt64: Call] = [:]
    var operationCount: UInt64 = 0
    /// Buckets are there, and versioned where they should be.
    var setUpCount = 0
    /// An upload of each client that has been begun, with its one part.
    var uploads: [Int: Upload] = [:]
    var isStopping = false
    var random: SeededRandom
    let isHot: Bool
    let hasOversized: Bool

    var objects = KeyedHistory()
    var small: [HistoryOperation<BucketModel>] = []

    struct Upload {
        var id: UploadID
        var object: KeyedHistory.Object
        var part: ETag?
    }

    init(clientCount: Int, settings: SimulationSettings, random: SeededRandom) {
        clients = Array(repeating: .idle, count: clientCount)
        self.random = random
        isHot = self.random.chance(1, in: 2)
        hasOversized = settings.faults.contains(.oversizedProposals)
    }

    static let setUpActionCount = 4
    var isSetUp: Bool { setUpCount >= Self.setUpActionCount }

    // MARK: What to do next

    mutating func nextAction(of client: Int) -> Action? {
        guard isSetUp else { return client == 0 ? setUpAction : nil }
        if let upload = uploads[client], random.chance(1, in: 2) { return nextAction(of: upload) }
        let object = drawObject()
        switch random.next(below: 32) {
        case 0..<10: return .put(object, value: 0, condition: .none)
        case 10..<13: return .put(object, value: 0, condition: .absent)
        case 13..<16: return .put(object, value: 0, condition: .matches(drawExpected()))
        case 16..<18: return .delete(object, condition: .none)
        case 18: return .delete(object, condition: .matches(drawExpected()))
        case 19..<25: return .get(object)
        case 25..<28: return .list(random.chance(1, in: 2) ? Self.smallBucket : random.pick(Self.buckets))
        case 28:
            return .deleteAll(
                bucket: Self.smallBucket, keys: Array(Self.keys(of: Self.smallBucket).prefix(random.next(in: 1...3))))
        case 29: return uploads[client] == nil ? .beginUpload(object) : .get(object)
        case 30 where hasOversized: return .putLarge(byteCount: Simulation.proposalByteCountMax + random.next(in: -200...200))
        default: return .putEventually(key: "e\(random.next(below: 4))")
        }
    }

    private func nextAction(of upload: Upload) -> Action {
        upload.part == nil ? .putPart(upload) : .complete(upload)
    }

    private var setUpAction: Action {
        switch setUpCount {
        case 0: .createBucket(Self.plainBucket)
        case 1: .createBucket(Self.versionedBucket)
        case 2: .createBucket(Self.smallBucket)
        default: .enableVersioning(Self.versionedBucket)
        }
    }

    static func keys(of bucket: String) -> [String] {
        bucket == smallBucket ? ["a", "b", "c"] : ["k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7"]
    }

    private mutating func drawObject() -> KeyedHistory.Object {
        let bucket = random.pick([Self.plainBucket, Self.plainBucket, Self.versionedBucket, Self.smallBucket])
        let keys = Self.keys(of: bucket)
        let key = isHot && random.chance(3, in: 4) ? keys[0] : random.pick(keys)
        return KeyedHistory.Object(bucket: bucket, key: key)
    }

    /// One of the newest values: now and then the right one.
    private mutating func drawExpected() -> UInt64 {
        operationCount - min(operationCount, UInt64(random.next(below: 6)))
    }

    mutating func drawConsistency() -> ReadConsistency {
        switch random.next(below: 8) {
        case 0: .eventual
        case 1, 2: .boundedStaleness(maxStalenessMilliseconds: UInt64(random.pick([20, 100, 500])))
        default: .linearizable
        }
    }

    mutating func drawLevel() -> WriteLevel { random.chance(1, in: 16) ? .all : .majority }
}
