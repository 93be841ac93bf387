import Metadata
import NIOCore
import ObjectDataStore
import Testing

@Suite struct OperationCodecTests {
    static let attributes = ObjectAttributes(
        contentType: "text/plain", contentLanguage: "", storageClass: "STANDARD_IA",
        userMetadata: [MetadataField(name: "n", value: "ä"), MetadataField(name: "", value: "")])
    static let conditions = WriteConditions(
        ifMatch: [.any, .tag(ETag(high: 1, low: 2, partCount: 3))], ifNoneMatch: [.foreign],
        ifMatchLastModifiedMilliseconds: 1, ifMatchSize: 0)
    static let checksum = ObjectChecksum(algorithm: .crc32c, kind: .fullObject, digest: [1, 2, 3, 4])
    static let reference = BucketReference(name: "bucket", requiredOwner: "someone")
    static let key = ObjectKey(validated: Array("a\0/ключ".utf8))
    static let owner = Owner(canonicalID: "id", displayName: "")
    static let upload = MultipartUploadReference(
        bucket: reference, key: key, uploadID: UploadID(position: CommitPosition(index: 1 << 50, offset: 7)))

    static let changes: [MetadataChange] = [
        .putObject(
            PutObject(
                bucket: reference, key: key, body: .inline(ByteBuffer(bytes: [0, 1, 255])), etag: ETag(high: 1, low: 2),
                checksum: checksum, attributes: attributes, owner: owner, conditions: conditions)),
        .putObject(
            PutObject(
                bucket: BucketReference(name: "", requiredOwner: nil), key: key,
                body: .stored(StoredBody(id: BodyID(origin: 1, sequence: 2), length: 3)), etag: ETag(high: 1, low: 2),
                owner: owner)),
        .deleteObject(DeleteObject(bucket: reference, key: key, owner: owner)),
        .deleteObject(DeleteObject(bucket: reference, key: key, versionID: .null, owner: owner, conditions: conditions)),
        .deleteObject(
            DeleteObject(
                bucket: reference, key: key, versionID: .version(CommitPosition(index: 3, offset: 4)), owner: owner)),
        .updateMetadata(
            UpdateObjectMetadata(
                bucket: reference, key: key, expectedETag: ETag(high: 5, low: 6), attributes: attributes, keepsTags: true,
                conditions: conditions)),
        .createBucket(CreateBucket(name: "bucket", owner: owner, location: "here")),
        .deleteBucket(DeleteBucket(bucket: reference)),
        .setBucketVersioning(SetBucketVersioning(bucket: reference, versioning: .suspended)),
        .createMultipartUpload(
            CreateMultipartUpload(
                bucket: reference, key: key, attributes: attributes, owner: owner, checksumAlgorithm: .sha256,
                checksumKind: .composite)),
        .createMultipartUpload(
            CreateMultipartUpload(bucket: reference, key: key, attributes: ObjectAttributes(), owner: owner)),
        .putPart(
            PutPart(
                upload: upload, number: 10_000, body: .inline(ByteBuffer()), etag: ETag(high: 1, low: 2), checksum: checksum)),
        .completeMultipartUpload(
            CompleteMultipartUpload(
                upload: upload,
                parts: [
                    CompletedPart(number: 1, etag: .tag(ETag(high: 1, low: 2)), checksum: checksum),
                    CompletedPart(number: 2, etag: .foreign, checksum: nil),
                ], checksum: checksum, expectedSize: 9, conditions: conditions)),
        .abortMultipartUpload(upload),
        .setObjectTagging(SetObjectTagging(bucket: reference, key: key, tags: attributes.tags)),
        .setObjectTagging(SetObjectTagging(bucket: reference, key: key, versionID: .null, tags: [])),
        .setObjectTagging(
            SetObjectTagging(
                bucket: reference, key: key, versionID: .version(CommitPosition(index: 3, offset: 4)), tags: attributes.tags)),
        .setBucketTagging(SetBucketTagging(bucket: reference, tags: attributes.tags)),
        .setBucketTagging(SetBucketTagging(bucket: reference, tags: [])),
        .abandonBodies([]),
        .abandonBodies([BodyID(origin: 1, sequence: 2), BodyID(origin: .max, sequence: 0)]),
    ]

    static let operations: [MetadataOperation] =
        changes.map { MetadataOperation(opID: 1 << 63 | 5, timestamp: 1_700_000_000_000, change: $0) } + [
            MetadataOperation(opID: 0, timestamp: 0, payload: .batchOps([])),
            MetadataOperation(opID: 1, timestamp: 2, payload: .batchOps(changes)),
        ]

    @Test("An operation whose body's holders are named comes back with them; each has one form")
    func holders() throws {
        var operation = MetadataOperation(opID: 1, timestamp: 2, change: Self.changes[1])
        operation.bodyHolders = [1, 7, .max]
        let buffer = Self.encode(operation)
        #expect(try MetadataOperation(decoding: buffer) == operation)
        // Bytes 18…: the count, then 8 for each.
        for (offset, byte) in [(18, UInt8(0)), (18, 2), (18, 4), (19, 9), (0, 1)] {
            var damaged = buffer
            damaged.setInteger(byte, at: offset)
            #expect(throws: MetadataOperation.DecodingError.self) { try MetadataOperation(decoding: damaged) }
        }
    }

    static func encode(_ operation: MetadataOperation) -> ByteBuffer {
        var buffer = ByteBuffer()
        operation.encode(into: &buffer)
        return buffer
    }

    @Test("Operations come back as they were written", arguments: operations)
    func roundTrip(operation: MetadataOperation) throws {
        let buffer = Self.encode(operation)
        #expect(try MetadataOperation(decoding: buffer) == operation)
        #expect(operation.encoded == Array(buffer: buffer))
        #expect(buffer.readableBytes == MetadataOperation.headerByteCount + operation.data.readableBytes)
    }

    @Test("There is an example of every type here")
    func complete() {
        #expect(Set(Self.operations.map(\.opType)) == Set(OperationType.allCases))
    }

    @Test("An operation cut short anywhere, or with bytes behind it, is refused", arguments: operations)
    func cutShort(operation: MetadataOperation) {
        var buffer = Self.encode(operation)
        for length in 0..<buffer.readableBytes {
            let prefix = ByteBuffer(buffer.readableBytesView.prefix(length))
            #expect(throws: MetadataOperation.DecodingError.self) { try MetadataOperation(decoding: prefix) }
        }
        buffer.writeInteger(UInt8(0))
        let longer = buffer
        #expect(throws: MetadataOperation.DecodingError.self) { try MetadataOperation(decoding: longer) }
    }

    @Test("An operation with any byte changed is refused, or encodes to exactly those bytes", arguments: operations)
    func flipped(operation: MetadataOperation) {
        let original = Array(buffer: Self.encode(operation))
        for position in original.indices {
            for mask: UInt8 in [0x01, 0x02, 0x80, 0xFF] {
                var bytes = original
                bytes[position] ^= mask
                guard let read = try? MetadataOperation(decoding: ByteBuffer(bytes: bytes)) else { continue }
                if Array(buffer: Self.encode(read)) != bytes { Issue.record("byte \(position) ^ \(mask)") }
            }
        }
    }

    @Test("Random bytes behind a valid header are refused or encode to themselves", arguments: UInt64(1)...20)
    func random(seed: UInt64) {
        var random = ApplyRandom(seed: seed)
        for _ in 0..<2_000 {
            var bytes: [UInt8] = [MetadataOperation.layoutVersion, UInt8(random.below(16))]
            // Mostly small numbers, so that lengths and presence bytes are often plausible.
            for _ in 0..<random.below(120) {
                bytes.append(UInt8(random.chance(3, in: 4) ? random.below(3) : random.below(256)))
            }
            guard let read = try? MetadataOperation(decoding: ByteBuffer(bytes: bytes)) else { continue }
            if Array(buffer: Self.encode(read)) != bytes { Issue.record("seed \(seed): \(bytes)") }
        }
    }

    @Test("A batch in a batch, and one of too many members, are refused")
    func nested() {
        let header: [UInt8] = [MetadataOperation.layoutVersion, 4] + [UInt8](repeating: 0, count: 16)
        let nested = ByteBuffer(bytes: header + [1, 0, 0, 0] + [4, 0, 0, 0, 0])
        #expect(throws: MetadataOperation.DecodingError("a batch stands in a batch")) {
            try MetadataOperation(decoding: nested)
        }
        let change = MetadataChange.deleteBucket(DeleteBucket(bucket: BucketReference(name: "b", requiredOwner: nil)))
        let many = MetadataOperation(
            opID: 1, timestamp: 1, payload: .batchOps(Array(repeating: change, count: MetadataOperation.batchCountMax + 1)))
        #expect(throws: MetadataOperation.DecodingError("a batch has too many members")) {
            try MetadataOperation(decoding: Self.encode(many))
        }
    }

    @Test("A count that the input cannot hold is refused before memory is reserved for it")
    func hugeCount() {
        var buffer = Self.encode(Self.operations[0])
        // The length of the bucket's name.
        buffer.setInteger(UInt32.max, at: MetadataOperation.headerByteCount)
        let hostile = buffer
        #expect(throws: MetadataOperation.DecodingError("it counts more than it holds")) {
            try MetadataOperation(decoding: hostile)
        }
    }
}
