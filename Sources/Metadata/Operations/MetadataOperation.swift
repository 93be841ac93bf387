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
        }
    }
}
