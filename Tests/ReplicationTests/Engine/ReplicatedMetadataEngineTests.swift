import FileSystem
import Foundation
import Logging
import Metadata
import NIOCore
import ObjectDataStore
import Raft
import RaftStorage
import Replication
import Testing

/// A cluster of one over a real directory. Several nodes are tested as processes, from outside.
@Suite("The replicated engine", .timeLimit(.minutes(2)))
struct ReplicatedMetadataEngineTests {
    private let directory = FileManager.default.temporaryDirectory.appending(path: "engine-\(UUID().uuidString)").path
    private static let owner = Owner(canonicalID: "owner", displayName: "Owner")
    private static let bucket = BucketReference(name: "bucket", requiredOwner: nil)

    private func open(node: UInt64 = 1) throws -> ReplicatedMetadataEngine {
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        var node = RaftNodeConfiguration(
            nodeID: NodeID(node), nodes: [RaftNodeConfiguration.Node(id: NodeID(node), address: "127.0.0.1:1")],
            listenHost: "127.0.0.1", listenPort: 0, dataDirectory: directory, logDirectory: "\(directory)/log",
            statePaths: StateStorage.Paths(keyValue: "\(directory)/kv", snapshots: "\(directory)/snapshots"),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        node.log.segmentByteCount = 1 << 20
        node.replica.raft.electionTicks = 10
        var configuration = ReplicatedMetadataEngineConfiguration(node: node, objectDataPath: "\(directory)/mx")
        configuration.requestTimeoutMilliseconds = 10_000
        configuration.reservedByteCount = 0
        return try ReplicatedMetadataEngine(configuration)
    }

    /// Opens the engine, lets `body` use it, and closes it.
    private func use<Value>(_ body: (ReplicatedMetadataEngine) async throws -> Value) async throws -> Value {
        let engine = try open()
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

    private func put(_ key: String, _ engine: ReplicatedMetadataEngine, _ consistency: WriteConsistency = .strong) async throws
    {
        let request = PutObject(
            bucket: Self.bucket, key: try ObjectKey(Array(key.utf8)), body: .inline(ByteBuffer(string: key)),
            etag: ETag(high: 1, low: 2), owner: Self.owner)
        _ = try await engine.putObject(request, consistency: consistency)
    }

    private func get(_ key: String, _ engine: ReplicatedMetadataEngine, _ read: ReadOptions) async throws -> String? {
        let (_, body) = try await engine.getObjectReader(
            GetObject(bucket: Self.bucket, key: try ObjectKey(Array(key.utf8)), read: read))
        return body.inlineBytes.map { String(buffer: $0) }
    }

    private func retry(_ body: () async throws -> Void) async throws {
        // The first election takes a moment.
        while true {
            do { return try await body() } catch let error as MetadataError where error.code == .timeout { continue }
        }
    }

    @Test("What was acknowledged is there after a restart, at every consistency")
    func restart() async throws {
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let index = try await use { engine in
            try await retry {
                try await engine.createBucket(CreateBucket(name: "bucket", owner: Self.owner, location: ""))
            }
            for number in 0..<50 { try await put("key\(number)", engine) }
            let index = try #require(engine.appliedIndex)
            for read in [
                ReadOptions.linearizable, .eventual, ReadOptions(.eventual, minimumIndex: index),
                ReadOptions(.boundedStaleness(maxStalenessMilliseconds: 60_000)),
            ] { #expect(try await get("key49", engine, read) == "key49") }
            let status = await engine.node.status()
            #expect(status.state == .ready && status.role == .leader && status.peers.count == 1)
            return index
        }
        try await use { engine in
            try await retry { _ = try await get("key49", engine, .linearizable) }
            #expect(try #require(engine.appliedIndex) >= index)
            for number in 0..<50 { #expect(try await get("key\(number)", engine, .linearizable) == "key\(number)") }
        }
    }

    @Test("An eventual write arrives; a write that depends on the state is strong")
    func eventualWrites() async throws {
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try await use { engine in
            try await retry {
                try await engine.createBucket(CreateBucket(name: "bucket", owner: Self.owner, location: ""))
            }
            try await put("soon", engine, .eventual)
            try await put("behind", engine)
            #expect(try await get("soon", engine, .linearizable) == "soon")
            var conditional = PutObject(
                bucket: Self.bucket, key: try ObjectKey(Array("soon".utf8)), body: .inline(ByteBuffer()),
                etag: ETag(high: 0, low: 0), owner: Self.owner)
            conditional.conditions.ifNoneMatch = [.any]
            let request = conditional
            do {
                _ = try await engine.putObject(request, consistency: .eventual)
                Issue.record("a condition was ignored")
            } catch let error as MetadataError { #expect(error.code == .preconditionFailed) }
        }
    }

    @Test("Tags of objects and buckets are replicated writes, and reads wait for them as they ask to")
    func tags() async throws {
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let tags = [ResourceTag(key: "key", value: "1"), ResourceTag(key: "ü", value: "")]
        let key = try ObjectKey(Array("key".utf8))
        try await use { engine in
            try await retry {
                try await engine.createBucket(CreateBucket(name: "bucket", owner: Self.owner, location: ""))
            }
            try await put("key", engine)
            _ = try await engine.setObjectTagging(SetObjectTagging(bucket: Self.bucket, key: key, tags: tags))
            try await engine.setBucketTagging(SetBucketTagging(bucket: Self.bucket, tags: tags))
            let index = try #require(engine.appliedIndex)
            for read in [ReadOptions.linearizable, .eventual, ReadOptions(.eventual, minimumIndex: index)] {
                let info = try await engine.headObject(GetObject(bucket: Self.bucket, key: key, read: read))
                #expect(info.attributes.tags == tags)
                #expect(try await engine.getBucketTags(Self.bucket, read: read) == tags)
            }
            do {
                let missing = try ObjectKey(Array("missing".utf8))
                _ = try await engine.setObjectTagging(SetObjectTagging(bucket: Self.bucket, key: missing, tags: tags))
                Issue.record("what is not there was tagged")
            } catch let error as MetadataError { #expect(error.code == .noSuchKey) }
        }
    }

    @Test("A cluster of one keeps large bodies, and deletes them with their object; an abandoned one cannot be named")
    func largeBodies() async throws {
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try await use { engine in
            try await retry {
                try await engine.createBucket(CreateBucket(name: "bucket", owner: Self.owner, location: ""))
            }
            let bytes = ByteBuffer(bytes: (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) })
            let kept = try await store(bytes, engine)
            _ = try await engine.putObject(try request("large", kept))
            let found = try await engine.getObjectReader(GetObject(bucket: Self.bucket, key: try key("large")))
            #expect(try await found.body.read(at: 100_000, maxByteCount: 50) == bytes.getSlice(at: 100_000, length: 50))
            // A body belongs to one object, and to none when it was given up.
            await #expect(throws: MetadataError.self) { try await engine.putObject(try request("second", kept)) }
            let abandoned = try await store(bytes, engine)
            _ = await engine.write(.change(.abandonBodies([abandoned.id, kept.id])))
            await #expect(throws: MetadataError.self) { try await engine.putObject(try request("late", abandoned)) }
            // Nobody says who holds it.
            let unheld = StoredBody(id: BodyID(origin: 9, sequence: 9), length: 200_000)
            await #expect(throws: MetadataError.self) { try await engine.putObject(try request("unheld", unheld)) }
            #expect(try await found.body.read(at: 0, maxByteCount: 5) == bytes.getSlice(at: 0, length: 5))
        }
    }

    private func store(_ bytes: ByteBuffer, _ engine: ReplicatedMetadataEngine) async throws -> StoredBody {
        let writer = try await engine.makeBodyWriter()
        try await writer.write(bytes)
        return try await writer.finish()
    }

    private func key(_ name: String) throws -> ObjectKey { try ObjectKey(Array(name.utf8)) }

    private func request(_ name: String, _ body: StoredBody) throws -> PutObject {
        PutObject(
            bucket: Self.bucket, key: try key(name), body: .stored(body), etag: ETag(high: 1, low: 2), owner: Self.owner)
    }

    @Test("A closed engine refuses everything at once, and may be closed again")
    func closed() async throws {
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let engine = try open()
        _ = try await engine.start()
        await engine.close()
        await engine.close()
        #expect(engine.appliedIndex == nil)
        do {
            try await put("late", engine)
            Issue.record("a closed engine has taken a write")
        } catch let error as MetadataError { #expect(error.code == .unavailable) }
        do {
            _ = try await get("late", engine, .linearizable)
            Issue.record("a closed engine has answered a read")
        } catch let error as MetadataError { #expect(error.code == .unavailable) }
        #expect(await engine.node.status().state == .stopped)
    }

    @Test("Another node's directory is refused")
    func anotherNode() async throws {
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try await use { _ in }
        #expect(throws: RaftNodeError.self) { _ = try open(node: 2) }
    }
}
