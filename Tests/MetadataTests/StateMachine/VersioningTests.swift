import Metadata
import ObjectDataStore
import Testing

@Suite struct VersioningTests {
    private static func bucket(_ versioning: BucketVersioning...) throws -> ApplyHarness {
        var harness = try ApplyHarness()
        try harness.make(Sample.createBucket("b"))
        for versioning in versioning { try harness.make(Sample.versioning("b", versioning)) }
        return harness
    }

    @Test("An overwrite in a bucket that was never versioned leaves one version, the null one, and releases the old body")
    func overwrite() throws {
        var harness = try Self.bucket()
        try harness.make(Sample.put("b", "k", Sample.stored(1)))
        let result = try harness.make(Sample.put("b", "k", Sample.inline("new"), etag: ETag(high: 3, low: 4))).putResult
        #expect(result?.versionID == .null && result?.size == 3 && result?.bucketVersioning == .unversioned)
        #expect(harness.effects.releasedBodies == [Sample.bodyID(1)])
        #expect(try harness.versions(of: "k", in: "b").map(\.id) == [.null])
        #expect(try harness.counters(of: "b") == BucketCounters(objects: 1, versions: 1, bytes: 3))
        try harness.expectConsistent()
    }

    @Test("With versioning enabled each put makes a version of its own, named by its place in the log, newest first")
    func enabled() throws {
        var harness = try Self.bucket(.enabled)
        let first = try harness.make(Sample.put("b", "k")).putResult?.versionID
        let second = try harness.make(Sample.put("b", "k")).putResult?.versionID
        #expect(first == .version(CommitPosition(index: 3, offset: 0)))
        #expect(try harness.versions(of: "k", in: "b").map(\.id) == [second, first])
        #expect(try harness.counters(of: "b") == BucketCounters(objects: 1, versions: 2, bytes: 10))
        try harness.expectConsistent()
    }

    @Test("Members of one batch get versions in their order")
    func batchOrder() throws {
        var harness = try Self.bucket(.enabled)
        _ = try harness.commit([
            .batchOps([
                .putObject(
                    PutObject(
                        bucket: Sample.reference("b"), key: Sample.key("k"), body: Sample.inline("1"),
                        etag: ETag(high: 0, low: 1), owner: Sample.owner)),
                Sample.put("b", "k", etag: ETag(high: 0, low: 2)),
            ])
        ])
        let versions = try harness.versions(of: "k", in: "b")
        #expect(
            versions.map(\.id) == [
                .version(CommitPosition(index: 3, offset: 1)), .version(CommitPosition(index: 3, offset: 0)),
            ])
        #expect(versions.map(\.record.etag.low) == [2, 1])
        try harness.expectConsistent()
    }

    @Test("A refused member of a batch leaves no writes and stops none of the others")
    func batchMemberRefused() throws {
        var harness = try Self.bucket()
        let outcomes = try harness.commit([
            .batchOps([Sample.delete("b", "absent"), Sample.delete("gone", "k"), Sample.put("b", "k")])
        ])
        guard case .batch(let results)? = outcomes.first else {
            Issue.record("not a batch's outcome")
            return
        }
        #expect(results.map { (try? $0.get()) != nil } == [true, false, true])
        try harness.expectConsistent()
    }

    @Test("A delete hides the object with a marker; deleting the marker brings it back")
    func deleteMarker() throws {
        var harness = try Self.bucket(.enabled)
        let version = try harness.make(Sample.put("b", "k")).putResult?.versionID
        let deleted = try #require(try harness.make(Sample.delete("b", "k")).deleteResult)
        #expect(deleted.isDeleteMarker)
        #expect(try harness.counters(of: "b") == BucketCounters(objects: 0, versions: 2, bytes: 5))
        let removed = try harness.make(Sample.delete("b", "k", deleted.versionID)).deleteResult
        #expect(removed == DeleteObjectResult(versionID: deleted.versionID, isDeleteMarker: true))
        #expect(try harness.versions(of: "k", in: "b").map(\.id) == [version])
        #expect(try harness.counters(of: "b") == BucketCounters(objects: 1, versions: 1, bytes: 5))
        try harness.expectConsistent()
    }

    @Test("A delete of an absent key makes a marker with versioning, and nothing without", arguments: [true, false])
    func deleteAbsent(isVersioned: Bool) throws {
        var harness = try isVersioned ? Self.bucket(.enabled) : Self.bucket()
        let result = try #require(try harness.make(Sample.delete("b", "k")).deleteResult)
        #expect(result.isDeleteMarker == isVersioned && (result.versionID != nil) == isVersioned)
        #expect(try harness.versions(of: "k", in: "b").count == (isVersioned ? 1 : 0))
        try harness.expectConsistent()
    }

    /// The null version under newer ones is found by the null index; a put while suspended replaces it there.
    @Test("While suspended a put replaces the null version wherever it stands, and only that")
    func suspendedReplacesNull() throws {
        var harness = try Self.bucket()
        try harness.make(Sample.put("b", "k", Sample.stored(1)))
        try harness.make(Sample.versioning("b", .enabled))
        let kept = try harness.make(Sample.put("b", "k", Sample.stored(2))).putResult?.versionID
        #expect(try harness.versions(of: "k", in: "b").map(\.id) == [kept, .null])
        try harness.expectConsistent("null under a version")

        try harness.make(Sample.versioning("b", .suspended))
        try harness.make(Sample.put("b", "k", Sample.stored(3)))
        #expect(harness.effects.releasedBodies == [Sample.bodyID(1)])
        #expect(try harness.versions(of: "k", in: "b").map(\.id) == [.null, kept])
        try harness.expectConsistent("null above a version")

        try harness.make(Sample.put("b", "k", Sample.stored(4)))
        #expect(harness.effects.releasedBodies == [Sample.bodyID(3)])
        #expect(try harness.versions(of: "k", in: "b").map(\.id) == [.null, kept])
        try harness.expectConsistent("null replaced on top")
    }

    @Test("While suspended a delete puts a null marker in the place of the null version")
    func suspendedDelete() throws {
        var harness = try Self.bucket(.enabled)
        let kept = try harness.make(Sample.put("b", "k")).putResult?.versionID
        try harness.make(Sample.versioning("b", .suspended))
        try harness.make(Sample.put("b", "k", Sample.stored(1)))
        let result = try harness.make(Sample.delete("b", "k")).deleteResult
        #expect(result == DeleteObjectResult(versionID: .null, isDeleteMarker: true))
        #expect(harness.effects.releasedBodies == [Sample.bodyID(1)])
        #expect(try harness.versions(of: "k", in: "b").map(\.id) == [.null, kept])
        #expect(try harness.counters(of: "b") == BucketCounters(objects: 0, versions: 2, bytes: 5))
        // Again: the marker is the null version, and is replaced by the next one.
        try harness.make(Sample.delete("b", "k"))
        #expect(try harness.versions(of: "k", in: "b").map(\.id) == [.null, kept])
        try harness.expectConsistent()
    }

    @Test("When all versions above the null one go, it is the newest again; when it goes, nothing remembers it")
    func nullResurfaces() throws {
        var harness = try Self.bucket()
        try harness.make(Sample.put("b", "k"))
        try harness.make(Sample.versioning("b", .enabled))
        let above = try harness.make(Sample.put("b", "k")).putResult?.versionID
        try harness.make(Sample.delete("b", "k", above))
        #expect(try harness.versions(of: "k", in: "b").map(\.id) == [.null])
        try harness.expectConsistent("resurfaced")
        // It goes below again, and is removed from there.
        let again = try harness.make(Sample.put("b", "k")).putResult?.versionID
        try harness.make(Sample.delete("b", "k", .null))
        #expect(try harness.versions(of: "k", in: "b").map(\.id) == [again])
        try harness.expectConsistent("removed from below")
        try harness.make(Sample.delete("b", "k", again))
        #expect(try harness.counters(of: "b") == BucketCounters())
        try harness.expectConsistent("all gone")
    }

    @Test("The position of a null version is not its id")
    func nullPositionIsNoID() throws {
        var harness = try Self.bucket(.suspended)
        try harness.make(Sample.put("b", "k"))
        let position = CommitPosition(index: harness.index, offset: 0)
        let result = try harness.make(Sample.delete("b", "k", .version(position))).deleteResult
        #expect(result == DeleteObjectResult(versionID: .version(position), isDeleteMarker: false))
        #expect(try harness.versions(of: "k", in: "b").map(\.id) == [.null])
    }

    @Test("Deleting a version that is not there succeeds and names it", arguments: [BucketVersioning.enabled, .suspended])
    func deleteAbsentVersion(versioning: BucketVersioning) throws {
        var harness = try Self.bucket(versioning)
        try harness.make(Sample.put("b", "other"))
        for id in [VersionID.null, .version(CommitPosition(index: 1, offset: 9))] {
            let result = try harness.make(Sample.delete("b", "k", id)).deleteResult
            #expect(result == DeleteObjectResult(versionID: id, isDeleteMarker: false))
        }
        try harness.expectConsistent()
    }

    @Test("Keys that are prefixes of each other do not see each other's versions")
    func prefixes() throws {
        var harness = try Self.bucket(.enabled)
        for key in ["a", "a\0", "a\0\u{1}", "a\u{1}", "aa"] {
            try harness.make(Sample.put("b", key))
            try harness.make(Sample.delete("b", key))
        }
        for key in ["a", "a\0", "a\0\u{1}", "a\u{1}", "aa"] {
            #expect(try harness.versions(of: key, in: "b").map(\.record.flags) == [.isDeleteMarker, .hasInline])
        }
        try harness.expectConsistent()
    }

    // MARK: updateMetadata

    private static func update(_ etag: ETag = ETag(high: 1, low: 2)) -> MetadataChange {
        .updateMetadata(
            UpdateObjectMetadata(
                bucket: Sample.reference("b"), key: Sample.key("k"), expectedETag: etag,
                attributes: ObjectAttributes(contentType: "new/type", storageClass: "GLACIER")))
    }

    @Test("An update replaces attributes and time, and neither bytes, tag nor version", arguments: [true, false])
    func update(isSuspended: Bool) throws {
        var harness = try isSuspended ? Self.bucket(.suspended) : Self.bucket()
        try harness.make(Sample.put("b", "k", Sample.stored(1), attributes: ObjectAttributes(contentType: "old/type")))
        let before = try #require(try harness.versions(of: "k", in: "b").first)
        let result = try harness.make(Self.update(), timestamp: 77_000).putResult
        #expect(result?.lastModifiedMilliseconds == 77_000 && result?.versionID == .null)
        var expected = before.record
        expected.attributes = ObjectAttributes(contentType: "new/type", storageClass: "GLACIER")
        expected.modifiedMilliseconds = 77_000
        #expect(try harness.versions(of: "k", in: "b").map(\.record) == [expected])
        #expect(harness.effects.isEmpty)
        try harness.expectConsistent()
    }

    @Test("An update is refused where a copy would make a new version, where the object was replaced, and where there is none")
    func updateRefused() throws {
        var harness = try Self.bucket()
        #expect(try harness.refusal(Self.update()) == .noSuchKey)
        try harness.make(Sample.put("b", "k"))
        #expect(try harness.refusal(Self.update(ETag(high: 9, low: 9))) == .preconditionFailed)
        try harness.make(Sample.versioning("b", .enabled))
        #expect(try harness.refusal(Self.update()) == .invalidArgument)
        try harness.make(Sample.put("b", "k"))
        try harness.make(Sample.versioning("b", .suspended))
        // The newest version has an id.
        #expect(try harness.refusal(Self.update()) == .invalidArgument)
        try harness.make(Sample.delete("b", "k"))
        #expect(try harness.refusal(Self.update()) == .noSuchKey)
    }
}
