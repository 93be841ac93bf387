import FileSystem
import FileSystemTestKit
import Foundation
import KeyValueStore
import Metadata
import Raft
import Replication
import Testing

/// The process is killed before each single step that a call takes on the disk, and started again on what is there.
@Suite("Killed between any two steps, a state is the old or the new one, whole")
struct CrashStepTests {
    /// Calls `run` with a file system that stops at the first, second … step, until it is not stopped any more.
    private func everyStep(_ run: (StoppingFileSystem, Int) throws -> Void) throws {
        for step in 1...2_000 {
            let files = StoppingFileSystem()
            try run(files, step)
            if files.stepCount < step {
                #expect(step > 2, "there were steps")
                return
            }
        }
        Issue.record("it never ended")
    }

    /// All bytes of a snapshot are there, and they are what they say.
    private func expectWhole(_ description: SnapshotDescription, _ storage: StateStorage) throws {
        let directory = try TemporaryStateDirectory()
        defer { withExtendedLifetime(directory) {} }
        let receiver = try StateStorage(
            paths: directory.paths, options: StateBench.options, fileSystem: POSIXFileSystem())
        let offer = description.offer(chunkByteCount: 1 << 20)
        _ = try receiver.openReception(offer)
        for number in 0..<offer.chunkCount {
            try receiver.storeChunk(
                number, of: offer.id, try storage.chunk(number, of: offer.id, chunkByteCount: 1 << 20))
        }
        try receiver.finishReception(offer.id)
    }

    @Test("Taking a snapshot")
    func taking() throws {
        let template: TemporaryStateDirectory
        let first: SnapshotDescription
        do {
            var bench = try StateBench()
            try bench.put(5)
            first = try bench.storage.takeSnapshot(of: bench.store)
            try bench.put(5, from: 5)
            try bench.store.flush()
            template = try bench.directory.crashed()
        }
        var seen: Set<UInt64> = []
        try everyStep { files, step in
            let bench = try StateBench(try template.crashed(), fileSystem: files)
            _ = try bench.storage.newestSnapshot()
            files.arm(.stop(at: step))
            let taken = try? bench.storage.takeSnapshot(of: bench.store)
            let again = try StateBench(try bench.directory.crashed())
            let newest = try #require(try again.storage.newestSnapshot())
            #expect(again.digest == bench.digest)
            #expect(newest.id == first.id || newest.id.index == bench.index)
            if let taken { #expect(newest == taken) }
            if seen.insert(newest.id.index.rawValue).inserted { try expectWhole(newest, again.storage) }
            #expect(try again.directory.names("raft/snapshot") == [directoryName(newest), "incoming"].sorted())
        }
        #expect(seen.count == 2)
    }

    @Test("Releasing a snapshot")
    func releasing() throws {
        var bench = try StateBench()
        try bench.put(5)
        let snapshot = try bench.storage.takeSnapshot(of: bench.store)
        let template = try bench.directory.crashed()
        try everyStep { files, step in
            let directory = try template.crashed()
            let storage = try StateStorage(paths: directory.paths, options: StateBench.options, fileSystem: files)
            _ = try storage.open()
            _ = try storage.newestSnapshot()
            files.arm(.stop(at: step))
            storage.release(snapshot.id)
            let again = try StateBench(try directory.crashed())
            let newest = try again.storage.newestSnapshot()
            #expect(newest == nil || newest == snapshot)
            #expect(try again.directory.names("raft/snapshot").count == (newest == nil ? 1 : 2))
        }
    }

    @Test("Receiving and installing", arguments: [false, true])
    func installing(isSecond: Bool) throws {
        var source = try StateBench()
        try source.put(10, byteCount: 5_000)
        let first = try source.storage.takeSnapshot(of: source.store)
        var target = try StateBench(try TemporaryStateDirectory())
        try target.found()
        if isSecond {
            try source.send(first, to: target.storage)
            try target.storage.finishReception(first.id)
            try target.install(first.id)
            try source.put(2, from: 10)
        } else {
            try target.store.flush()
        }
        let snapshot = try source.storage.takeSnapshot(of: source.store)
        try source.send(snapshot, to: target.storage, chunkByteCount: 1 << 16)
        let template = try target.directory.crashed()
        let (old, new) = (target.digest, source.digest)
        var results: Set<StateDigest> = []

        try everyStep { files, step in
            let bench = try StateBench(try template.crashed(), fileSystem: files)
            files.arm(.stop(at: step))
            var isInstalled = false
            do {
                _ = try bench.storage.openReception(snapshot.offer(chunkByteCount: 1 << 16))
                try bench.storage.finishReception(snapshot.id)
                _ = try bench.storage.install(snapshot.id)
                isInstalled = true
            } catch {}

            var again = try StateBench(try bench.directory.crashed())
            results.insert(again.digest)
            #expect(again.digest == old || again.digest == new)
            if isInstalled { #expect(again.digest == new) }
            let index = again.digest == new ? snapshot.id.index : isSecond ? first.id.index : nil
            #expect(again.storage.installedIndex == index)
            // Nothing but the one store.
            let names = try again.directory.names("metadata/kv").filter { $0.hasPrefix("installed-") }
            #expect(names.count == (index == nil ? 0 : 1))
            #expect(again.directory.isThere("metadata/kv/CURRENT") == (index == nil))

            // And it can be done again.
            try source.send(snapshot, to: again.storage, chunkByteCount: 1 << 16)
            try again.storage.finishReception(snapshot.id)
            try again.install(snapshot.id)
            #expect(again.digest == new)
        }
        #expect(results == [old, new])
    }

    @Test("Opening after an installation that did not come to its end")
    func opening() throws {
        var source = try StateBench()
        try source.put(10)
        let snapshot = try source.storage.takeSnapshot(of: source.store)
        var target = try StateBench(try TemporaryStateDirectory())
        try target.found()
        try target.store.flush()
        let leftovers = try target.directory.crashed()
        try source.send(snapshot, to: target.storage)
        try target.storage.finishReception(snapshot.id)
        try target.install(snapshot.id)
        let template = try target.directory.crashed()
        // As if the process had been killed right behind the switch: the old store is there, another attempt, temporary files.
        let manager = FileManager.default
        for name in try leftovers.names("metadata/kv") where !template.isThere("metadata/kv/\(name)") {
            try manager.copyItem(
                atPath: "\(leftovers.path)/metadata/kv/\(name)", toPath: "\(template.path)/metadata/kv/\(name)")
        }
        try manager.copyItem(
            atPath: "\(template.path)/metadata/kv/\(URL(filePath: target.store.path).lastPathComponent)",
            toPath: "\(template.path)/metadata/kv/installed-3-1-7")
        for name in ["taking", "taking.tmp", "incoming/\(directoryName(snapshot))-0000000000000001"] {
            try manager.createDirectory(
                atPath: "\(template.path)/raft/snapshot/\(name)/below", withIntermediateDirectories: true)
        }
        try Data().write(to: URL(filePath: "\(template.path)/metadata/kv/STORE.new"))
        try everyStep { files, step in
            let directory = try template.crashed()
            files.arm(.stop(at: step))
            _ = try? StateBench(directory, fileSystem: files)
            let again = try StateBench(try directory.crashed())
            #expect(again.digest == source.digest)
            #expect(try again.directory.names("metadata/kv").filter { !$0.hasPrefix("STORE") }.count == 1)
            #expect(try again.directory.names("raft/snapshot") == ["incoming"])
            #expect(try again.directory.names("raft/snapshot/incoming") == [])
        }
    }
}

@Suite("A disk that refuses is said so, and what was asked for can be asked for again")
struct RefusingDiskTests {
    private func everyFailure(_ code: FileSystemError.Code, _ run: (StoppingFileSystem, Int) throws -> Void) throws {
        for step in 1...2_000 {
            let files = StoppingFileSystem()
            try run(files, step)
            if files.stepCount < step { return }
        }
        Issue.record("it never ended")
    }

    @Test("Taking a snapshot", arguments: [FileSystemError.Code.noSpace, .io])
    func taking(_ code: FileSystemError.Code) throws {
        var source = try StateBench()
        try source.put(5)
        try source.store.flush()
        let template = try source.directory.crashed()
        try everyFailure(code) { files, step in
            let bench = try StateBench(try template.crashed(), fileSystem: files)
            files.arm(.failure(at: step, code))
            do throws(StateStorageError) {
                _ = try bench.storage.takeSnapshot(of: bench.store)
            } catch {
                #expect(error.isOutOfSpace == (code == .noSpace))
                #expect(error.description.contains(bench.directory.path))
            }
            files.disarm()
            let description = try bench.storage.takeSnapshot(of: bench.store)
            #expect(UInt64(try bench.archive(description).count) == description.byteCount)
            #expect(try bench.directory.names("raft/snapshot") == [directoryName(description), "incoming"].sorted())
        }
    }

    @Test("Receiving a snapshot is never taken for the sender's fault", arguments: [FileSystemError.Code.noSpace, .io])
    func receiving(_ code: FileSystemError.Code) throws {
        var source = try StateBench()
        try source.put(5)
        let snapshot = try source.storage.takeSnapshot(of: source.store)
        let offer = snapshot.offer(chunkByteCount: 1 << 20)
        let bytes = try source.storage.chunk(0, of: offer.id, chunkByteCount: 1 << 20)
        try everyFailure(code) { files, step in
            let directory = try TemporaryStateDirectory()
            defer { withExtendedLifetime(directory) {} }
            let storage = try StateStorage(
                paths: directory.paths, options: StateBench.options, fileSystem: files)
            files.arm(.failure(at: step, code))
            func receive() throws(ReceptionFailure) {
                if try storage.openReception(offer) == 0 { try storage.storeChunk(0, of: offer.id, bytes) }
                try storage.finishReception(offer.id)
            }
            do throws(ReceptionFailure) {
                try receive()
            } catch {
                guard case .storage = error else {
                    Issue.record("\(error)")
                    return
                }
            }
            files.disarm()
            try receive()
        }
    }
}
