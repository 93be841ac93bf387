import FileSystem
import Logging
import NIOCore
import NIOPosix
import ObjectDataStore
import Testing

/// Stores on a file system with faults. A crash is one call; another store on the same disk is the next start.
struct StoreFixture {
    static let root = "/data/mx"

    let disk: FaultyFileSystem
    let threads: NIOThreadPool

    /// Runs `body` with two threads, and stops them.
    static func run<Value>(
        availableByteCount: UInt64 = 1 << 40, _ body: (StoreFixture) async throws -> Value
    ) async throws -> Value {
        let threads = NIOThreadPool(numberOfThreads: 2)
        threads.start()
        let fixture = StoreFixture(
            disk: FaultyFileSystem(availableByteCount: availableByteCount), threads: threads)
        do {
            let value = try await body(fixture)
            try await threads.shutdownGracefully()
            return value
        } catch {
            try await threads.shutdownGracefully()
            throw error
        }
    }

    func open(beginning: UInt32 = 0) throws(ObjectDataStoreError) -> ObjectDataStore {
        try ObjectDataStore(
            root: Self.root, fileSystem: disk, node: 7, threads: threads,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, beginning: beginning)
    }

    /// Paths of all bodies under their own names.
    func bodyPaths() throws -> [String] {
        var paths: [String] = []
        for parent in try disk.list(Self.root) where parent.utf8.count == 2 {
            for child in try disk.list("\(Self.root)/\(parent)") {
                for name in try disk.list("\(Self.root)/\(parent)/\(child)") {
                    paths.append("\(Self.root)/\(parent)/\(child)/\(name)")
                }
            }
        }
        return paths
    }

    func temporaryNames() throws -> [String] { try disk.list("\(Self.root)/tmp") }

    /// The file of the only body.
    func onlyBodyPath() throws -> String {
        let paths = try bodyPaths()
        return try #require(paths.count == 1 ? paths.first : nil)
    }
}

/// Bytes without a pattern, the same for the same seed.
func pseudoRandomBytes(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
    var generator = PseudoRandom(seed: seed)
    return (0..<count).map { _ in UInt8(truncatingIfNeeded: generator.next() >> 33) }
}

struct PseudoRandom: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state ^ state >> 29
    }
}

extension ObjectDataStore {
    func store(_ content: [UInt8], chunkByteCount: Int = 50_000) async throws(ObjectDataStoreError) -> StoredBody {
        let writer = try await makeWriter()
        try await writer.write(content, chunkByteCount: chunkByteCount)
        return try await writer.finish()
    }

    /// Stores what another node has named.
    func store(_ content: [UInt8], as id: BodyID) async throws(ObjectDataStoreError) -> StoredBody {
        let writer = try await makeWriter(for: id)
        try await writer.write(content)
        return try await writer.finish()
    }

    func readAll(_ body: StoredBody, maxByteCount: Int = 1 << 20) async throws(ObjectDataStoreError) -> [UInt8] {
        let reader = try await openReader(body)
        var content: [UInt8] = []
        while true {
            let bytes = try await reader.read(at: UInt64(content.count), maxByteCount: maxByteCount)
            if bytes.readableBytes == 0 { return content }
            content.append(contentsOf: bytes.readableBytesView)
        }
    }

    /// Whether reading the body whole finds damage; any other outcome but its content is reported.
    func findsDamage(_ body: StoredBody, content: [UInt8]) async throws -> Bool {
        do {
            #expect(try await readAll(body) == content, "wrong bytes were served")
            return false
        } catch ObjectDataStoreError.damaged {
            return true
        }
    }
}

extension ObjectDataWriter {
    func write(_ content: [UInt8], chunkByteCount: Int = 50_000) async throws(ObjectDataStoreError) {
        for start in stride(from: 0, to: content.count, by: chunkByteCount) {
            try await write(ByteBuffer(bytes: content[start..<min(start + chunkByteCount, content.count)]))
        }
    }
}

/// The damage that `work` finds; nil, and an issue, if it does anything else.
func damage(_ work: () async throws -> Void) async -> (file: String, block: UInt64?)? {
    do {
        try await work()
        Issue.record("nothing was found")
    } catch ObjectDataStoreError.damaged(let file, let block, _) {
        return (file, block)
    } catch {
        Issue.record(error)
    }
    return nil
}
