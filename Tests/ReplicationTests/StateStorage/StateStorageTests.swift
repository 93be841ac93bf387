import FileSystem
import Foundation
import KeyValueStore
import Metadata
import Raft
import Replication
import Testing

@Suite("A replica's state on disk")
struct StateStorageTests {
    @Test("A new directory has an empty state, no snapshot, and was never installed")
    func new() throws {
        let bench = try StateBench(try TemporaryStateDirectory())
        #expect(bench.storage.installedIndex == nil)
        #expect(try bench.storage.newestSnapshot() == nil)
        #expect(bench.machine.state == ReplicatedState())
        #expect(throws: StateStorageError.self) { try bench.storage.takeSnapshot(of: bench.store) }
        #expect(try bench.directory.names("raft/snapshot") == ["incoming"])
    }

    @Test("A snapshot says what the state was, though nothing was flushed, and is found again after a crash")
    func taken() throws {
        var bench = try StateBench()
        try bench.put(20)
        let description = try bench.storage.takeSnapshot(of: bench.store)
        #expect(description.id.index == bench.index && description.id.term == Term(2))
        #expect(description.configuration == ApplyBench.genesis.configuration)
        #expect(description.version == .first)
        #expect(UInt64(try bench.archive(description).count) == description.byteCount)
        try bench.put(1, from: 20)

        let crashed = try bench.directory.crashed()
        let storage = try StateBench(crashed).storage
        #expect(try storage.newestSnapshot() == description)
    }

    @Test("Taking a snapshot of the same entry again gives the same one")
    func again() throws {
        let bench = try StateBench()
        let first = try bench.storage.takeSnapshot(of: bench.store)
        #expect(try bench.storage.takeSnapshot(of: bench.store) == first)
        // Reading inside has left nothing there.
        let files = try bench.directory.names("raft/snapshot/\(directoryName(first))")
        #expect(!files.contains("LOG") && !files.contains("LOCK") && files.contains("manifest"))
        #expect(try bench.directory.names("raft/snapshot") == [directoryName(first), "incoming"].sorted())
    }

    @Test("A snapshot stays readable while newer ones are taken, until it is released")
    func released() throws {
        var bench = try StateBench()
        try bench.put(5)
        let first = try bench.storage.takeSnapshot(of: bench.store)
        let bytes = try bench.archive(first)
        try bench.put(5, from: 5)
        let second = try bench.storage.takeSnapshot(of: bench.store)
        #expect(try bench.archive(first) == bytes)
        bench.storage.release(first.id)
        #expect(throws: StateStorageError.self) { try bench.storage.chunk(0, of: first.id, chunkByteCount: 4096) }
        #expect(try bench.directory.names("raft/snapshot") == [directoryName(second), "incoming"].sorted())
        bench.storage.release(first.id)
        #expect(try bench.archive(second).count == Int(second.byteCount))
    }

    @Test("After a start the newest whole snapshot counts, and the others go")
    func newestOfMany() throws {
        var bench = try StateBench()
        for round in UInt64(0)..<3 {
            try bench.put(2, from: round * 2)
            _ = try bench.storage.takeSnapshot(of: bench.store)
        }
        let newest = try bench.storage.takeSnapshot(of: bench.store)
        try Data("note".utf8).write(to: URL(filePath: bench.directory.path + "/raft/snapshot/README"))
        let crashed = try bench.directory.crashed()
        let storage = try StateBench(crashed).storage
        #expect(try storage.newestSnapshot() == newest)
        // What is no snapshot is not touched.
        #expect(try crashed.names("raft/snapshot") == [directoryName(newest), "README", "incoming"].sorted())
    }

    enum Damage: CaseIterable, Sendable {
        case manifestBit, manifestCut, manifestMissing, manifestEmpty, fileMissing, fileCut, fileInstead
    }

    @Test("Of a damaged or partial snapshot nothing stays, and the one before counts", arguments: Damage.allCases)
    func damaged(_ damage: Damage) throws {
        var bench = try StateBench()
        let first = try bench.storage.takeSnapshot(of: bench.store)
        try bench.put(3)
        let second = try bench.storage.takeSnapshot(of: bench.store)
        let crashed = try bench.directory.crashed()
        let path = "raft/snapshot/\(directoryName(second))"
        let manager = FileManager.default
        switch damage {
        case .manifestBit: try crashed.flip("\(path)/manifest", at: 60)
        case .manifestCut: try crashed.truncate("\(path)/manifest", to: 90)
        case .manifestEmpty: try crashed.truncate("\(path)/manifest", to: 0)
        case .manifestMissing: try manager.removeItem(atPath: "\(crashed.path)/\(path)/manifest")
        case .fileMissing: try manager.removeItem(atPath: "\(crashed.path)/\(path)/CURRENT")
        case .fileCut: try crashed.truncate("\(path)/CURRENT", to: 3)
        case .fileInstead:
            try manager.removeItem(atPath: "\(crashed.path)/\(path)")
            try Data("x".utf8).write(to: URL(filePath: "\(crashed.path)/\(path)"))
        }
        let storage = try StateBench(crashed).storage
        #expect(try storage.newestSnapshot() == first)
        #expect(try crashed.names("raft/snapshot") == [directoryName(first), "incoming"].sorted())
    }

    @Test("Chunks of any size are the same bytes, and there are none beyond", arguments: [1, 17, 4096, 1 << 20] as [UInt32])
    func chunks(_ chunkByteCount: UInt32) throws {
        var bench = try StateBench()
        // Large values: blob files, too.
        try bench.put(2, byteCount: 20_000)
        let description = try bench.storage.takeSnapshot(of: bench.store)
        let whole = try bench.archive(description)
        let count = description.offer(chunkByteCount: chunkByteCount).chunkCount
        // Of the smallest ones not all: that would be as many openings of files.
        for number in stride(from: 0, to: count, by: max(1, Int(count / 500))) {
            let start = Int(number) * Int(chunkByteCount)
            let bytes = try bench.storage.chunk(number, of: description.id, chunkByteCount: chunkByteCount)
            #expect(bytes == Array(whole[start..<min(start + Int(chunkByteCount), whole.count)]))
        }
        for number in [count, count + 1, .max] {
            #expect(throws: StateStorageError.self) {
                try bench.storage.chunk(number, of: description.id, chunkByteCount: chunkByteCount)
            }
        }
    }

    @Test("A snapshot that could not be read is made anew")
    func unreadable() throws {
        var bench = try StateBench()
        try bench.put(3)
        let first = try bench.storage.takeSnapshot(of: bench.store)
        let path = "\(bench.directory.path)/raft/snapshot/\(directoryName(first))"
        try FileManager.default.removeItem(atPath: "\(path)/CURRENT")
        #expect(throws: StateStorageError.self) { try bench.archive(first) }
        let second = try bench.storage.takeSnapshot(of: bench.store)
        #expect(UInt64(try bench.archive(second).count) == second.byteCount)
    }

    private func files(_ directory: TemporaryStateDirectory, _ snapshot: SnapshotDescription, _ suffix: String) throws
        -> [String]
    {
        let relative = "raft/snapshot/\(directoryName(snapshot))"
        return try directory.names(relative).filter { $0.hasSuffix(suffix) }.map { "\(relative)/\($0)" }
    }

    @Test("A file that rots after its checksum was taken is found when it is looked at, and vouched for by no later snapshot")
    func rotten() throws {
        var bench = try StateBench()
        try bench.put(20, byteCount: 20_000)
        let first = try bench.storage.takeSnapshot(of: bench.store)
        #expect(try bench.storage.check(first.id) == [])
        // Another name of the store's own file.
        let largest = try #require(
            try files(bench.directory, first, ".blob").max { try bench.directory.byteCount($0) < bench.directory.byteCount($1) }
        )
        let middle = try bench.directory.byteCount(largest) / 2
        try bench.directory.flip(largest, at: middle)
        #expect(try bench.storage.check(first.id) == ["\(bench.directory.path)/\(largest)"])
        bench.storage.release(first.id)
        try bench.put(1, from: 20)
        for _ in 0..<2 {
            do throws(StateStorageError) {
                _ = try bench.storage.takeSnapshot(of: bench.store)
                Issue.record("the damage was given a checksum")
            } catch {
                guard case .damaged(let path, _) = error else { throw error }
                #expect(path.hasPrefix(bench.directory.paths.keyValue))
                #expect(path.hasSuffix(try #require(largest.split(separator: "/").last)))
            }
        }
        #expect(try bench.directory.names("raft/snapshot") == ["incoming"])
        // It was the memory or the controller: the bytes are there again.
        try bench.directory.flip(largest.replacing("raft/snapshot/\(directoryName(first))", with: "metadata/kv"), at: middle)
        let second = try bench.storage.takeSnapshot(of: bench.store)
        #expect(try bench.storage.check(second.id) == [])
    }

    @Test("Where a file is damaged that only the snapshot has, another snapshot of the same entry is made")
    func rottenCopy() throws {
        var bench = try StateBench()
        try bench.put(3)
        let first = try bench.storage.takeSnapshot(of: bench.store)
        let options = try #require(
            try bench.directory.names("raft/snapshot/\(directoryName(first))").first { $0.hasPrefix("OPTIONS") })
        try bench.directory.flip("raft/snapshot/\(directoryName(first))/\(options)", at: 10)
        #expect(try bench.storage.check(first.id).count == 1)
        let second = try bench.storage.takeSnapshot(of: bench.store)
        #expect(try bench.storage.check(second.id) == [])
        let target = try StateBench(try TemporaryStateDirectory())
        try bench.send(second, to: target.storage)
        try target.storage.finishReception(second.id)
    }

    @Test("A snapshot that the state does not contain is nobody's to remove, and the node does not start")
    func foreign() throws {
        var bench = try StateBench()
        try bench.put(3)
        let snapshot = try bench.storage.takeSnapshot(of: bench.store)
        let crashed = try bench.directory.crashed()
        try FileManager.default.removeItem(atPath: crashed.paths.keyValue)
        let wiped = try StateBench(crashed)
        #expect(throws: StateStorageError.self) { try wiped.storage.newestSnapshot() }
        #expect(crashed.isThere("raft/snapshot/\(directoryName(snapshot))/manifest"))
    }

    @Test("Files that did not change keep their checksums, over a restart too", arguments: [false, true])
    func checksumsKept(isRestarted: Bool) throws {
        var bench = try StateBench()
        try bench.put(3)
        let first = try bench.storage.takeSnapshot(of: bench.store)
        let before = try CraftedArchive(try bench.archive(first))
        if isRestarted {
            bench = try StateBench(try bench.directory.crashed())
            #expect(try bench.storage.newestSnapshot() == first)
        }
        try bench.put(3, from: 3)
        let second = try bench.storage.takeSnapshot(of: bench.store)
        let after = try CraftedArchive(try bench.archive(second))
        let shared = before.files.filter { file in after.files.contains { $0.name == file.name } }
        #expect(shared.contains { String(decoding: $0.name, as: UTF8.self).hasSuffix(".sst") })
        for file in shared where String(decoding: file.name, as: UTF8.self).hasSuffix(".sst") {
            #expect(after.files.first { $0.name == file.name }?.checksum == file.checksum)
        }
    }

    @Test("A pointer that is damaged, lost, or names nothing keeps the state from being opened", arguments: 0..<3)
    func pointer(_ number: Int) throws {
        var source = try StateBench()
        try source.put(3)
        let snapshot = try source.storage.takeSnapshot(of: source.store)
        var target = try StateBench(try TemporaryStateDirectory())
        try source.send(snapshot, to: target.storage)
        try target.storage.finishReception(snapshot.id)
        try target.install(snapshot.id)
        try target.storage.removeClosedStores()
        let crashed = try target.directory.crashed()
        let kept = try crashed.names("metadata/kv").first { $0.hasPrefix("installed-") }
        let name = try #require(kept)
        switch number {
        case 0: try crashed.flip("metadata/kv/STORE", at: 14)
        case 1: try FileManager.default.removeItem(atPath: "\(crashed.path)/metadata/kv/STORE")
        default:
            try FileManager.default.moveItem(
                atPath: "\(crashed.path)/metadata/kv/\(name)", toPath: "\(crashed.path)/metadata/kv/elsewhere")
        }
        #expect(throws: StateStorageError.self) { try StateBench(crashed) }
        #expect(crashed.isThere("metadata/kv/\(number == 2 ? "elsewhere" : name)/CURRENT"))
    }

    @Test("A state that belongs to a single node becomes a replica's with all that was committed")
    func formerlyLocal() throws {
        let directory = try TemporaryStateDirectory()
        try FileManager.default.createDirectory(atPath: directory.paths.keyValue, withIntermediateDirectories: true)
        let digest: StateDigest
        do {
            let store = try RocksDBStore(path: directory.paths.keyValue, families: KeySchema.families)
            var machine = try MetadataStateMachine(loading: store.makeSnapshot())
            let transaction = store.makeTransaction()
            var effects = ApplyEffects()
            let operation = MetadataOperation(opID: 1, timestamp: 1, change: TestOperations.setUp[0])
            _ = try machine.apply(operation, at: 1, in: transaction, effects: &effects)
            machine.finishBatch(in: transaction)
            try store.commit(transaction, durability: .buffered)
            digest = machine.digest
            store.close()
        }
        let bench = try StateBench(directory)
        #expect(bench.digest == digest && bench.index == LogIndex(1))
    }
}

func directoryName(_ description: SnapshotDescription) -> String {
    "\(description.id.index.rawValue)-\(description.id.term.rawValue)"
}
