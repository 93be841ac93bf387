import Metadata
import NIOCore
import ObjectDataStore
import Testing

@Suite("The local engine over restarts")
struct EngineRestartTests {
    @Test("A listing after a restart shows what it showed before")
    func listingAfterRestart() async throws {
        let bed = try EngineBed()
        let keys = (0..<25).map { "folder-\($0 % 5)/key \($0)" }
        try await bed.withBucket { engine async throws in
            for key in keys { try await engine.put(key, "value of \(key)") }
        }
        try await bed.withEngine { engine async throws in
            #expect(try await engine.keys() == keys.sorted())
            for key in keys { #expect(try await engine.get(key) == ByteBuffer(string: "value of \(key)")) }
            #expect(try await engine.usage().objectCount == 25)
        }
        #expect(try bed.check().problems == [])
    }

    @Test("Tags of objects and buckets outlive a restart, and reads of any kind see them")
    func tagsAfterRestart() async throws {
        let bed = try EngineBed()
        let tags = [ResourceTag(key: "key", value: "1"), ResourceTag(key: "ü", value: "")]
        let key = try ObjectKey(Array("k".utf8))
        let written = try await bed.withBucket { engine async throws in
            let written = try await engine.put("k", "value")
            let tagged = try await engine.setObjectTagging(
                SetObjectTagging(bucket: EngineBed.bucket, key: key, tags: tags))
            #expect(tagged == written)
            try await engine.setBucketTagging(SetBucketTagging(bucket: EngineBed.bucket, tags: tags))
            return written
        }
        try await bed.withEngine { engine async throws in
            for read in [ReadOptions.linearizable, .eventual] {
                let info = try await engine.headObject(GetObject(bucket: EngineBed.bucket, key: key, read: read))
                #expect(info.attributes.tags == tags && info.lastModifiedMilliseconds == written.lastModifiedMilliseconds)
                #expect(try await engine.getBucketTags(EngineBed.bucket, read: read) == tags)
            }
            try await engine.setBucketTagging(SetBucketTagging(bucket: EngineBed.bucket, tags: []))
            #expect(try await engine.getBucketTags(EngineBed.bucket, read: .linearizable) == [])
        }
        #expect(try bed.check().problems == [])
    }

    @Test("A large body is read after a restart, by any range")
    func largeBodyAfterRestart() async throws {
        let bed = try EngineBed()
        let byteCount = 700_001
        try await bed.withBucket { engine async throws in
            let body = try await engine.storeBody(byteCount, seed: 7)
            try await engine.put("large", .stored(body))
        }
        try await bed.withEngine { engine async throws in
            let (info, body) = try await engine.reader("large")
            #expect(info.size == UInt64(byteCount))
            #expect(body.inlineBytes == nil)
            #expect(try await body.readAll(info.size, maxByteCount: 70_001) == EngineBed.pattern(0, byteCount, seed: 7))
            #expect(try await body.read(at: 262_143, maxByteCount: 5).readableBytes >= 1)
            #expect(try await body.read(at: UInt64(byteCount), maxByteCount: 5).readableBytes == 0)
        }
    }

    @Test("Versions, delete markers and versioning states outlive a restart, and positions go on ascending")
    func versionsAfterRestart() async throws {
        let bed = try EngineBed()
        let first = try await bed.withBucket(versioning: .enabled) { engine async throws in
            let first = try await engine.put("key", "one")
            try await engine.delete("key")
            return first
        }
        try await bed.withEngine { engine async throws in
            let bucket = try await engine.getBucket(EngineBed.bucket, read: .linearizable)
            #expect(bucket.versioning == .enabled)
            await #expect(throws: MetadataError.self) { try await engine.get("key") }
            #expect(try await engine.get("key", versionID: first.versionID) == ByteBuffer(string: "one"))
            let second = try await engine.put("key", "two")
            let page = try await engine.listObjectVersions(ListObjectVersions(bucket: EngineBed.bucket))
            #expect(page.versions.map(\.isDeleteMarker) == [false, true, false])
            #expect(page.versions.first?.versionID == second.versionID)
            #expect(page.versions.last?.versionID == first.versionID)
        }
        #expect(try bed.check().problems == [])
    }

    @Test("Closing twice is closing once, and later calls are unavailable")
    func closing() async throws {
        let bed = try EngineBed()
        let engine = try LocalMetadataEngine(bed.configuration())
        try await engine.makeBucket()
        let (_, kept) = try await {
            try await engine.put("key", "kept"); return try await engine.reader("key")
        }()
        async let first: Void = engine.close()
        async let second: Void = engine.close()
        _ = await (first, second)
        await engine.close()
        for call in 0..<4 {
            let error = await #expect(throws: MetadataError.self) {
                switch call {
                case 0: try await engine.put("key", "late")
                case 1: _ = try await engine.get("key")
                case 2: _ = try await engine.keys()
                default: _ = try await engine.makeBodyWriter()
                }
            }
            #expect(error?.code == .unavailable)
        }
        #expect(engine.status().isClosed)
        #expect(kept.inlineBytes == ByteBuffer(string: "kept"))
        // The store's lock is free again.
        try await bed.withEngine { engine async throws in #expect(try await engine.keys() == ["key"]) }
    }
}
