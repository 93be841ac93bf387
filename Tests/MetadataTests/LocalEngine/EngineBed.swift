import Checksum
import Crypto
import FileSystem
import KeyValueStore
import Logging
import Metadata
import NIOCore
import ObjectDataStore
import Testing

#if canImport(Glibc)
    import Glibc
#endif

/// A directory for one test, with an engine over RocksDB that may be opened again and again.
final class EngineBed: Sendable {
    let directory: String
    static let owner = Owner(canonicalID: "owner-of-the-test-with-a-long-canonical-id", displayName: "Owner")
    static let bucket = BucketReference(name: "bucket", requiredOwner: nil)

    init() throws {
        var template = Array("/tmp/metadata-engine-XXXXXX".utf8CString)
        directory = try #require(mkdtemp(&template).map { String(cString: $0) })
    }

    deinit {
        // Only what the test made lies below.
        Self.remove(directory)
    }

    var keyValuePath: String { directory + "/kv" }
    var objectDataPath: String { directory + "/mx" }

    func configuration() -> LocalMetadataEngineConfiguration {
        var configuration = LocalMetadataEngineConfiguration(
            keyValuePath: keyValuePath, objectDataPath: objectDataPath,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        configuration.reservedByteCount = 0
        return configuration
    }

    /// Runs `body` with an open engine and closes it.
    func withEngine<Result>(_ body: (LocalMetadataEngine) async throws -> Result) async throws -> Result {
        let engine = try LocalMetadataEngine(configuration())
        do {
            let result = try await body(engine)
            await engine.close()
            return result
        } catch {
            await engine.close()
            throw error
        }
    }

    /// As `withEngine`, with the bucket made before.
    func withBucket<Result>(
        versioning: BucketVersioning = .unversioned, _ body: (LocalMetadataEngine) async throws -> Result
    ) async throws -> Result {
        try await withEngine { engine in
            try await engine.makeBucket(versioning: versioning)
            return try await body(engine)
        }
    }

    /// What `StateChecker` finds in the closed store.
    func check() throws -> StateChecker<RocksDBStore.Snapshot>.Report {
        let store = try RocksDBStore(path: keyValuePath, families: KeySchema.families)
        defer { store.close() }
        return try StateChecker.check(store.makeSnapshot())
    }

    /// The files of bodies, finished or not.
    func bodyFileCount() throws -> Int { try Self.fileCount(objectDataPath, named: { $0.count == 32 }) }

    /// Waits for as long as it takes (the test's time limit is the bound) until so many bodies are left.
    func waitForBodyFiles(_ count: Int) async throws {
        while try bodyFileCount() != count { try await Task.sleep(for: .milliseconds(2)) }
    }

    private static func fileCount(_ path: String, named isCounted: (String) -> Bool) throws -> Int {
        let fileSystem = POSIXFileSystem()
        var count = 0
        for name in try fileSystem.list(path) {
            // Files come and go while they are counted.
            guard let status = try? fileSystem.status(path + "/" + name) else { continue }
            if status.isDirectory {
                count += try fileCount(path + "/" + name, named: isCounted)
            } else if isCounted(name) {
                count += 1
            }
        }
        return count
    }

    private static func remove(_ path: String) {
        let fileSystem = POSIXFileSystem()
        for name in (try? fileSystem.list(path)) ?? [] {
            let child = path + "/" + name
            if (try? fileSystem.status(child).isDirectory) == true { remove(child) } else { try? fileSystem.unlink(child) }
        }
        rmdir(path)
    }
}

/// Requests of the tests in one line each.
extension MetadataEngine {
    func makeBucket(versioning: BucketVersioning = .unversioned) async throws {
        try await createBucket(CreateBucket(name: EngineBed.bucket.name, owner: EngineBed.owner, location: ""))
        guard versioning != .unversioned else { return }
        try await setBucketVersioning(SetBucketVersioning(bucket: EngineBed.bucket, versioning: versioning))
    }

    @discardableResult
    func put(
        _ key: String, _ body: ObjectBody, conditions: WriteConditions = WriteConditions()
    ) async throws -> PutObjectResult {
        let key = try ObjectKey(Array(key.utf8))
        return try await putObject(
            PutObject(
                bucket: EngineBed.bucket, key: key, body: body, etag: ETag(high: 1, low: body.byteCount),
                owner: EngineBed.owner, conditions: conditions))
    }

    @discardableResult
    func put(
        _ key: String, _ text: String, conditions: WriteConditions = WriteConditions()
    ) async throws -> PutObjectResult {
        try await put(key, .inline(ByteBuffer(string: text)), conditions: conditions)
    }

    /// Stores a body of a pattern that `seed` determines.
    func storeBody(_ byteCount: Int, seed: UInt8) async throws -> StoredBody {
        let writer = try await makeBodyWriter()
        var left = byteCount
        while left > 0 {
            let count = min(left, 100_000)
            try await writer.write(EngineBed.pattern(byteCount - left, count, seed: seed))
            left -= count
        }
        return try await writer.finish()
    }

    @discardableResult
    func delete(_ key: String, versionID: VersionID? = nil) async throws -> DeleteObjectResult {
        let key = try ObjectKey(Array(key.utf8))
        return try await deleteObject(
            DeleteObject(bucket: EngineBed.bucket, key: key, versionID: versionID, owner: EngineBed.owner))
    }

    func reader(_ key: String, versionID: VersionID? = nil) async throws -> (info: ObjectInfo, body: BodyReader) {
        let key = try ObjectKey(Array(key.utf8))
        return try await getObjectReader(GetObject(bucket: EngineBed.bucket, key: key, versionID: versionID))
    }

    func get(_ key: String, versionID: VersionID? = nil) async throws -> ByteBuffer {
        let (info, body) = try await reader(key, versionID: versionID)
        return try await body.readAll(info.size)
    }

    func keys(prefix: String = "") async throws -> [String] {
        var keys: [String] = []
        var request = ListObjects(bucket: EngineBed.bucket, prefix: Array(prefix.utf8))
        while true {
            let page = try await listObjects(request)
            keys += page.objects.map(\.key.description)
            guard let next = page.nextStartAfter else { return keys }
            request.startAfter = next
        }
    }

    func usage() async throws -> BucketUsage {
        try await bucketUsage(EngineBed.bucket, read: .linearizable)
    }
}

extension ObjectBodyReader {
    func readAll(_ size: UInt64, maxByteCount: Int = 1 << 20) async throws -> ByteBuffer {
        if let inlineBytes { return inlineBytes }
        var all = ByteBuffer()
        while UInt64(all.writerIndex) < size {
            var bytes = try await read(at: UInt64(all.writerIndex), maxByteCount: maxByteCount)
            if bytes.readableBytes == 0 { break }
            all.writeBuffer(&bytes)
        }
        return all
    }
}

extension EngineBed {
    static func pattern(_ offset: Int, _ count: Int, seed: UInt8) -> ByteBuffer {
        ByteBuffer(bytes: (offset..<offset + count).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 8) &+ seed })
    }
}
