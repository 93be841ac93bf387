import FileSystem
import KeyValueStore
import Metadata
import NIOCore
import ObjectDataStore
import Testing

@Suite("The local engine under concurrency", .timeLimit(.minutes(5)))
struct EngineConcurrencyTests {
    @Test("Of 64 writers that put only if there is nothing, exactly one wins, in each of 20 races")
    func conditionalPutRace() async throws {
        let bed = try EngineBed()
        try await bed.withBucket { engine async throws in
            for race in 0..<20 {
                let codes = await withTaskGroup(of: (Int, MetadataError.Code?).self) { group in
                    for writer in 0..<64 {
                        group.addTask {
                            do {
                                try await engine.put(
                                    "race-\(race)", "writer \(writer)", conditions: WriteConditions(ifNoneMatch: [.any]))
                                return (writer, nil)
                            } catch {
                                return (writer, (error as? MetadataError)?.code ?? .ioError)
                            }
                        }
                    }
                    return await group.reduce(into: [Int: MetadataError.Code?]()) { $0[$1.0] = .some($1.1) }
                }
                let winners = codes.filter { $0.value == nil }.map(\.key)
                #expect(winners.count == 1)
                #expect(codes.values.filter { $0 == .preconditionFailed }.count == 63)
                let winner = try #require(winners.first)
                #expect(try await engine.get("race-\(race)") == ByteBuffer(string: "writer \(winner)"))
            }
        }
    }

    @Test("A put without a task completes once, when it can be read, or with its error")
    func completion() async throws {
        let bed = try EngineBed()
        try await bed.withBucket { engine async throws in
            func put(_ body: String, _ conditions: WriteConditions) async throws -> Result<PutObjectResult, MetadataError> {
                let request = PutObject(
                    bucket: EngineBed.bucket, key: try ObjectKey(Array("key".utf8)), body: .inline(ByteBuffer(string: body)),
                    etag: ETag(high: 1, low: 2), owner: EngineBed.owner, conditions: conditions)
                return await withCheckedContinuation { caller in
                    engine.putObject(request) { caller.resume(returning: $0) }
                }
            }
            #expect(try await put("first", WriteConditions(ifNoneMatch: [.any])).get().size == 5)
            #expect(try await engine.get("key") == ByteBuffer(string: "first"))
            let refused = try await put("second", WriteConditions(ifNoneMatch: [.any]))
            #expect(throws: MetadataError.self) { try refused.get() }
            #expect(try await engine.get("key") == ByteBuffer(string: "first"))
            await engine.close()
            guard case .failure(let error) = try await put("late", WriteConditions()) else {
                Issue.record("a closed engine writes")
                return
            }
            #expect(error.code == .unavailable)
        }
    }

    @Test("What arrives while a commit is at the disk is written with one commit, in the order it came")
    func groupCommit() async throws {
        let bed = try EngineBed()
        let store = InterposedStore(InMemoryStore(families: KeySchema.families))
        let engine = try MetadataEngineCore(store: store, fileSystem: POSIXFileSystem(), configuration: bed.configuration())
        try await engine.makeBucket()
        let before = store.commitCount
        store.hold()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await engine.put("first", "first") }
            // The first is at the store, then the others come one by one.
            while store.commitCount == before { await Task.yield() }
            for number in 0..<64 {
                group.addTask { try await engine.put("key", "\(number)") }
                while engine.status().waitingWriteCount <= number { await Task.yield() }
            }
            store.release()
            try await group.waitForAll()
        }
        #expect(store.commitCount == before + 2)
        #expect(try await engine.get("key") == ByteBuffer(string: "63"))
        await engine.close()
    }

    @Test("Closing while writes are under way answers each caller, and keeps what was acknowledged")
    func closeWhileWriting() async throws {
        let bed = try EngineBed()
        let store = InterposedStore(try RocksDBStore(path: bed.keyValuePath, families: KeySchema.families))
        let engine = try MetadataEngineCore(store: store, fileSystem: POSIXFileSystem(), configuration: bed.configuration())
        try await engine.makeBucket()
        let before = store.commitCount
        store.hold()
        let acknowledged = try await withThrowingTaskGroup(of: String?.self) { group in
            for number in 0..<50 {
                group.addTask {
                    do {
                        try await engine.put("key-\(number)", "value")
                        return "key-\(number)"
                    } catch let error as MetadataError where error.code == .unavailable {
                        return nil
                    }
                }
            }
            while store.commitCount == before { await Task.yield() }
            group.addTask {
                await engine.close()
                return nil
            }
            store.release()
            return try await group.reduce(into: Set<String>()) { if let key = $1 { $0.insert(key) } }
        }
        #expect(!acknowledged.isEmpty)
        try await bed.withEngine { engine async throws in #expect(Set(try await engine.keys()) == acknowledged) }
    }

    @Test("Puts, deletions, copies and reads of the same keys at once leave whole objects and no stray body")
    func hammer() async throws {
        let bed = try EngineBed()
        try await bed.withBucket { engine async throws in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for task in 0..<16 {
                    group.addTask {
                        var random = ListingRandom(seed: UInt64(task))
                        for _ in 0..<150 { try await Self.step(engine, &random) }
                    }
                }
                try await group.waitForAll()
            }
            var storedCount = 0
            for key in try await engine.keys() {
                let (info, body) = try await engine.reader(key)
                #expect(try await Self.isWhole(body.readAll(info.size)))
                if body.inlineBytes == nil { storedCount += 1 }
            }
            try await bed.waitForBodyFiles(storedCount)
        }
        #expect(try bed.check().problems == [])
    }

    private static func step(_ engine: LocalMetadataEngine, _ random: inout ListingRandom) async throws {
        let key = "key-\(random.below(4))"
        let byteCount = 1 + random.below(3000)
        let seed = UInt8(random.below(256))
        switch random.below(5) {
        case 0:
            try await engine.put(key, .inline(EngineBed.pattern(0, byteCount, seed: seed)))
        case 1:
            try await engine.put(key, .stored(try await engine.storeBody(byteCount, seed: seed)))
        case 2:
            try await engine.delete(key)
        case 3:
            guard let bytes = try await wholeObject(engine, key) else { return }
            let writer = try await engine.makeBodyWriter()
            try await writer.write(bytes)
            try await engine.put("key-\(random.below(4))", .stored(try await writer.finish()))
        default:
            _ = try await wholeObject(engine, key)
        }
    }

    private static func wholeObject(_ engine: LocalMetadataEngine, _ key: String) async throws -> ByteBuffer? {
        do {
            let (info, body) = try await engine.reader(key)
            // Others overwrite and delete it between the lookup and each of the reads.
            let bytes = try await body.readAll(info.size, maxByteCount: 500)
            #expect(UInt64(bytes.readableBytes) == info.size && isWhole(bytes))
            return bytes
        } catch let error as MetadataError where error.code == .noSuchKey {
            return nil
        }
    }

    /// The first byte is the seed of the pattern.
    private static func isWhole(_ bytes: ByteBuffer) -> Bool {
        guard let seed = bytes.getInteger(at: bytes.readerIndex, as: UInt8.self) else { return false }
        return bytes == EngineBed.pattern(0, bytes.readableBytes, seed: seed)
    }
}
