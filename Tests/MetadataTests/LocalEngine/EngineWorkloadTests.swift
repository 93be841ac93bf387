import Metadata
import NIOCore
import ObjectDataStore
import Testing

/// Random operations of every kind through the engine and RocksDB, with restarts in between.
@Suite("The local engine's books", .timeLimit(.minutes(5)))
struct EngineWorkloadTests {
    @Test("Counters equal a recount, digests a recomputation, and files the references, after any operations", arguments: 1...6)
    func workload(seed: UInt64) async throws {
        let bed = try EngineBed()
        var random = ListingRandom(seed: seed)
        let versioning: [BucketVersioning] = [.unversioned, .enabled, .suspended]
        try await bed.withBucket(versioning: versioning[Int(seed % 3)]) { _ async throws in }
        for _ in 0..<3 {
            try await bed.withEngine { engine async throws in
                for _ in 0..<80 { try await Self.step(engine, &random) }
                try await Self.recount(engine, seed: seed)
            }
            let report = try bed.check()
            #expect(report.problems == [], "seed \(seed)")
        }
        // The sweep has nothing to do, as no crash left anything; what is released goes in the background.
        try await bed.withEngine { engine async throws in
            let references = try await Self.storedBodyCount(engine)
            try await bed.waitForBodyFiles(references)
        }
    }

    private static func step(_ engine: LocalMetadataEngine, _ random: inout ListingRandom) async throws {
        let key = "key-\(random.below(6))"
        switch random.below(10) {
        case 0...2: try await engine.put(key, .inline(EngineBed.pattern(0, random.below(500), seed: 1)))
        case 3: try await engine.put(key, .stored(try await engine.storeBody(1 + random.below(5000), seed: 2)))
        case 4, 5: try await engine.delete(key)
        case 6:
            let page = try await engine.listObjectVersions(ListObjectVersions(bucket: EngineBed.bucket))
            guard !page.versions.isEmpty else { return }
            let version = random.pick(page.versions)
            try await engine.delete(version.object.key.description, versionID: version.versionID)
        case 7:
            let requests = try (0..<4).map { number in
                DeleteObject(
                    bucket: EngineBed.bucket, key: try ObjectKey(Array("key-\(number)".utf8)), owner: EngineBed.owner)
            }
            let results = try await engine.deleteObjects(requests)
            #expect(results.count == 4 && results.allSatisfy { if case .success = $0 { true } else { false } })
        case 8:
            let bucket = try await engine.getBucket(EngineBed.bucket, read: .linearizable)
            guard bucket.versioning != .unversioned else { return }
            let versioning: BucketVersioning = bucket.versioning == .enabled ? .suspended : .enabled
            try await engine.setBucketVersioning(SetBucketVersioning(bucket: EngineBed.bucket, versioning: versioning))
        default: try await multipart(engine, key, &random)
        }
    }

    /// One part, stored or inline, completed or aborted.
    private static func multipart(
        _ engine: LocalMetadataEngine, _ key: String, _ random: inout ListingRandom
    ) async throws {
        let key = try ObjectKey(Array(key.utf8))
        let id = try await engine.createMultipartUpload(
            CreateMultipartUpload(
                bucket: EngineBed.bucket, key: key, attributes: ObjectAttributes(), owner: EngineBed.owner))
        let upload = MultipartUploadReference(bucket: EngineBed.bucket, key: key, uploadID: id)
        let etag = ETag(high: 1, low: 1)
        for _ in 0...random.below(2) {
            let body: ObjectBody =
                random.chance(50)
                ? .stored(try await engine.storeBody(1000, seed: 3)) : .inline(EngineBed.pattern(0, 100, seed: 4))
            try await engine.putPart(PutPart(upload: upload, number: 7, body: body, etag: etag, checksum: nil))
        }
        if random.chance(50) {
            let parts = [CompletedPart(number: 7, etag: .tag(etag), checksum: nil)]
            _ = try await engine.completeMultipartUpload(CompleteMultipartUpload(upload: upload, parts: parts))
        } else {
            try await engine.abortMultipartUpload(upload)
        }
    }

    private static func recount(_ engine: LocalMetadataEngine, seed: UInt64) async throws {
        let versions = try await allVersions(engine)
        let usage = try await engine.usage()
        #expect(usage.objectCount == UInt64(versions.filter { $0.isLatest && !$0.isDeleteMarker }.count), "seed \(seed)")
        #expect(usage.versionCount == UInt64(versions.count), "seed \(seed)")
        #expect(usage.byteCount == versions.reduce(0) { $0 + $1.object.size }, "seed \(seed)")
        let shown = versions.filter { $0.isLatest && !$0.isDeleteMarker }.map(\.object.key.description)
        #expect(try await engine.keys() == shown, "seed \(seed)")
        for version in versions where !version.isDeleteMarker {
            let bytes = try await engine.get(version.object.key.description, versionID: version.versionID)
            #expect(UInt64(bytes.readableBytes) == version.object.size, "seed \(seed)")
        }
    }

    private static func allVersions(_ engine: LocalMetadataEngine) async throws -> [ListedVersion] {
        var request = ListObjectVersions(bucket: EngineBed.bucket, maxKeys: 7)
        var versions: [ListedVersion] = []
        while true {
            let page = try await engine.listObjectVersions(request)
            versions += page.versions
            guard let next = page.next else { return versions }
            request.keyMarker = next.key
            request.versionMarker = next.versionID
        }
    }

    private static func storedBodyCount(_ engine: LocalMetadataEngine) async throws -> Int {
        var count = 0
        for version in try await allVersions(engine) where !version.isDeleteMarker {
            let (info, body) = try await engine.reader(version.object.key.description, versionID: version.versionID)
            if body.inlineBytes == nil, info.size > 0 { count += 1 }
        }
        return count
    }
}
