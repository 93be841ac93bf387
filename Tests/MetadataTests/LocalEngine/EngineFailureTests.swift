import FileSystem
import KeyValueStore
import Metadata
import NIOCore
import ObjectDataStore
import Synchronization
import Testing

@Suite("Failures under the local engine", .timeLimit(.minutes(2)))
struct EngineFailureTests {
    private typealias Engine = MetadataEngineCore<InterposedStore<InMemoryStore>>

    private func makeEngine(_ bed: EngineBed, _ store: InterposedStore<InMemoryStore>) throws -> Engine {
        try MetadataEngineCore(store: store, fileSystem: POSIXFileSystem(), configuration: bed.configuration())
    }

    @Test(
        "After a failed commit its writes have an unknown outcome, later ones are refused with the reason, and reads go on",
        arguments: [KeyValueStoreError.Code.noSpace, .ioError, .corruption])
    func failedCommit(code: KeyValueStoreError.Code) async throws {
        let bed = try EngineBed()
        let store = InterposedStore(InMemoryStore(families: KeySchema.families))
        let engine = try makeEngine(bed, store)
        try await engine.makeBucket()
        try await engine.put("before", "before")
        let body = try await engine.storeBody(200_000, seed: 1)
        store.fail(KeyValueStoreError(code, "the disk is on fire"))
        let first = await #expect(throws: MetadataError.self) { try await engine.put("during", .stored(body)) }
        #expect(first?.code == .unknownOutcome)
        // The record may turn up at the next start, so its body stays.
        #expect(try bed.bodyFileCount() == 1)
        let commitCount = store.commitCount
        let late = try await engine.storeBody(200_000, seed: 2)
        let second = await #expect(throws: MetadataError.self) { try await engine.put("after", .stored(late)) }
        #expect(second?.code == .unavailable)
        #expect(second?.detail.contains("the disk is on fire") == true)
        #expect(store.commitCount == commitCount)
        // That one was never at the store, so its body goes.
        #expect(try bed.bodyFileCount() == 1)
        #expect(engine.status().writeFailure?.contains("the disk is on fire") == true)
        #expect(try await engine.get("before") == ByteBuffer(string: "before"))
        #expect(try await engine.keys() == ["before"])
        await engine.close()
    }

    @Test("A failed commit answers those that wait behind it, too")
    func failedCommitWithQueue() async throws {
        let bed = try EngineBed()
        let store = InterposedStore(InMemoryStore(families: KeySchema.families))
        let engine = try makeEngine(bed, store)
        try await engine.makeBucket()
        let before = store.commitCount
        store.hold()
        store.fail(KeyValueStoreError(.ioError, "gone"))
        let codes = await withTaskGroup(of: MetadataError.Code?.self) { group in
            group.addTask { await code { try await engine.put("first", "") } }
            while store.commitCount == before { await Task.yield() }
            for number in 0..<30 { group.addTask { await code { try await engine.put("key-\(number)", "") } } }
            while engine.status().waitingWriteCount < 30 { await Task.yield() }
            store.release()
            return await group.reduce(into: [MetadataError.Code?: Int]()) { $0[$1, default: 0] += 1 }
        }
        #expect(codes == [.unknownOutcome: 1, .unavailable: 30])
        await engine.close()
    }

    @Test("A write that meets a damaged record fails alone: those around it are committed")
    func damagedRecord() async throws {
        let bed = try EngineBed()
        let store = InterposedStore(InMemoryStore(families: KeySchema.families))
        let engine = try makeEngine(bed, store)
        try await engine.makeBucket()
        try await engine.put("damaged", "whole")
        let key = KeySchema.version(BucketID(1), Array("damaged".utf8), CommitPosition(index: 0, offset: 0))
        let transaction = store.base.makeTransaction()
        transaction.put([0xFF, 1, 2], for: key, in: KeySchema.objects)
        try store.base.commit(transaction, durability: .synced)

        let before = store.commitCount
        store.hold()
        let codes = await withTaskGroup(of: (String, MetadataError.Code?).self) { group in
            group.addTask { ("first", await code { try await engine.put("first", "first") }) }
            while store.commitCount == before { await Task.yield() }
            for (position, name) in ["a", "damaged", "b", "damaged", "c"].enumerated() {
                group.addTask { (name, await code { try await engine.put(name, "new") }) }
                while engine.status().waitingWriteCount <= position { await Task.yield() }
            }
            store.release()
            return await group.reduce(into: [String: [MetadataError.Code?]]()) { $0[$1.0, default: []].append($1.1) }
        }
        #expect(codes["damaged"] == [.corruption, .corruption])
        for name in ["first", "a", "b", "c"] { #expect(codes[name] == [nil], "\(name)") }
        let read = await code { _ = try await engine.get("damaged") }
        #expect(read == .corruption)
        #expect(try await engine.get("c") == ByteBuffer(string: "new"))
        #expect(try await engine.usage().objectCount == 5)
        await engine.close()
    }

    @Test("Below the reserve writes are refused and deletions are not; with space again, all goes on")
    func reserve() async throws {
        let bed = try EngineBed()
        let available = Mutex<UInt64>(160)
        var configuration = bed.configuration()
        configuration.reservedByteCount = 80
        let fileSystem = SpaceReportingFileSystem { available.withLock { $0 } }
        let engine = try MetadataEngineCore(
            store: InMemoryStore(families: KeySchema.families), fileSystem: fileSystem, configuration: configuration)
        try await engine.makeBucket()
        try await engine.put("key", "value")
        try await engine.put("other", "value")
        let body = try await engine.storeBody(200_000, seed: 1)
        // A body under way stops when it would take what metadata needs, and a new one is not begun.
        let writer = try await engine.makeBodyWriter()
        available.withLock { $0 = 159 }
        let large = EngineBed.pattern(0, 5 << 20, seed: 1)
        #expect(await code { try await writer.write(large) } == .noSpace)
        await writer.abort()
        #expect(await code { _ = try await engine.makeBodyWriter() } == .noSpace)
        try await engine.put("small", "fits")
        try await engine.delete("small")
        available.withLock { $0 = 79 }
        #expect(await code { try await engine.put("large", .stored(body)) } == .noSpace)
        #expect(try bed.bodyFileCount() == 0)
        #expect(await code { try await engine.delete("key") } == nil)
        available.withLock { $0 = 19 }
        #expect(await code { try await engine.delete("other") } == .noSpace)
        available.withLock { $0 = 80 }
        try await engine.put("key", "again")
        #expect(try await engine.keys() == ["key", "other"])
        await engine.close()
    }

    @Test("A store whose records contradict one another is refused, with the reason")
    func unknownSchema() throws {
        let bed = try EngineBed()
        let store = InMemoryStore(families: KeySchema.families)
        let transaction = store.makeTransaction()
        transaction.put(FormatRecord(schemaVersion: 999).encode(), for: KeySchema.format, in: KeySchema.system)
        try store.commit(transaction, durability: .synced)
        let error = #expect(throws: MetadataError.self) {
            _ = try MetadataEngineCore(store: store, fileSystem: POSIXFileSystem(), configuration: bed.configuration())
        }
        #expect(error?.code == .corruption && error?.detail.contains("999") == true)
    }
}

/// The code of the error that `body` throws; `nil` when it throws none.
private func code(_ body: () async throws -> Void) async -> MetadataError.Code? {
    do {
        try await body()
        return nil
    } catch {
        return (error as? MetadataError)?.code ?? .invalidArgument
    }
}

/// The real file system, which is said to have as many bytes left as a test wants.
private struct SpaceReportingFileSystem: FileSystem {
    let base = POSIXFileSystem()
    let available: @Sendable () -> UInt64

    func availableByteCount(at path: String) throws(FileSystemError) -> UInt64 { available() }
    func open(_ path: String, _ mode: OpenMode) throws(FileSystemError) -> any File { try base.open(path, mode) }
    func rename(_ source: String, to target: String) throws(FileSystemError) { try base.rename(source, to: target) }
    func unlink(_ path: String) throws(FileSystemError) { try base.unlink(path) }
    func link(_ source: String, to target: String) throws(FileSystemError) { try base.link(source, to: target) }
    func makeDirectory(_ path: String) throws(FileSystemError) { try base.makeDirectory(path) }
    func removeDirectory(_ path: String) throws(FileSystemError) { try base.removeDirectory(path) }
    func list(_ path: String) throws(FileSystemError) -> [String] { try base.list(path) }
    func synchronizeDirectory(_ path: String) throws(FileSystemError) { try base.synchronizeDirectory(path) }
    func status(_ path: String) throws(FileSystemError) -> FileStatus { try base.status(path) }
}
