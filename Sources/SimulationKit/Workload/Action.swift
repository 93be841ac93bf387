import Crypto
import Metadata
import NIOCore
import ObjectDataStore

/// What a client does with the store.
enum Action {
    enum Condition: Hashable {
        case none
        /// If-None-Match: `*`.
        case absent
        /// If-Match.
        case matches(UInt64)
    }

    case put(KeyedHistory.Object, value: UInt64, condition: Condition)
    case delete(KeyedHistory.Object, condition: Condition)
    case get(KeyedHistory.Object)
    case list(String)
    case deleteAll(bucket: String, keys: [String])
    case beginUpload(KeyedHistory.Object)
    case putPart(Workload.Upload)
    case complete(Workload.Upload)
    /// With a body about as large as a proposal may be.
    case putLarge(byteCount: Int)
    /// Of no interest to the history: it may be acknowledged by the leader alone.
    case putEventually(key: String)
    /// What a node does by itself: nothing has named these bodies for long.
    case abandon([BodyID])
    case createBucket(String)
    case enableVersioning(String)

    var isRead: Bool {
        switch self {
        case .get, .list: true
        case .put, .delete, .deleteAll, .beginUpload, .putPart, .complete, .putLarge, .putEventually, .abandon, .createBucket,
            .enableVersioning:
            false
        }
    }

    /// Whether what it puts may be a large body.
    var putsBody: Bool {
        switch self {
        case .put, .putPart: true
        case .delete, .get, .list, .deleteAll, .beginUpload, .complete, .putLarge, .putEventually, .abandon, .createBucket,
            .enableVersioning:
            false
        }
    }

    // MARK: As an operation

    /// - Parameters:
    ///   - number: what names the operation, and is the value that a put puts.
    ///   - body: that was uploaded for it; nil: it is inline.
    func payload(number: UInt64, body: StoredBody? = nil) -> MetadataOperation.Payload? {
        let content = body.map { ObjectBody.stored($0) } ?? .inline(ByteBuffer(integer: number))
        return switch self {
        case .put(let object, _, let condition):
            .change(.putObject(Self.put(object.bucket, object.key, number, content, conditions: Self.conditions(condition))))
        case .delete(let object, let condition):
            .change(.deleteObject(Self.delete(object.bucket, object.key, Self.conditions(condition))))
        case .get, .list: nil
        case .deleteAll(let bucket, let keys):
            .batchOps(keys.map { .deleteObject(Self.delete(bucket, $0, WriteConditions())) })
        case .beginUpload(let object):
            .change(
                .createMultipartUpload(
                    CreateMultipartUpload(
                        bucket: Self.reference(object.bucket), key: Self.key(object.key), attributes: ObjectAttributes(),
                        owner: Workload.owner)))
        case .putPart(let upload):
            .change(
                .putPart(
                    PutPart(
                        upload: Self.reference(upload), number: 1, body: content,
                        etag: ETag(high: 0, low: number), checksum: nil)))
        case .complete(let upload):
            .change(
                .completeMultipartUpload(
                    CompleteMultipartUpload(
                        upload: Self.reference(upload),
                        parts: upload.part.map { [CompletedPart(number: 1, etag: .tag($0), checksum: nil)] } ?? [])))
        case .putLarge(let byteCount):
            .change(
                .putObject(
                    Self.put(
                        Workload.plainBucket, "large", number,
                        .inline(ByteBuffer(repeating: UInt8(truncatingIfNeeded: number), count: byteCount)))))
        case .putEventually(let key): .change(.putObject(Self.put(Workload.plainBucket, key, number, content)))
        case .abandon(let ids): .change(.abandonBodies(ids))
        case .createBucket(let name): .change(.createBucket(CreateBucket(name: name, owner: Workload.owner, location: "")))
        case .enableVersioning(let name):
            .change(.setBucketVersioning(SetBucketVersioning(bucket: Self.reference(name), versioning: .enabled)))
        }
    }

    private static func put(
        _ bucket: String, _ key: String, _ number: UInt64, _ body: ObjectBody,
        conditions: WriteConditions = WriteConditions()
    ) -> PutObject {
        PutObject(
            bucket: reference(bucket), key: self.key(key), body: body,
            etag: ETag(high: 0, low: number), owner: Workload.owner, conditions: conditions)
    }

    private static func delete(_ bucket: String, _ key: String, _ conditions: WriteConditions) -> DeleteObject {
        DeleteObject(bucket: reference(bucket), key: self.key(key), owner: Workload.owner, conditions: conditions)
    }

    private static func conditions(_ condition: Condition) -> WriteConditions {
        switch condition {
        case .none: WriteConditions()
        case .absent: WriteConditions(ifNoneMatch: [.any])
        case .matches(let value): WriteConditions(ifMatch: [.tag(ETag(high: 0, low: value))])
        }
    }

    static func reference(_ bucket: String) -> BucketReference { BucketReference(name: bucket, requiredOwner: nil) }

    private static func reference(_ upload: Workload.Upload) -> MultipartUploadReference {
        MultipartUploadReference(
            bucket: reference(upload.object.bucket), key: key(upload.object.key), uploadID: upload.id)
    }

    static func key(_ key: String) -> ObjectKey { ObjectKey(validated: Array(key.utf8)) }

    /// The value that an entity tag stands for. Tags of uploads are hashes, of which half is enough.
    static func value(_ etag: ETag) -> UInt64 { etag.partCount == 0 ? etag.low : etag.high ^ etag.low }

    /// The tag of an upload is the hash of its parts' tags.
    static func value(ofUploadWith part: ETag) -> UInt64 {
        var bytes: [UInt8] = []
        for word in [part.high, part.low] {
            for shift in stride(from: 56, through: 0, by: -8) { bytes.append(UInt8(truncatingIfNeeded: word >> UInt64(shift))) }
        }
        return value(ETag(md5: Insecure.MD5.hash(data: bytes), partCount: 1))
    }
}
