import KeyValueStore
import Metadata
import NIOCore
import ObjectDataStore
import Testing

/// A state machine over a store in memory, driven as the engine drives it: batches, commits, effects.
struct ApplyHarness {
    let store: InMemoryStore
    private(set) var machine: MetadataStateMachine
    /// Of the last batch.
    private(set) var effects = ApplyEffects()
    private(set) var index: UInt64 = 0

    init() throws {
        store = InMemoryStore(families: KeySchema.families)
        machine = try MetadataStateMachine(loading: store.makeSnapshot())
    }

    /// Opens a copy of another store.
    init(copying checkpoint: InMemoryStore.Checkpoint) throws {
        store = InMemoryStore(checkpoint: checkpoint)
        machine = try MetadataStateMachine(loading: store.makeSnapshot())
        index = machine.appliedIndex
    }

    /// Applies operations as one batch, and commits it.
    mutating func commit(_ payloads: [MetadataOperation.Payload], timestamp: UInt64 = 1_000) throws -> [MetadataOutcome] {
        let transaction = store.makeTransaction()
        let outcomes = try apply(payloads, timestamp: timestamp, in: transaction)
        try store.commit(transaction, durability: .buffered)
        return outcomes
    }

    /// Applies operations as one batch, and drops it: as when the commit fails.
    mutating func abandon(_ payloads: [MetadataOperation.Payload], timestamp: UInt64 = 1_000) throws {
        let indexBefore = index
        _ = try apply(payloads, timestamp: timestamp, in: store.makeTransaction())
        try reload()
        #expect(machine.appliedIndex == indexBefore)
        index = indexBefore
    }

    /// Discards the machine with its caches and loads another one from the store.
    mutating func reload() throws {
        machine = try MetadataStateMachine(loading: store.makeSnapshot())
    }

    private mutating func apply(
        _ payloads: [MetadataOperation.Payload], timestamp: UInt64, in transaction: InMemoryTransaction
    ) throws -> [MetadataOutcome] {
        effects = ApplyEffects()
        var outcomes: [MetadataOutcome] = []
        for payload in payloads {
            index += 1
            let operation = MetadataOperation(opID: index, timestamp: timestamp, payload: payload)
            outcomes.append(try machine.apply(operation, at: index, in: transaction, effects: &effects))
        }
        machine.finishBatch(in: transaction)
        return outcomes
    }

    // MARK: One change at a time

    @discardableResult
    mutating func attempt(_ change: MetadataChange, timestamp: UInt64 = 1_000) throws -> Result<MetadataReply, MetadataError> {
        let outcomes = try commit([.change(change)], timestamp: timestamp)
        guard case .change(let result)? = outcomes.first else {
            throw MetadataError(.invalidArgument, "a change answers one result")
        }
        return result
    }

    /// For changes that must succeed.
    @discardableResult
    mutating func make(_ change: MetadataChange, timestamp: UInt64 = 1_000) throws -> MetadataReply {
        try attempt(change, timestamp: timestamp).get()
    }

    /// The code of a change that must be refused, having written nothing.
    mutating func refusal(
        _ change: MetadataChange, sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> MetadataError.Code? {
        let digestBefore = machine.digest
        let contentsBefore = try contents()
        switch try attempt(change) {
        case .success(let reply):
            Issue.record("not refused: \(reply)", sourceLocation: sourceLocation)
            return nil
        case .failure(let error):
            #expect(machine.digest == digestBefore, sourceLocation: sourceLocation)
            #expect(try contents() == contentsBefore, sourceLocation: sourceLocation)
            return error.code
        }
    }

    // MARK: Looking

    /// Checks the whole store; the digest that the machine kept must be the one that the records add up to.
    func expectConsistent(_ comment: Comment? = nil, sourceLocation: SourceLocation = #_sourceLocation) throws {
        let report = try StateChecker.check(store.makeSnapshot())
        #expect(report.problems == [], comment, sourceLocation: sourceLocation)
        #expect(report.digest == machine.digest, comment, sourceLocation: sourceLocation)
        #expect(report.appliedIndex == machine.appliedIndex, comment, sourceLocation: sourceLocation)
    }

    /// All records but the applied index (which a refused change moves too).
    func contents() throws -> [[[UInt8]]] {
        let snapshot = store.makeSnapshot()
        return try KeySchema.families.map { family in
            var records: [[UInt8]] = []
            var cursor = try snapshot.makeCursor(in: family, from: nil, to: nil, tier: .all)
            try cursor.seekToFirst()
            while cursor.isValid {
                let key = cursor.withKey { $0.copy(0..<$0.byteCount) }
                if key != KeySchema.applied {
                    records.append(key)
                    records.append(cursor.withValue { $0.copy(0..<$0.byteCount) })
                }
                try cursor.next()
            }
            return records
        }
    }

    func counters(of bucket: String) throws -> BucketCounters? {
        let snapshot = store.makeSnapshot()
        guard
            let record = try StoredRecords.read(snapshot, KeySchema.bucket(bucket), in: KeySchema.buckets, BucketRecord.decode)
        else { return nil }
        return try StoredRecords.read(snapshot, KeySchema.counters(record.id), in: KeySchema.system, BucketCounters.decode)
    }

    func tags(of bucket: String) throws -> [ResourceTag] {
        let reader = MetadataReader(store.makeSnapshot(), tier: .all)
        guard let record = try reader.bucket(named: bucket) else { return [] }
        return try reader.tags(of: record)
    }

    /// The versions of a key, newest first.
    func versions(of key: String, in bucket: String) throws -> [(id: VersionID, record: VersionRecord)] {
        let snapshot = store.makeSnapshot()
        guard
            let record = try StoredRecords.read(snapshot, KeySchema.bucket(bucket), in: KeySchema.buckets, BucketRecord.decode)
        else { return [] }
        let objectKey = Array(key.utf8)
        var versions: [(id: VersionID, record: VersionRecord)] = []
        var cursor = try snapshot.makeCursor(
            in: KeySchema.objects, from: KeySchema.allOf(record.id, objectKey), to: KeySchema.past(record.id, objectKey),
            tier: .all)
        try cursor.seekToFirst()
        while cursor.isValid {
            let position = try #require(cursor.withKey { KeySchema.versionPosition(in: $0) })
            let version = try cursor.withValue { value in Result { try VersionRecord.decode(value) } }.get()
            versions.append((version.flags.versionID(at: position), version))
            try cursor.next()
        }
        return versions
    }
}

// MARK: Requests with the parts that most tests do not care about

enum Sample {
    static let owner = Owner(canonicalID: "owner-id", displayName: "owner")
    static let stranger = Owner(canonicalID: "stranger-id", displayName: "stranger")

    static func key(_ text: String) -> ObjectKey { ObjectKey(validated: Array(text.utf8)) }

    static func reference(_ bucket: String, owner: String? = nil) -> BucketReference {
        BucketReference(name: bucket, requiredOwner: owner)
    }

    static func createBucket(_ name: String, owner: Owner = owner) -> MetadataChange {
        .createBucket(CreateBucket(name: name, owner: owner, location: ""))
    }

    static func deleteBucket(_ name: String) -> MetadataChange {
        .deleteBucket(DeleteBucket(bucket: reference(name)))
    }

    static func versioning(_ bucket: String, _ versioning: BucketVersioning) -> MetadataChange {
        .setBucketVersioning(SetBucketVersioning(bucket: reference(bucket), versioning: versioning))
    }

    static func put(
        _ bucket: String, _ key: String, _ body: ObjectBody = inline("hello"), etag: ETag = ETag(high: 1, low: 2),
        conditions: WriteConditions = WriteConditions(), attributes: ObjectAttributes = ObjectAttributes()
    ) -> MetadataChange {
        .putObject(
            PutObject(
                bucket: reference(bucket), key: Sample.key(key), body: body, etag: etag, attributes: attributes,
                owner: owner, conditions: conditions))
    }

    static func delete(
        _ bucket: String, _ key: String, _ versionID: VersionID? = nil, conditions: WriteConditions = WriteConditions()
    ) -> MetadataChange {
        .deleteObject(
            DeleteObject(
                bucket: reference(bucket), key: Sample.key(key), versionID: versionID, owner: owner, conditions: conditions)
        )
    }

    static func inline(_ text: String) -> ObjectBody { .inline(ByteBuffer(string: text)) }

    static func stored(_ sequence: UInt64, length: UInt64 = 200_000) -> ObjectBody {
        .stored(StoredBody(id: BodyID(origin: 7, sequence: sequence), length: length))
    }

    static func bodyID(_ sequence: UInt64) -> BodyID { BodyID(origin: 7, sequence: sequence) }

    static func createUpload(
        _ bucket: String, _ key: String, algorithm: ChecksumAlgorithm? = nil, kind: ObjectChecksum.Kind? = nil
    ) -> MetadataChange {
        .createMultipartUpload(
            CreateMultipartUpload(
                bucket: reference(bucket), key: Sample.key(key), attributes: ObjectAttributes(contentType: "text/plain"),
                owner: owner, checksumAlgorithm: algorithm, checksumKind: kind))
    }

    static func upload(_ bucket: String, _ key: String, _ id: UploadID) -> MultipartUploadReference {
        MultipartUploadReference(bucket: reference(bucket), key: Sample.key(key), uploadID: id)
    }

    /// A part whose tag is its number.
    static func part(
        _ upload: MultipartUploadReference, _ number: UInt16, _ body: ObjectBody, checksum: ObjectChecksum? = nil
    ) -> MetadataChange {
        .putPart(
            PutPart(upload: upload, number: number, body: body, etag: partETag(number), checksum: checksum))
    }

    static func partETag(_ number: UInt16) -> ETag { ETag(high: 0, low: UInt64(number)) }

    static func complete(
        _ upload: MultipartUploadReference, _ numbers: [UInt16], checksum: ObjectChecksum? = nil, expectedSize: UInt64? = nil,
        conditions: WriteConditions = WriteConditions()
    ) -> MetadataChange {
        .completeMultipartUpload(
            CompleteMultipartUpload(
                upload: upload,
                parts: numbers.map { CompletedPart(number: $0, etag: .tag(partETag($0)), checksum: nil) },
                checksum: checksum, expectedSize: expectedSize, conditions: conditions))
    }
}

extension MetadataReply {
    var putResult: PutObjectResult? { if case .put(let result) = self { result } else { nil } }
    var deleteResult: DeleteObjectResult? { if case .deleted(let result) = self { result } else { nil } }
    var uploadID: UploadID? { if case .uploadCreated(let id) = self { id } else { nil } }
}
