import FileSystem
import Foundation
import KeyValueStore
import Metadata
import Raft
import Replication

/// A replica's state on a real disk, and what is applied to it.
struct StateBench {
    let storage: StateStorage
    private(set) var store: RocksDBStore
    private(set) var machine: ReplicatedStateMachine
    /// The last property, so that it goes last: a store that is closed flushes, and waits a second when its directory is gone.
    let directory: TemporaryStateDirectory

    /// - Parameter fileSystem: what the storage works through.
    init(
        _ directory: TemporaryStateDirectory, fileSystem: any FileSystem = POSIXFileSystem()
    ) throws {
        self.directory = directory
        storage = try StateStorage(paths: directory.paths, options: Self.options, fileSystem: fileSystem)
        store = try storage.open()
        machine = try ReplicatedStateMachine(loading: store.makeSnapshot())
    }

    /// In a directory of its own, founded.
    init() throws {
        try self.init(try TemporaryStateDirectory())
        try found()
    }

    static var options: RocksDBOptions {
        var options = RocksDBOptions()
        options.blockCacheBytes = 4 << 20
        return options
    }

    // MARK: The state

    mutating func found(_ genesis: Genesis = ApplyBench.genesis) throws {
        let transaction = store.makeTransaction()
        machine.found(genesis, in: transaction)
        try store.commit(transaction, durability: .synced)
        try apply(.openSession(ApplyBench.session(3)))
        for change in TestOperations.setUp { try operation(TestOperations.bytes(change)) }
    }

    var index: LogIndex { machine.appliedIndex }

    @discardableResult
    mutating func apply(_ command: Command) throws -> ApplyReport {
        let transaction = store.makeTransaction()
        let report = try machine.apply([Entry(index: index.next, term: Term(2), payload: command.encoded())], in: transaction)
        try store.commit(transaction, durability: .buffered)
        return report
    }

    mutating func operation(_ bytes: [UInt8]) throws {
        // Behind genesis and session, each entry is one operation.
        let serial = Serial(index.rawValue - 1)
        try apply(
            .operation(SessionOperation(session: ApplyBench.session(3), serial: serial, mark: serial, operation: bytes)))
    }

    /// Puts objects with small bodies into the store, from `first` on.
    mutating func put(_ count: UInt64, from first: UInt64 = 0, byteCount: Int = 100) throws {
        for number in first..<first + count {
            try operation(try TestOperations.put("key-\(number)", number, byteCount: byteCount))
        }
    }

    var digest: StateDigest { machine.digest }

    mutating func install(_ id: SnapshotID) throws {
        store = try storage.install(id)
        machine = try ReplicatedStateMachine(loading: store.makeSnapshot())
    }

    // MARK: Snapshots

    /// Moves a snapshot from here to there, as the replicas do it.
    func send(
        _ description: SnapshotDescription, to other: StateStorage, chunkByteCount: UInt32 = 4096, count: UInt64 = .max
    ) throws {
        let offer = description.offer(chunkByteCount: chunkByteCount)
        let first = try other.openReception(offer)
        for number in first..<min(offer.chunkCount, max(first, count)) {
            let bytes = try storage.chunk(number, of: description.id, chunkByteCount: chunkByteCount)
            try other.storeChunk(number, of: description.id, bytes)
        }
    }

    /// All bytes that are offered.
    func archive(_ description: SnapshotDescription, chunkByteCount: UInt32 = 65_536) throws -> [UInt8] {
        var bytes: [UInt8] = []
        for number in 0..<description.offer(chunkByteCount: chunkByteCount).chunkCount {
            bytes += try storage.chunk(number, of: description.id, chunkByteCount: chunkByteCount)
        }
        return bytes
    }
}

extension SnapshotDescription {
    func offer(chunkByteCount: UInt32 = 4096) -> SnapshotOffer {
        SnapshotOffer(
            term: Term(9), mark: mark, fingerprint: id.fingerprint, byteCount: byteCount, chunkByteCount: chunkByteCount,
            version: version)
    }
}

/// What `metadata/kv` and `raft/snapshot` are in a node's data directory; removed at the end.
final class TemporaryStateDirectory: Sendable {
    let path: String
    var paths: StateStorage.Paths {
        StateStorage.Paths(keyValue: "\(path)/metadata/kv", snapshots: "\(path)/raft/snapshot")
    }

    init() throws {
        path = Self.place + "/state-\(UInt64.random(in: .min ... .max))"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// In memory where there is room: processes are killed here, not machines, and most of the time was spent waiting for a disk.
    private static let place: String = {
        let manager = FileManager.default
        let memory = "/dev/shm"
        let free = try? manager.attributesOfFileSystem(forPath: memory)[.systemFreeSize] as? Int
        return manager.isWritableFile(atPath: memory) && (free ?? 0) >= 1 << 30 ? memory : manager.temporaryDirectory.path
    }()

    /// As a crash of the process at this instant would leave it.
    ///
    /// RocksDB works in the background: what changed while it was copied is copied again.
    func crashed() throws -> TemporaryStateDirectory {
        for _ in 0..<10_000 {
            let before = sizes
            let copy = try TemporaryStateDirectory()
            try FileManager.default.removeItem(atPath: copy.path)
            guard (try? FileManager.default.copyItem(atPath: path, toPath: copy.path)) != nil else { continue }
            if before == sizes { return copy }
        }
        throw NeverQuiet()
    }

    struct NeverQuiet: Error {}

    private var sizes: [String: Int] {
        var sizes: [String: Int] = [:]
        for name in FileManager.default.subpaths(atPath: path) ?? [] {
            sizes[name] = (try? FileManager.default.attributesOfItem(atPath: "\(path)/\(name)"))?[.size] as? Int
        }
        return sizes
    }

    /// Names in a directory below, sorted.
    func names(_ relative: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: "\(path)/\(relative)").sorted()
    }

    func isThere(_ relative: String) -> Bool { FileManager.default.fileExists(atPath: "\(path)/\(relative)") }

    /// All paths of files below, sorted.
    func files(below relative: String) throws -> [String] {
        try FileManager.default.subpathsOfDirectory(atPath: "\(path)/\(relative)").sorted()
    }

    /// Inverts a bit of the file's byte.
    func byteCount(_ relative: String) throws -> Int {
        Int(try POSIXFileSystem().status("\(path)/\(relative)").byteCount)
    }

    /// Of all files below.
    func byteCountBelow(_ relative: String) throws -> Int {
        let names = try FileManager.default.subpathsOfDirectory(atPath: "\(path)/\(relative)")
        return try names.reduce(0) { sum, name in
            let status = try POSIXFileSystem().status("\(path)/\(relative)/\(name)")
            return sum + (status.isDirectory ? 0 : Int(status.byteCount))
        }
    }

    func flip(_ relative: String, at offset: Int) throws {
        let file = try POSIXFileSystem().open("\(path)/\(relative)", .update)
        let byte = try file.readBytes(at: UInt64(offset), byteCount: 1)
        try file.write(byte.map { $0 ^ 4 }, at: UInt64(offset))
    }

    func truncate(_ relative: String, to byteCount: UInt64) throws {
        try POSIXFileSystem().open("\(path)/\(relative)", .update).truncate(to: byteCount)
    }
}

/// The first object of the store, by the operation that `StateBench.put` makes.
func hasObject(_ number: UInt64, _ store: RocksDBStore) throws -> Bool {
    let reader = MetadataReader(store.makeSnapshot(), tier: .all)
    guard let bucket = try reader.bucket(named: TestOperations.bucket) else { return false }
    return try reader.usage(of: bucket).versionCount > number
}
