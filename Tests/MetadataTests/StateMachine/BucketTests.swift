import KeyValueStore
import Metadata
import ObjectDataStore
import Testing

@Suite struct BucketTests {
    @Test("A bucket's name is taken until it is deleted, and says whether it is one's own")
    func names() throws {
        var harness = try ApplyHarness()
        try harness.make(Sample.createBucket("b"))
        #expect(harness.effects.changedBuckets == ["b"])
        #expect(try harness.refusal(Sample.createBucket("b")) == .bucketAlreadyOwnedByYou)
        #expect(try harness.refusal(Sample.createBucket("b", owner: Sample.stranger)) == .bucketAlreadyExists)
        try harness.make(Sample.deleteBucket("b"))
        #expect(harness.effects.changedBuckets == ["b"])
        #expect(try harness.refusal(Sample.deleteBucket("b")) == .noSuchBucket)
        try harness.make(Sample.createBucket("b", owner: Sample.stranger))
        try harness.expectConsistent()
    }

    @Test("Every change is refused in a bucket that is missing, or owned by somebody else")
    func ownership() throws {
        var harness = try ApplyHarness()
        try harness.make(Sample.createBucket("b", owner: Sample.stranger))
        let upload = UploadID(position: CommitPosition(index: 1, offset: 0))
        for (name, code) in [("missing", MetadataError.Code.noSuchBucket), ("b", .accessDenied)] {
            let reference = Sample.reference(name, owner: "owner-id")
            let key = Sample.key("k")
            let named = MultipartUploadReference(bucket: reference, key: key, uploadID: upload)
            let tag = ETag(high: 0, low: 0)
            let changes: [MetadataChange] = [
                .deleteBucket(DeleteBucket(bucket: reference)),
                .setBucketVersioning(SetBucketVersioning(bucket: reference, versioning: .enabled)),
                .putObject(PutObject(bucket: reference, key: key, body: Sample.inline(""), etag: tag, owner: Sample.owner)),
                .deleteObject(DeleteObject(bucket: reference, key: key, owner: Sample.owner)),
                .updateMetadata(
                    UpdateObjectMetadata(bucket: reference, key: key, expectedETag: tag, attributes: ObjectAttributes())),
                .createMultipartUpload(
                    CreateMultipartUpload(
                        bucket: reference, key: key, attributes: ObjectAttributes(), owner: Sample.owner)),
                .putPart(PutPart(upload: named, number: 1, body: Sample.inline(""), etag: tag, checksum: nil)),
                .completeMultipartUpload(CompleteMultipartUpload(upload: named, parts: [])),
                .abortMultipartUpload(named),
            ]
            for change in changes { #expect(try harness.refusal(change) == code, "\(change.opType)") }
        }
    }

    @Test("A bucket with a version or a marker stays; with uploads it goes, and their bodies are released")
    func notEmpty() throws {
        var harness = try ApplyHarness()
        try harness.make(Sample.createBucket("b"))
        try harness.make(Sample.versioning("b", .enabled))
        let marker = try harness.make(Sample.delete("b", "k")).deleteResult?.versionID
        #expect(try harness.refusal(Sample.deleteBucket("b")) == .bucketNotEmpty)
        try harness.make(Sample.delete("b", "k", marker))
        let id = try #require(try harness.make(Sample.createUpload("b", "k")).uploadID)
        try harness.make(Sample.part(Sample.upload("b", "k", id), 1, Sample.stored(1)))
        try harness.make(Sample.part(Sample.upload("b", "k", id), 2, Sample.inline("x")))
        try harness.make(Sample.deleteBucket("b"))
        #expect(harness.effects.releasedBodies == [Sample.bodyID(1)])
        try harness.expectConsistent()
    }

    @Test("A bucket with more uploads than one operation may abort stays")
    func tooManyUploads() throws {
        var harness = try ApplyHarness()
        try harness.make(Sample.createBucket("b"))
        let uploads = (0..<MetadataStateMachine.uploadsAbortedWithBucketCountMax).map { Sample.createUpload("b", "k\($0)") }
        _ = try harness.commit([.batchOps(uploads)])
        let last = try #require(try harness.make(Sample.createUpload("b", "k")).uploadID)
        #expect(try harness.refusal(Sample.deleteBucket("b")) == .bucketNotEmpty)
        try harness.make(.abortMultipartUpload(Sample.upload("b", "k", last)))
        try harness.make(Sample.deleteBucket("b"))
        try harness.expectConsistent()
    }

    @Test("Names, owners, attributes and digests beyond their limits are refused")
    func limits() throws {
        var harness = try ApplyHarness()
        try harness.make(Sample.createBucket("b"))
        let long = String(repeating: "x", count: RecordLimits.nameByteCountMax + 1)
        #expect(try harness.refusal(Sample.createBucket("")) == .invalidArgument)
        #expect(try harness.refusal(Sample.createBucket(long)) == .invalidArgument)
        #expect(
            try harness.refusal(Sample.createBucket("c", owner: Owner(canonicalID: long, displayName: ""))) == .limitExceeded)
        let wide = String(repeating: "x", count: RecordLimits.attributesByteCountMax)
        for attributes in [
            ObjectAttributes(contentType: wide), ObjectAttributes(storageClass: wide),
            ObjectAttributes(userMetadata: [MetadataField(name: wide, value: "")]),
            ObjectAttributes(
                userMetadata: Array(
                    repeating: MetadataField(name: "", value: ""), count: RecordLimits.userMetadataCountMax + 1)),
        ] {
            #expect(try harness.refusal(Sample.put("b", "k", attributes: attributes)) == .limitExceeded)
        }
        #expect(try harness.refusal(Sample.put("b", "k", Sample.stored(1, length: .max))) == .limitExceeded)
        let large = Sample.inline(String(repeating: "x", count: ObjectBody.inlineByteCountMax + 1))
        #expect(try harness.refusal(Sample.put("b", "k", large)) == .invalidArgument)
        try harness.make(Sample.put("b", "k", Sample.inline(String(repeating: "x", count: ObjectBody.inlineByteCountMax))))
        try harness.expectConsistent()
    }

    // MARK: The cache

    @Test("Within one batch a bucket is made, used, deleted and made anew, and nothing of the first is seen in the second")
    func recreatedWithinBatch() throws {
        var harness = try ApplyHarness()
        _ = try harness.commit([
            .change(Sample.createBucket("b")), .change(Sample.versioning("b", .enabled)), .change(Sample.put("b", "k")),
            .change(Sample.delete("b", "k", .version(CommitPosition(index: 3, offset: 0)))),
            .change(Sample.deleteBucket("b")), .change(Sample.createBucket("b", owner: Sample.stranger)),
            .change(Sample.put("b", "k")),
        ])
        // The second bucket is not versioned.
        #expect(try harness.versions(of: "k", in: "b").map(\.id) == [.null])
        #expect(try harness.counters(of: "b") == BucketCounters(objects: 1, versions: 1, bytes: 5))
        try harness.expectConsistent()
    }

    @Test("What a machine remembers of buckets is what a machine fresh from the store reads")
    func cachedEqualsFresh() throws {
        var harness = try ApplyHarness()
        try harness.make(Sample.createBucket("b"))
        try harness.make(Sample.put("b", "k"))
        try harness.make(Sample.versioning("b", .suspended))
        var fresh = try ApplyHarness(copying: harness.store.checkpointForTest())
        for change in [Sample.put("b", "k", Sample.inline("longer")), Sample.delete("b", "k"), Sample.deleteBucket("b")] {
            #expect(try harness.attempt(change) == fresh.attempt(change))
            #expect(harness.machine.digest == fresh.machine.digest)
            #expect(try harness.contents() == fresh.contents())
        }
    }

    @Test("More buckets than the cache keeps are all exact")
    func manyBuckets() throws {
        var harness = try ApplyHarness()
        let names = (0..<1_100).map { "bucket-\($0)" }
        _ = try harness.commit(names.map { .change(Sample.createBucket($0)) })
        _ = try harness.commit(names.map { .change(Sample.put($0, "k")) })
        for name in names.suffix(30) { try harness.make(Sample.put(name, "l")) }
        _ = try harness.commit(names.map { .change(Sample.delete($0, "k")) })
        for (position, name) in names.enumerated() {
            let remaining: UInt64 = position < names.count - 30 ? 0 : 1
            let expected = BucketCounters(objects: remaining, versions: remaining, bytes: 5 * remaining)
            #expect(try harness.counters(of: name) == expected)
        }
        try harness.expectConsistent()
    }
}

extension InMemoryStore {
    /// What is committed, to open another store from.
    func checkpointForTest() throws -> Checkpoint {
        try createCheckpoint(at: "/test")
        return try #require(checkpoint(at: "/test"))
    }
}
