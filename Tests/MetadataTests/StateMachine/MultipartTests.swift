import Checksum
import Crypto
import KeyValueStore
import Metadata
import NIOCore
import ObjectDataStore
import Testing

@Suite struct MultipartTests {
    private static let partSize: UInt64 = 5 << 20

    private static func started(
        algorithm: ChecksumAlgorithm? = nil, kind: ObjectChecksum.Kind? = nil
    ) throws -> (ApplyHarness, MultipartUploadReference) {
        var harness = try ApplyHarness()
        try harness.make(Sample.createBucket("b"))
        let id = try #require(try harness.make(Sample.createUpload("b", "k", algorithm: algorithm, kind: kind)).uploadID)
        return (harness, Sample.upload("b", "k", id))
    }

    @Test("Parts become an object: stored bodies stay, the small last part moves into the object, unnamed parts are released")
    func complete() throws {
        var (harness, upload) = try Self.started()
        try harness.make(Sample.part(upload, 1, Sample.stored(1, length: Self.partSize)))
        try harness.make(Sample.part(upload, 3, Sample.stored(3, length: Self.partSize + 1)))
        try harness.make(Sample.part(upload, 5, Sample.stored(5, length: 1)))
        try harness.make(Sample.part(upload, 9, Sample.inline("tail")))
        #expect(try harness.counters(of: "b") == BucketCounters())
        try harness.expectConsistent("parts put")
        let result = try #require(try harness.make(Sample.complete(upload, [1, 3, 9]), timestamp: 9_000).putResult)
        #expect(harness.effects.releasedBodies == [Sample.bodyID(5)])
        #expect(result.size == 2 * Self.partSize + 5 && result.etag.partCount == 3 && result.lastModifiedMilliseconds == 9_000)
        var md5s: [UInt8] = []
        for number: UInt8 in [1, 3, 9] { md5s += [UInt8](repeating: 0, count: 15) + [number] }
        #expect(result.etag == ETag(md5: Insecure.MD5.hash(data: md5s), partCount: 3))
        let version = try #require(try harness.versions(of: "k", in: "b").first)
        #expect(version.record.flags == [.isNull, .hasManifest, .hasInline])
        #expect(version.record.attributes.contentType == "text/plain")
        #expect(try harness.counters(of: "b") == BucketCounters(objects: 1, versions: 1, bytes: result.size))
        try harness.expectConsistent("completed")
        // Its bodies go with it.
        try harness.make(Sample.delete("b", "k"))
        #expect(harness.effects.releasedBodies == [Sample.bodyID(1), Sample.bodyID(3)])
        try harness.expectConsistent("deleted")
        try harness.make(Sample.deleteBucket("b"))
        // Nothing is left but the number of the next bucket, the format and the applied index.
        #expect(try harness.contents().map(\.count) == [4, 0, 0, 0, 0, 0, 0, 0])
    }

    @Test("A part put again replaces the first one, and its body is released")
    func replacePart() throws {
        var (harness, upload) = try Self.started()
        for (body, released) in [
            (Sample.stored(1), []), (Sample.stored(2), [Sample.bodyID(1)]), (Sample.inline("x"), [Sample.bodyID(2)]),
            (Sample.inline(""), []), (Sample.stored(3), []),
        ] {
            try harness.make(Sample.part(upload, 1, body))
            #expect(harness.effects.releasedBodies == released)
            try harness.expectConsistent()
        }
        try harness.make(.abortMultipartUpload(upload))
        #expect(harness.effects.releasedBodies == [Sample.bodyID(3)])
        try harness.expectConsistent()
        #expect(try harness.refusal(.abortMultipartUpload(upload)) == .noSuchUpload)
    }

    @Test("A completion that comes again answers the same while its version is there, and never for other parts")
    func repeated() throws {
        var (harness, upload) = try Self.started()
        try harness.make(Sample.part(upload, 1, Sample.stored(1, length: Self.partSize)))
        try harness.make(Sample.part(upload, 2, Sample.inline("x")))
        let first = try harness.make(Sample.complete(upload, [1, 2]), timestamp: 5_000)
        #expect(try harness.make(Sample.complete(upload, [1, 2]), timestamp: 6_000) == first)
        #expect(try harness.refusal(Sample.complete(upload, [1])) == .noSuchUpload)
        let elsewhere = Sample.upload("b", "other", upload.uploadID)
        #expect(try harness.refusal(Sample.complete(elsewhere, [1, 2])) == .noSuchUpload)
        try harness.make(Sample.put("b", "k"))
        #expect(try harness.refusal(Sample.complete(upload, [1, 2])) == .noSuchUpload)
        try harness.expectConsistent()
    }

    @Test("What is wrong with a completion is told, and the upload stays")
    func refusals() throws {
        var (harness, upload) = try Self.started()
        try harness.make(Sample.part(upload, 1, Sample.stored(1, length: Self.partSize)))
        try harness.make(Sample.part(upload, 2, Sample.stored(2, length: Self.partSize - 1)))
        try harness.make(Sample.part(upload, 3, Sample.inline("x")))
        func etag(_ match: ETagMatch) -> MetadataChange {
            .completeMultipartUpload(
                CompleteMultipartUpload(upload: upload, parts: [CompletedPart(number: 1, etag: match, checksum: nil)]))
        }
        let sum = ObjectChecksum(algorithm: .crc32, kind: .fullObject, digest: [1, 2, 3, 4])
        for (change, code) in [
            (Sample.complete(upload, []), MetadataError.Code.invalidArgument),
            (Sample.complete(upload, [2, 1]), .invalidPartOrder), (Sample.complete(upload, [1, 1]), .invalidPartOrder),
            (Sample.complete(upload, [1, 4]), .invalidPart), (etag(.any), .invalidPart), (etag(.foreign), .invalidPart),
            (etag(.tag(ETag(high: 0, low: 1, partCount: 1))), .invalidPart),
            (Sample.complete(upload, [1, 2, 3]), .entityTooSmall),
            (Sample.complete(upload, [1, 3], expectedSize: 1), .invalidArgument),
            (Sample.complete(upload, [1, 3], checksum: sum), .checksumMismatch),
            (Sample.complete(upload, [1, 3], conditions: WriteConditions(ifMatch: [.any])), .noSuchKey),
        ] {
            #expect(try harness.refusal(change) == code)
        }
        try harness.make(Sample.complete(upload, [1, 2], expectedSize: 2 * Self.partSize - 1))
        try harness.expectConsistent()
    }

    @Test("A part of a wrong number, of another algorithm, or of a missing upload is refused, and its body released")
    func partRefusals() throws {
        var (harness, upload) = try Self.started(algorithm: .sha1)
        let crc = ObjectChecksum(algorithm: .crc32, kind: .fullObject, digest: [1, 2, 3, 4])
        let short = ObjectChecksum(algorithm: .sha1, kind: .fullObject, digest: [1])
        let missing = Sample.upload("b", "k", UploadID(position: CommitPosition(index: 99, offset: 0)))
        for (change, code) in [
            (Sample.part(upload, 0, Sample.stored(1)), MetadataError.Code.invalidArgument),
            (Sample.part(upload, 10_001, Sample.stored(1)), .invalidArgument),
            (Sample.part(upload, 1, Sample.stored(1), checksum: crc), .invalidArgument),
            (Sample.part(upload, 1, Sample.stored(1), checksum: short), .invalidArgument),
            (Sample.part(missing, 1, Sample.stored(1)), .noSuchUpload),
        ] {
            #expect(try harness.refusal(change) == code)
            #expect(harness.effects.releasedBodies == [Sample.bodyID(1)])
        }
    }

    @Test("A body that something needs already cannot be named again, and is not released by the refusal")
    func bodyNamedTwice() throws {
        var (harness, upload) = try Self.started()
        try harness.make(Sample.put("b", "k", Sample.stored(1)))
        try harness.make(Sample.part(upload, 1, Sample.stored(2)))
        for change in [
            Sample.put("b", "other", Sample.stored(1)), Sample.put("b", "other", Sample.stored(2)),
            Sample.part(upload, 2, Sample.stored(1)), Sample.part(upload, 1, Sample.stored(2)),
        ] {
            #expect(try harness.refusal(change) == .invalidArgument)
            #expect(harness.effects.releasedBodies == [])
        }
        try harness.expectConsistent()
    }

    // MARK: Checksums

    private static func digest(_ algorithm: ChecksumAlgorithm, _ bytes: [UInt8]) -> [UInt8] {
        func bigEndian(_ value: some FixedWidthInteger) -> [UInt8] { withUnsafeBytes(of: value.bigEndian) { Array($0) } }
        return switch algorithm {
        case .crc32: bigEndian(bytes.withUnsafeBytes { CRC32.checksum($0) })
        case .crc32c: bigEndian(bytes.withUnsafeBytes { CRC32C.checksum($0) })
        case .crc64nvme: bigEndian(bytes.withUnsafeBytes { CRC64NVME.checksum($0) })
        case .sha1: Array(Insecure.SHA1.hash(data: bytes))
        case .sha256: Array(SHA256.hash(data: bytes))
        }
    }

    static let checksumCases: [(ChecksumAlgorithm, ObjectChecksum.Kind)] = [
        (.crc32, .fullObject), (.crc32c, .fullObject), (.crc64nvme, .fullObject), (.crc32, .composite), (.crc32c, .composite),
        (.sha1, .composite), (.sha256, .composite),
    ]

    @Test("An object's checksum is made of its parts': of all bytes, or of the parts' digests", arguments: checksumCases)
    func checksum(algorithm: ChecksumAlgorithm, kind: ObjectChecksum.Kind) throws {
        var (harness, upload) = try Self.started(algorithm: algorithm, kind: kind)
        let first = (0..<Int(Self.partSize)).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let last: [UInt8] = [1, 2, 3]
        for (number, bytes, body) in [
            (UInt16(1), first, Sample.stored(1, length: Self.partSize)), (2, last, .inline(ByteBuffer(bytes: last))),
        ] {
            let sum = ObjectChecksum(algorithm: algorithm, kind: .fullObject, digest: Self.digest(algorithm, bytes))
            try harness.make(Sample.part(upload, number, body, checksum: sum))
        }
        let expected =
            kind == .fullObject
            ? Self.digest(algorithm, first + last)
            : Self.digest(algorithm, Self.digest(algorithm, first) + Self.digest(algorithm, last))
        let given = ObjectChecksum(algorithm: algorithm, kind: kind, digest: expected)
        var wrong = given
        wrong.digest[0] ^= 1
        #expect(try harness.refusal(Sample.complete(upload, [1, 2], checksum: wrong)) == .checksumMismatch)
        #expect(try harness.make(Sample.complete(upload, [1, 2], checksum: given)).putResult?.checksum == given)
        #expect(try harness.versions(of: "k", in: "b").first?.record.checksum == given)
        try harness.expectConsistent()
    }

    @Test("Algorithms and types that do not go together are refused when the upload starts")
    func impossibleChecksums() throws {
        var (harness, _) = try Self.started()
        for (algorithm, kind) in [
            (ChecksumAlgorithm.sha1, ObjectChecksum.Kind.fullObject), (.sha256, .fullObject), (.crc64nvme, .composite),
            (nil, .composite),
        ] as [(ChecksumAlgorithm?, ObjectChecksum.Kind)] {
            #expect(try harness.refusal(Sample.createUpload("b", "x", algorithm: algorithm, kind: kind)) == .invalidArgument)
        }
    }
}
