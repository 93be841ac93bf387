import KeyValueStore
import Metadata
import NIOCore
import Testing

/// Tags of objects and buckets in the state machine.
@Suite struct TaggingTests {
    private static let tags = [ResourceTag(key: "a", value: "1"), ResourceTag(key: "b", value: "")]
    private static let other = [ResourceTag(key: "c", value: "3")]

    private static func tag(
        _ key: String, version: VersionID? = nil, _ tags: [ResourceTag], bucket: String = "b", owner: String? = nil
    ) -> MetadataChange {
        .setObjectTagging(
            SetObjectTagging(
                bucket: Sample.reference(bucket, owner: owner), key: Sample.key(key), versionID: version, tags: tags))
    }

    private static func tag(bucket: String, _ tags: [ResourceTag], owner: String? = nil) -> MetadataChange {
        .setBucketTagging(SetBucketTagging(bucket: Sample.reference(bucket, owner: owner), tags: tags))
    }

    private static func put(_ key: String, _ attributes: ObjectAttributes = ObjectAttributes()) -> MetadataChange {
        .putObject(
            PutObject(
                bucket: Sample.reference("b"), key: Sample.key(key), body: .inline(ByteBuffer(string: "body")),
                etag: ETag(high: 1, low: 2), attributes: attributes, owner: Sample.owner))
    }

    private static func harness(_ versioning: BucketVersioning = .unversioned) throws -> ApplyHarness {
        var harness = try ApplyHarness()
        try harness.make(Sample.createBucket("b"))
        if versioning != .unversioned { try harness.make(Sample.versioning("b", versioning)) }
        return harness
    }

    @Test(
        "Tagging changes the tags of the newest version and nothing else of it",
        arguments: [BucketVersioning.unversioned, .enabled, .suspended])
    func newest(versioning: BucketVersioning) throws {
        var harness = try Self.harness(versioning)
        let attributes = ObjectAttributes(contentType: "x/y", storageClass: "GLACIER", tags: Self.other)
        let made = try harness.make(Self.put("k", attributes), timestamp: 1_000)
        let before = try harness.versions(of: "k", in: "b")
        let counters = try harness.counters(of: "b")
        #expect(before[0].record.attributes.tags == Self.other)
        // The same answer as that of the write: tag, time and id are the version's.
        #expect(try harness.make(Self.tag("k", Self.tags), timestamp: 9_000) == made)
        var after = try harness.versions(of: "k", in: "b")
        #expect(after.count == 1 && after[0].id == before[0].id)
        #expect(after[0].record.attributes.tags == Self.tags)
        after[0].record.attributes.tags = Self.other
        #expect(after[0].record == before[0].record)
        #expect(try harness.counters(of: "b") == counters)
        try harness.expectConsistent()
        try harness.make(Self.tag("k", []))
        #expect(try harness.versions(of: "k", in: "b")[0].record.attributes.tags == [])
        try harness.expectConsistent()
    }

    @Test("A version that is named gets the tags, and the others keep theirs")
    func named() throws {
        var harness = try Self.harness()
        try harness.make(Self.put("k"))
        try harness.make(Sample.versioning("b", .enabled))
        try harness.make(Self.put("k"))
        try harness.make(Self.put("k"))
        let ids = try harness.versions(of: "k", in: "b").map(\.id)
        #expect(ids.last == .null)
        for (position, id) in ids.enumerated() {
            try harness.make(Self.tag("k", version: id, [ResourceTag(key: "\(position)", value: "")]))
        }
        let tags = try harness.versions(of: "k", in: "b").map { $0.record.attributes.tags.map(\.key) }
        #expect(tags == [["0"], ["1"], ["2"]])
        try harness.expectConsistent()
    }

    @Test("Where there is nothing to tag, nothing is written")
    func refusals() throws {
        var harness = try Self.harness()
        #expect(try harness.refusal(Self.tag("k", Self.tags)) == .noSuchKey)
        #expect(try harness.refusal(Self.tag("k", version: .null, Self.tags)) == .noSuchVersion)
        #expect(try harness.refusal(Self.tag("k", Self.tags, bucket: "missing")) == .noSuchBucket)
        #expect(try harness.refusal(Self.tag("k", Self.tags, owner: "stranger-id")) == .accessDenied)
        try harness.make(Self.put("k"))
        let position = VersionID.version(CommitPosition(index: 0, offset: 0))
        #expect(try harness.refusal(Self.tag("k", version: position, Self.tags)) == .noSuchVersion)
        try harness.make(Sample.versioning("b", .enabled))
        let deletion = DeleteObject(bucket: Sample.reference("b"), key: Sample.key("k"), owner: Sample.owner)
        try harness.make(.deleteObject(deletion))
        let marker = try #require(try harness.versions(of: "k", in: "b").first?.id)
        guard case .failure(let hidden) = try harness.attempt(Self.tag("k", Self.tags)) else {
            Issue.record("a delete marker was tagged")
            return
        }
        #expect(hidden.code == .noSuchKey && hidden.deleteMarker == marker)
        #expect(try harness.refusal(Self.tag("k", version: marker, Self.tags)) == .deleteMarker)
        try harness.make(Self.tag("k", version: .null, Self.tags))
        // The version goes, and a request that still names it finds nothing.
        var removal = deletion
        removal.versionID = .null
        try harness.make(.deleteObject(removal))
        #expect(try harness.refusal(Self.tag("k", version: .null, Self.tags)) == .noSuchVersion)
        try harness.expectConsistent()
    }

    @Test("Tags are bounded in number and size")
    func limits() throws {
        var harness = try Self.harness()
        try harness.make(Self.put("k"))
        let many = (0...RecordLimits.tagCountMax).map { ResourceTag(key: "\($0)", value: "") }
        let long = [ResourceTag(key: "k", value: String(repeating: "x", count: RecordLimits.tagsByteCountMax))]
        for tags in [many, long] {
            #expect(try harness.refusal(Self.tag("k", tags)) == .limitExceeded)
            #expect(try harness.refusal(Self.tag(bucket: "b", tags)) == .limitExceeded)
            #expect(try harness.refusal(Self.put("k", ObjectAttributes(tags: tags))) == .limitExceeded)
        }
        // What a bucket may have is too much for an object with all its attributes.
        let large = [ResourceTag(key: "k", value: String(repeating: "x", count: RecordLimits.attributesByteCountMax))]
        #expect(try harness.refusal(Self.tag("k", large)) == .limitExceeded)
        try harness.make(Self.tag(bucket: "b", large))
        try harness.make(Self.tag("k", Array(many.dropLast())))
        try harness.expectConsistent()
    }

    @Test("An update of the metadata keeps the tags of that moment, or replaces them", arguments: [false, true])
    func update(keepsTags: Bool) throws {
        var harness = try Self.harness()
        try harness.make(Self.put("k", ObjectAttributes(tags: Self.tags)))
        try harness.make(Self.tag("k", Self.other))
        let attributes = ObjectAttributes(contentType: "x/y", tags: Self.tags)
        try harness.make(
            .updateMetadata(
                UpdateObjectMetadata(
                    bucket: Sample.reference("b"), key: Sample.key("k"), expectedETag: ETag(high: 1, low: 2),
                    attributes: attributes, keepsTags: keepsTags)))
        let record = try harness.versions(of: "k", in: "b")[0].record
        #expect(record.attributes.tags == (keepsTags ? Self.other : Self.tags) && record.attributes.contentType == "x/y")
        try harness.expectConsistent()
    }

    @Test("An upload's tags become the object's")
    func multipart() throws {
        var harness = try Self.harness()
        let reply = try harness.make(
            .createMultipartUpload(
                CreateMultipartUpload(
                    bucket: Sample.reference("b"), key: Sample.key("k"), attributes: ObjectAttributes(tags: Self.tags),
                    owner: Sample.owner)))
        guard case .uploadCreated(let id) = reply else { return }
        try harness.reload()
        let upload = MultipartUploadReference(bucket: Sample.reference("b"), key: Sample.key("k"), uploadID: id)
        let etag = ETag(high: 3, low: 4)
        try harness.make(
            .putPart(PutPart(upload: upload, number: 1, body: .inline(ByteBuffer(string: "x")), etag: etag, checksum: nil)))
        try harness.make(
            .completeMultipartUpload(
                CompleteMultipartUpload(
                    upload: upload, parts: [CompletedPart(number: 1, etag: .tag(etag), checksum: nil)])))
        #expect(try harness.versions(of: "k", in: "b")[0].record.attributes.tags == Self.tags)
        try harness.make(Self.tag("k", Self.other))
        try harness.expectConsistent()
    }

    // MARK: Buckets

    @Test("A bucket's tags are replaced, removed, and gone with the bucket")
    func buckets() throws {
        var harness = try Self.harness()
        #expect(try harness.tags(of: "b") == [])
        try harness.make(Self.tag(bucket: "b", []))
        #expect(try harness.tags(of: "b") == [])
        for tags in [Self.tags, Self.other] {
            try harness.make(Self.tag(bucket: "b", tags))
            try harness.reload()
            #expect(try harness.tags(of: "b") == tags)
            try harness.expectConsistent()
        }
        #expect(try harness.refusal(Self.tag(bucket: "missing", Self.tags)) == .noSuchBucket)
        #expect(try harness.refusal(Self.tag(bucket: "b", Self.tags, owner: "stranger-id")) == .accessDenied)
        try harness.make(Self.tag(bucket: "b", []))
        #expect(try harness.tags(of: "b") == [])
        try harness.expectConsistent()
        try harness.make(Self.tag(bucket: "b", Self.tags))
        try harness.make(Sample.deleteBucket("b"))
        try harness.expectConsistent()
        try harness.make(Sample.createBucket("b"))
        #expect(try harness.tags(of: "b") == [])
        try harness.expectConsistent()
    }

    @Test("Tags of no bucket, and tags that cannot be read, are found by the check of the state")
    func checker() throws {
        var harness = try Self.harness()
        try harness.make(Self.tag(bucket: "b", Self.tags))
        let record = BucketTagsRecord(tags: Self.tags).encode()
        let damages: [(key: [UInt8], value: [UInt8])] = [
            (KeySchema.bucketTags(BucketID(77)), record), (KeySchema.bucketTagsPrefix + [1], record),
            (KeySchema.bucketTags(BucketID(1)), [BucketTagsRecord.layoutVersion, 0, 0]),
            (KeySchema.bucketTags(BucketID(1)), Array(record.dropLast())),
        ]
        let checkpoint = try harness.store.checkpointForTest()
        for damage in damages {
            let copy = try ApplyHarness(copying: checkpoint)
            let transaction = copy.store.makeTransaction()
            transaction.put(damage.value, for: damage.key, in: KeySchema.system)
            try copy.store.commit(transaction, durability: .buffered)
            let report = try StateChecker.check(copy.store.makeSnapshot())
            #expect(report.problems.contains { $0.contains("tags of no bucket") || $0.contains("Tag") })
        }
    }
}
