import FileSystem
import Logging
import NIOCore
import NIOPosix
import ObjectDataStore
import Synchronization
import Testing

#if canImport(Glibc)
    import func Glibc.sched_yield
#elseif canImport(Darwin)
    import func Darwin.sched_yield
#elseif canImport(Musl)
    import func Musl.sched_yield
#endif

/// What is there, and where.
@Suite struct DirectoryTests {
    static let origin: UInt64 = 3 << 48 | 5

    private func id(_ sequence: UInt64) -> BodyID { BodyID(origin: Self.origin, sequence: sequence) }

    @Test("Which bodies are there is answered for each, in order", arguments: [1, 2, 8, 9, 40, 256, 3_000])
    func contains(count: Int) async throws {
        try await StoreFixture.run { fixture in
            let store = try fixture.open()
            // Bodies far from each other and bodies in a row, those that are there among others in the same directories.
            let ids = (0..<count).map { id(UInt64($0 % 3 == 0 ? $0 : $0 * 1_000)) }
            var there: Set<BodyID> = []
            for (position, id) in ids.enumerated() where position % 5 < 2 {
                _ = try await store.store([1], as: id)
                there.insert(id)
            }
            #expect(try await store.contains(ids) == ids.map(there.contains))
            #expect(try await store.contains(ids.reversed() + ids) == (ids.reversed() + ids).map(there.contains))
            await store.delete(ids)
            #expect(try await store.contains(ids) == ids.map { _ in false })
        }
    }

    @Test("Nothing is there when nothing is asked, and in a new store")
    func containsNothing() async throws {
        try await StoreFixture.run { fixture in
            let store = try fixture.open()
            #expect(try await store.contains([]) == [])
            #expect(try await store.contains((0..<20).map { id($0) }) == [Bool](repeating: false, count: 20))
        }
    }

    @Test("Many bodies of one directory are looked for by listing it")
    func oneListing() async throws {
        try await StoreFixture.run { fixture in
            let store = try fixture.open()
            let ids = (0..<256).map { id($0) }
            for id in ids where id.sequence % 2 == 0 { _ = try await store.store([1], as: id) }
            let before = fixture.disk.operationCount
            #expect(try await store.contains(ids) == ids.map { $0.sequence % 2 == 0 })
            #expect(fixture.disk.operationCount - before == 1)
        }
    }

    @Test("What cannot be known is not 'not there'", arguments: [1, 100])
    func containsFailing(count: UInt64) async throws {
        try await StoreFixture.run { fixture in
            let store = try fixture.open()
            _ = try await store.store([1], as: id(0))
            fixture.disk.inject(.failure(.io), at: fixture.disk.operationCount + 1)
            await #expect(throws: ObjectDataStoreError.self) { _ = try await store.contains((0..<count).map { id($0) }) }
        }
    }

    @Test("A body is there when its name is durable, and while it is replaced", .timeLimit(.minutes(1)), arguments: [1, 100])
    func publication(count: UInt64) async throws {
        let threads = NIOThreadPool(numberOfThreads: 2)
        threads.start()
        let disk = PausingDisk()
        let store = try ObjectDataStore(
            root: "/data/mx", fileSystem: disk, node: 1, threads: threads,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let ids = (0..<count).map { id($0) }
        for isThere in [false, true] {
            disk.pauseAtNextBodyDirectory()
            async let body = store.store([1], as: ids[0])
            while !disk.isPaused { await Task.yield() }
            #expect(try await store.contains(ids) == ids.map { isThere && $0 == ids[0] })
            disk.goOn()
            _ = try await body
            #expect(try await store.contains(ids) == ids.map { $0 == ids[0] })
        }
        try await threads.shutdownGracefully()
    }

    @Test("All bodies are found by their directories, and foreign names are skipped")
    func bodies() async throws {
        try await StoreFixture.run { fixture in
            let store = try fixture.open()
            #expect(try await store.directories() == [])
            var stored: Set<BodyID> = []
            for sequence in 0..<40 as Range<UInt64> {
                stored.insert(try await store.store([1], as: id(sequence * 100)).id)
                stored.insert(try await store.store([1]).id)
            }
            let root = StoreFixture.root
            let directory = try #require(try await store.directories().first)
            let misplaced = try #require(stored.first { ObjectDataStore.Directory(of: $0) != directory })
            for path in ["notes", "zz", "0", "ABC", "\(directory)/README", "\(directory)/\(misplaced)"] {
                _ = try fixture.disk.open("\(root)/\(path)", .createNew)
            }
            let parent = directory.description.prefix(2)
            for path in ["fff", "\(parent)/x", "\(parent)/00f"] { try fixture.disk.makeDirectory("\(root)/\(path)") }

            let directories = try await store.directories()
            #expect(directories == Set(stored.map { ObjectDataStore.Directory(of: $0) }).sorted())
            var found: [BodyID] = []
            for directory in directories {
                let bodies = try await store.bodies(in: directory)
                #expect(bodies == bodies.sorted())
                found += bodies
            }
            #expect(found.count == 80)
            #expect(Set(found) == stored)
            let empty = try #require((0...UInt16.max).first { number in !directories.contains { $0.rawValue == number } })
            #expect(try await store.bodies(in: ObjectDataStore.Directory(rawValue: empty)) == [])
        }
    }

    @Test("A directory that cannot be listed is a failure, not an empty one")
    func listingFails() async throws {
        try await StoreFixture.run { fixture in
            let store = try fixture.open()
            let directory = ObjectDataStore.Directory(of: try await store.store([1]).id)
            for operation in 1...3 {
                fixture.disk.inject(.failure(.io), at: fixture.disk.operationCount + operation)
                await #expect(throws: ObjectDataStoreError.self) {
                    _ = try await store.directories()
                    _ = try await store.bodies(in: directory)
                }
            }
        }
    }
}

/// Holds a thread that makes a body's name durable until it is told to go on.
private final class PausingDisk: FileSystem {
    private enum State { case running, pausesNext, paused }

    private let memory = FaultyFileSystem()
    private let state = Mutex(State.running)

    var isPaused: Bool { state.withLock { $0 == .paused } }
    func pauseAtNextBodyDirectory() { state.withLock { $0 = .pausesNext } }
    func goOn() { state.withLock { $0 = .running } }

    func synchronizeDirectory(_ path: String) throws(FileSystemError) {
        // /data/mx/ab/cd
        let isPausing = state.withLock { state in
            guard state == .pausesNext, path.split(separator: "/").count == 4 else { return false }
            state = .paused
            return true
        }
        while isPausing, isPaused { sched_yield() }
        try memory.synchronizeDirectory(path)
    }

    func open(_ path: String, _ mode: OpenMode) throws(FileSystemError) -> any File { try memory.open(path, mode) }
    func rename(_ source: String, to target: String) throws(FileSystemError) { try memory.rename(source, to: target) }
    func unlink(_ path: String) throws(FileSystemError) { try memory.unlink(path) }
    func link(_ source: String, to target: String) throws(FileSystemError) { try memory.link(source, to: target) }
    func makeDirectory(_ path: String) throws(FileSystemError) { try memory.makeDirectory(path) }
    func removeDirectory(_ path: String) throws(FileSystemError) { try memory.removeDirectory(path) }
    func list(_ path: String) throws(FileSystemError) -> [String] { try memory.list(path) }
    func status(_ path: String) throws(FileSystemError) -> FileStatus { try memory.status(path) }
    func availableByteCount(at path: String) throws(FileSystemError) -> UInt64 { try memory.availableByteCount(at: path) }
}
