import FileSystem
import Logging
import NIOCore
import NIOPosix
import ObjectDataStore
import Testing

@Suite struct RoundTripTests {
    static let block = BodyFormat.blockByteCount

    @Test(
        "What was written is read, whatever its length and the pieces it came in",
        arguments: [0, 1, block - 1, block, block + 1, 2 * block, 2 * block + 1, 7 * block + 5], [1_000, block, 3_000_000]
    )
    func roundTrip(length: Int, chunkByteCount: Int) async throws {
        try await StoreFixture.run { fixture in
            let store = try fixture.open()
            let content = pseudoRandomBytes(length)
            let body = try await store.store(content, chunkByteCount: chunkByteCount)
            #expect(body.length == UInt64(length))
            #expect(try await store.readAll(body) == content)
            #expect(try fixture.temporaryNames() == [])
            #expect(try fixture.disk.status(fixture.onlyBodyPath()).byteCount == BodyFormat.fileByteCount(length: body.length))
        }
    }

    @Test("A read of any range gives the bytes of that range", arguments: 1...4 as ClosedRange<UInt64>)
    func ranges(seed: UInt64) async throws {
        try await StoreFixture.run { fixture in
            let store = try fixture.open()
            let content = pseudoRandomBytes(5 * Self.block + 777, seed: seed)
            let reader = try await store.openReader(try await store.store(content))
            var random = PseudoRandom(seed: seed)
            var offset = 0
            for _ in 0..<200 {
                // One in three goes on where the last read ended, as most readers do.
                if random.next() % 3 != 0 { offset = Int(random.next() % UInt64(content.count + 10)) }
                let wanted = 1 + Int(random.next() % UInt64(2 * Self.block))
                let bytes = try await reader.read(at: UInt64(offset), maxByteCount: wanted)
                let count = bytes.readableBytes
                #expect(count <= wanted)
                #expect((count == 0) == (offset >= content.count), "seed \(seed), offset \(offset)")
                #expect(
                    bytes.readableBytesView.elementsEqual(content.dropFirst(offset).prefix(count)),
                    "seed \(seed), offset \(offset)")
                offset += count
            }
        }
    }

    @Test("Reading in small steps reads each block from the disk once")
    func sequence() async throws {
        try await StoreFixture.run { fixture in
            let store = try fixture.open()
            let content = pseudoRandomBytes(4 * Self.block)
            let reader = try await store.openReader(try await store.store(content))
            let before = fixture.disk.operationCount
            for offset in stride(from: 0, to: content.count, by: 16_384) {
                let bytes = try await reader.read(at: UInt64(offset), maxByteCount: 16_384)
                #expect(bytes.readableBytesView.elementsEqual(content[offset..<offset + 16_384]))
            }
            #expect(fixture.disk.operationCount - before == 4)
        }
    }

    @Test("A reader keeps its bytes when the body is deleted; a new reader finds nothing")
    func deleteWhileReading() async throws {
        try await StoreFixture.run { fixture in
            let store = try fixture.open()
            let content = pseudoRandomBytes(3 * Self.block)
            let body = try await store.store(content)
            let reader = try await store.openReader(body)
            await store.delete([body.id, BodyID(origin: 1, sequence: 2)])
            #expect(try fixture.bodyPaths() == [])
            let bytes = try await reader.read(at: UInt64(Self.block), maxByteCount: 2 * Self.block)
            #expect(bytes.readableBytesView.elementsEqual(content[Self.block...]))
            let error = await #expect(throws: ObjectDataStoreError.self) { _ = try await store.openReader(body) }
            guard case .missing(body.id) = error else {
                Issue.record("\(String(describing: error))")
                return
            }
        }
    }

    @Test("Many writers at once do not mix, on real files")
    func realFiles() async throws {
        let root = try TemporaryDirectory()
        let threads = NIOThreadPool(numberOfThreads: 2)
        threads.start()
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let store = try ObjectDataStore(
            root: root.path + "/mx", fileSystem: POSIXFileSystem(), node: 1, threads: threads, logger: logger)
        let bodies = try await withThrowingTaskGroup(of: (UInt64, StoredBody).self) { group in
            for seed in 0..<8 as Range<UInt64> {
                group.addTask { (seed, try await store.store(pseudoRandomBytes(1_000_000 + Int(seed), seed: seed))) }
            }
            return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
        for (seed, body) in bodies {
            #expect(
                try await store.readAll(body, maxByteCount: 300_000) == pseudoRandomBytes(1_000_000 + Int(seed), seed: seed))
        }
        #expect(Set(bodies.values.map(\.id)).count == 8)
        await store.delete(bodies.values.map(\.id))
        let report = try await store.sweep { ids in ids.map { _ in false } }
        #expect(report == SweepReport())
        try await threads.shutdownGracefully()
    }
}

/// A directory that is removed, with what is in it, at the end.
final class TemporaryDirectory {
    let path: String

    init() throws {
        path = "/tmp/object-data-store-\(UInt64.random(in: .min ... .max))"
        try POSIXFileSystem().makeDirectory(path)
    }

    deinit { Self.remove(path) }

    private static func remove(_ path: String) {
        let fileSystem = POSIXFileSystem()
        for name in (try? fileSystem.list(path)) ?? [] { remove(path + "/" + name) }
        if (try? fileSystem.unlink(path)) == nil { _ = rmdir(path) }
    }
}

#if canImport(Glibc)
    import func Glibc.rmdir
#elseif canImport(Darwin)
    import func Darwin.rmdir
#elseif canImport(Musl)
    import func Musl.rmdir
#endif
