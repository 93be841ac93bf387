import Backup
import FileSystem
import Glibc
import KeyValueStore
import Logging
import Metadata
import NIOCore
import ObjectDataStore
import Raft
import RaftStorage
import Replication
import Testing

let noLogger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// A directory for one test: engines in it, backup files beside them.
final class BackupBed: Sendable {
    let directory: String
    static let bucket = BucketReference(name: "bucket", requiredOwner: nil)
    static let owner = Owner(canonicalID: "owner", displayName: "Owner")

    init() throws {
        var template = Array("/tmp/backup-test-XXXXXX".utf8CString)
        directory = try #require(mkdtemp(&template).map { String(cString: $0) })
    }

    deinit { try? POSIXFileSystem().removeAll(directory) }

    func path(_ name: String) -> String { "\(directory)/\(name)" }

    func names(in path: String) -> [String] { ((try? POSIXFileSystem().list(path)) ?? []).sorted() }

    func bytes(of path: String) throws -> [UInt8] { try POSIXFileSystem().readFile(path, byteCountMax: 1 << 30) }

    /// Replaces what there is.
    func write(_ bytes: [UInt8], to path: String) throws {
        let file = try POSIXFileSystem().open(path, .createIfMissing)
        try file.truncate(to: 0)
        try file.write(bytes)
    }

    // MARK: Engines

    func openLocal(_ name: String, fileSystem: any FileSystem = POSIXFileSystem()) throws -> LocalMetadataEngine {
        try POSIXFileSystem().makeDirectories(path(name))
        var configuration = LocalMetadataEngineConfiguration(
            keyValuePath: path("\(name)/kv"), objectDataPath: path("\(name)/mx"), logger: noLogger)
        configuration.reservedByteCount = 0
        return try LocalMetadataEngine(configuration, fileSystem: fileSystem)
    }

    func withLocal<Value>(
        _ name: String, fileSystem: any FileSystem = POSIXFileSystem(), _ body: (LocalMetadataEngine) async throws -> Value
    ) async throws -> Value {
        let engine = try openLocal(name, fileSystem: fileSystem)
        do {
            let value = try await body(engine)
            await engine.close()
            return value
        } catch {
            await engine.close()
            throw error
        }
    }

    /// A cluster of one.
    func withReplicated<Value>(
        _ name: String, node id: UInt64 = 1, _ body: (ReplicatedMetadataEngine) async throws -> Value
    ) async throws -> Value {
        try POSIXFileSystem().makeDirectories(path(name))
        var node = RaftNodeConfiguration(
            nodeID: NodeID(id), nodes: [RaftNodeConfiguration.Node(id: NodeID(id), address: "127.0.0.1:1")],
            listenHost: "127.0.0.1", listenPort: 0, dataDirectory: path(name), logDirectory: path("\(name)/log"),
            statePaths: StateStorage.Paths(keyValue: path("\(name)/kv"), snapshots: path("\(name)/snapshots")), logger: noLogger
        )
        node.log.segmentByteCount = 1 << 20
        node.replica.raft.electionTicks = 10
        var configuration = ReplicatedMetadataEngineConfiguration(node: node, objectDataPath: path("\(name)/mx"))
        configuration.reservedByteCount = 0
        let engine = try ReplicatedMetadataEngine(configuration)
        do {
            _ = try await engine.start()
            let value = try await body(engine)
            await engine.close()
            return value
        } catch {
            await engine.close()
            throw error
        }
    }

    // MARK: Restoring

    func target(_ name: String) -> BackupRestore.Target {
        BackupRestore.Target(
            dataDirectory: path(name), keyValuePath: path("\(name)/kv"), objectDataPath: path("\(name)/mx"),
            otherPaths: [path("\(name)/log")])
    }

    @discardableResult
    func restore(
        _ file: String, to name: String, fileSystem: any FileSystem = POSIXFileSystem()
    ) async throws(BackupError) -> BackupFile {
        try await BackupRestore(to: target(name), fileSystem: fileSystem, logger: noLogger).run(file)
    }

    /// A file with a bucket, two objects, and a body of 300 bytes.
    func makeSmallFile(_ name: String = "small.snap", withData: Bool = true) async throws -> String {
        let path = path(name)
        try await withLocal("source-of-\(name)") { engine in
            try await engine.fill(bodyByteCount: 300)
            _ = try await engine.createSnapshot(to: path, withData: withData)
        }
        return path
    }
}

/// What the tests write, and look for in what was restored.
extension MetadataEngine {
    func makeBucket() async throws {
        try await createBucket(CreateBucket(name: BackupBed.bucket.name, owner: BackupBed.owner, location: ""))
    }

    func put(_ key: String, _ body: ObjectBody) async throws {
        _ = try await putObject(
            PutObject(
                bucket: BackupBed.bucket, key: try ObjectKey(Array(key.utf8)), body: body, etag: ETag(high: 1, low: 2),
                owner: BackupBed.owner))
    }

    func storeBody(_ byteCount: Int, seed: Int) async throws -> StoredBody {
        let writer = try await makeBodyWriter()
        try await writer.write(ByteBuffer(bytes: pattern(byteCount, seed: seed)))
        return try await writer.finish()
    }

    func content(of key: String) async throws -> [UInt8] {
        let (info, body) = try await getObjectReader(
            GetObject(bucket: BackupBed.bucket, key: try ObjectKey(Array(key.utf8)), read: .eventual))
        var bytes: [UInt8] = []
        while UInt64(bytes.count) < info.size {
            bytes += try await body.read(at: UInt64(bytes.count), maxByteCount: 1 << 20).readableBytesView
        }
        return bytes
    }

    func expect(_ content: [UInt8], at key: String) async throws {
        let found = try await self.content(of: key)
        #expect(found == content, "\(key)")
    }

    func fill(bodyByteCount: Int) async throws {
        try await makeBucket()
        try await put("inline", .inline(ByteBuffer(string: "inline")))
        try await put("stored", .stored(try await storeBody(bodyByteCount, seed: 1)))
    }
}

/// Until the cluster's first election, which takes a moment, is over.
func retry(_ body: () async throws -> Void) async throws {
    while true {
        do { return try await body() } catch let error as MetadataError where error.code == .timeout { continue }
    }
}

func pattern(_ byteCount: Int, seed: Int) -> [UInt8] {
    (0..<byteCount).map { UInt8(truncatingIfNeeded: ($0 &* 31 &+ seed &* 7) >> 3 ^ $0) }
}

/// - Returns: the error that the body throws; nil, and an issue, if it throws none.
func failure(_ body: () async throws(BackupError) -> Void) async -> BackupError? {
    do throws(BackupError) {
        try await body()
        Issue.record("nothing was wrong")
        return nil
    } catch { return error }
}
