public import ObjectDataStore

/// The unit of replication: one write as it goes through the log, and as `MetadataStateMachine` applies it, once, on each replica.
///
/// Everything that the result depends on is in it or in the replicated state: replicas that apply the same operations in the
/// same order hold the same bytes. docs/formats/operation.md has its layout.
public struct MetadataOperation: Hashable, Sendable {
    /// At most so many changes in one `batchOps`: what a DeleteObjects request may hold.
    public static let batchCountMax = 1000

    /// Ascending for its proposer. It names the operation in results and logs; `apply` does not depend on it.
    public var opID: UInt64
    /// Milliseconds UTC, taken once by the proposer, so that each replica writes the same times.
    public var timestamp: UInt64
    public var payload: Payload
    /// The nodes that hold the stored body that the payload names, as its proposer knows; ascending. Empty where it names none, and on a
    /// single node.
    package var bodyHolders: [UInt64] = []

    /// What an operation does: one change, or several in order, each of which may fail without stopping the others.
    public enum Payload: Hashable, Sendable {
        case change(MetadataChange)
        case batchOps([MetadataChange])
    }

    public init(opID: UInt64, timestamp: UInt64, payload: Payload) {
        self.opID = opID
        self.timestamp = timestamp
        self.payload = payload
    }

    public init(opID: UInt64, timestamp: UInt64, change: MetadataChange) {
        self.init(opID: opID, timestamp: timestamp, payload: .change(change))
    }

    public var opType: OperationType {
        switch payload {
        case .change(let change): change.opType
        case .batchOps: .batchOps
        }
    }
}

extension MetadataOperation.Payload {
    /// A record of one of its changes is to name a stored body.
    package var namesBody: Bool {
        switch self {
        case .change(let change): change.storedBody != nil
        case .batchOps(let changes): changes.contains { $0.storedBody != nil }
        }
    }
}

/// What kind of operation it is; the number is what the binary layout holds.
public enum OperationType: UInt8, Sendable, CaseIterable {
    case putObject = 1
    case deleteObject = 2
    case updateMetadata = 3
    case batchOps = 4
    case createBucket = 5
    case deleteBucket = 6
    case setBucketVersioning = 7
    case createMultipartUpload = 8
    case putPart = 9
    case completeMultipartUpload = 10
    case abortMultipartUpload = 11
    case setObjectTagging = 12
    case setBucketTagging = 13
    case abandonBodies = 14
}

/// One change of the metadata, with its request.
public enum MetadataChange: Hashable, Sendable {
    case putObject(PutObject)
    case deleteObject(DeleteObject)
    case updateMetadata(UpdateObjectMetadata)
    case createBucket(CreateBucket)
    case deleteBucket(DeleteBucket)
    case setBucketVersioning(SetBucketVersioning)
    case createMultipartUpload(CreateMultipartUpload)
    case putPart(PutPart)
    case completeMultipartUpload(CompleteMultipartUpload)
    case abortMultipartUpload(MultipartUploadReference)
    case setObjectTagging(SetObjectTagging)
    case setBucketTagging(SetBucketTagging)
    /// Of uploads that came to no record: none may name them from now on. At most `MetadataOperation.batchCountMax`.
    case abandonBodies([BodyID])

    public var opType: OperationType {
        switch self {
        case .putObject: .putObject
        case .deleteObject: .deleteObject
        case .updateMetadata: .updateMetadata
        case .createBucket: .createBucket
        case .deleteBucket: .deleteBucket
        case .setBucketVersioning: .setBucketVersioning
        case .createMultipartUpload: .createMultipartUpload
        case .putPart: .putPart
        case .completeMultipartUpload: .completeMultipartUpload
        case .abortMultipartUpload: .abortMultipartUpload
        case .setObjectTagging: .setObjectTagging
        case .setBucketTagging: .setBucketTagging
        case .abandonBodies: .abandonBodies
        }
    }

    /// The body that a record of the change is to name.
    package var storedBody: StoredBody? {
        let body: ObjectBody
        switch self {
        case .putObject(let request): body = request.body
        case .putPart(let request): body = request.body
        case .deleteObject, .updateMetadata, .createBucket, .deleteBucket, .setBucketVersioning, .createMultipartUpload,
            .completeMultipartUpload, .abortMultipartUpload, .abandonBodies, .setObjectTagging, .setBucketTagging:
            return nil
        }
        if case .stored(let stored) = body { return stored }
        return nil
    }
}
