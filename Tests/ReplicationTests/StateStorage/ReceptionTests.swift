import FileSystem
import FileSystemTestKit
import Foundation
import KeyValueStore
import Metadata
import Raft
import Replication
import Testing

@Suite("Receiving and installing a snapshot")
struct ReceptionTests {
    /// A node with some state and a snapshot of it, and one that lacks it.
    private struct Pair {
        var source: StateBench
        var snapshot: SnapshotDescription
        var target: StateBench

        init(targetFiles: any FileSystem = POSIXFileSystem()) throws {
            source = try StateBench()
            try source.put(30)
            try source.put(2, from: 30, byteCount: 20_000)
            snapshot = try source.storage.takeSnapshot(of: source.store)
            target = try StateBench(try TemporaryStateDirectory(), fileSystem: targetFiles)
            try target.found()
        }
    }

    private func failure<Result>(_ body: () throws(ReceptionFailure) -> Result) -> ReceptionFailure? {
        do throws(ReceptionFailure) {
            _ = try body()
            return nil
        } catch { return error }
    }

    private func isDamage(_ failure: ReceptionFailure?) -> Bool {
        if case .damaged = failure { true } else { false }
    }

    private func isStorage(_ failure: ReceptionFailure?) -> Bool {
        if case .storage = failure { true } else { false }
    }

    // MARK: The good way

    @Test("What was sent becomes the state, and stays it", arguments: [512, 4096, 1 << 20] as [UInt32])
    func installed(_ chunkByteCount: UInt32) throws {
        var pair = try Pair()
        try pair.source.send(pair.snapshot, to: pair.target.storage, chunkByteCount: chunkByteCount)
        try pair.target.storage.finishReception(pair.snapshot.id)
        try pair.target.install(pair.snapshot.id)
        #expect(pair.target.machine.state == pair.source.machine.state)
        #expect(pair.target.digest == pair.source.digest)
        #expect(pair.target.storage.installedIndex == pair.snapshot.id.index)
        #expect(try pair.target.directory.names("raft/snapshot/incoming") == [])
        // It goes on from there.
        try pair.target.put(3, from: 40)
        try pair.target.store.flush()

        let again = try StateBench(try pair.target.directory.crashed())
        #expect(again.machine.state == pair.target.machine.state)
        #expect(again.digest == pair.target.digest)
        #expect(again.storage.installedIndex == pair.snapshot.id.index)
    }

    @Test("The received files stay as they are when the installed store goes on")
    func sourceUntouched() throws {
        var pair = try Pair()
        let before = try pair.source.archive(pair.snapshot)
        try pair.source.send(pair.snapshot, to: pair.target.storage)
        try pair.target.storage.finishReception(pair.snapshot.id)
        try pair.target.install(pair.snapshot.id)
        try pair.target.put(20, from: 40)
        try pair.target.store.flush()
        #expect(try pair.source.archive(pair.snapshot) == before)
    }

    @Test("Readers of the old store go on; its files are removed when they have gone", arguments: [false, true])
    func oldReaders(isSecond: Bool) throws {
        var pair = try Pair()
        if isSecond {
            try pair.source.send(pair.snapshot, to: pair.target.storage)
            try pair.target.storage.finishReception(pair.snapshot.id)
            try pair.target.install(pair.snapshot.id)
            try pair.source.put(2, from: 50)
            pair.snapshot = try pair.source.storage.takeSnapshot(of: pair.source.store)
        }
        try pair.target.put(1, from: 60)
        var reader: RocksDBSnapshot? = pair.target.store.makeSnapshot()
        let state = pair.target.machine.state
        let old = pair.target.store.path
        try pair.source.send(pair.snapshot, to: pair.target.storage)
        try pair.target.storage.finishReception(pair.snapshot.id)
        try pair.target.install(pair.snapshot.id)
        #expect(pair.target.store.path != old)

        try pair.target.storage.removeClosedStores()
        #expect(FileManager.default.fileExists(atPath: old + "/CURRENT"))
        #expect(try ReplicatedStateMachine(loading: try #require(reader)).state == state)
        reader = nil
        try pair.target.storage.removeClosedStores()
        #expect(!FileManager.default.fileExists(atPath: old + "/CURRENT"))
        let name = URL(filePath: pair.target.store.path).lastPathComponent
        #expect(try pair.target.directory.names("metadata/kv") == ["STORE", name])
        #expect(try StateBench(try pair.target.directory.crashed()).digest == pair.source.digest)
    }

    @Test("Two installations of the same entry have directories of their own")
    func twice() throws {
        var pair = try Pair()
        for _ in 0..<2 {
            try pair.source.send(pair.snapshot, to: pair.target.storage)
            try pair.target.storage.finishReception(pair.snapshot.id)
            try pair.target.install(pair.snapshot.id)
            #expect(pair.target.digest == pair.source.digest)
        }
        #expect(pair.target.store.path.hasSuffix("-2"))
    }

    @Test("Where files cannot be linked they are copied")
    func withoutLinks() throws {
        let files = StoppingFileSystem(.failures(of: "link", .cannotLink))
        var pair = try Pair(targetFiles: files)
        try pair.source.send(pair.snapshot, to: pair.target.storage)
        try pair.target.storage.finishReception(pair.snapshot.id)
        try pair.target.install(pair.snapshot.id)
        #expect(pair.target.digest == pair.source.digest)
    }

    // MARK: Resuming

    @Test("A transfer goes on where it stopped, in the process and after its restart")
    func resumed() throws {
        let pair = try Pair()
        try pair.source.send(pair.snapshot, to: pair.target.storage, count: 3)
        #expect(try pair.target.storage.openReception(pair.snapshot.offer()) == 3)
        // A part of a chunk does not count.
        let crashed = try pair.target.directory.crashed()
        let name = try #require(try crashed.names("raft/snapshot/incoming").first)
        try crashed.truncate("raft/snapshot/incoming/\(name)", to: 2 * 4096 + 100)
        var again = try StateBench(crashed)
        #expect(try again.storage.openReception(pair.snapshot.offer()) == 2)
        try pair.source.send(pair.snapshot, to: again.storage)
        try again.storage.finishReception(pair.snapshot.id)
        try again.install(pair.snapshot.id)
        #expect(again.digest == pair.source.digest)
    }

    @Test("A whole reception is whole after a restart, too")
    func wholeAfterRestart() throws {
        let pair = try Pair()
        try pair.source.send(pair.snapshot, to: pair.target.storage)
        try pair.target.storage.finishReception(pair.snapshot.id)
        var again = try StateBench(try pair.target.directory.crashed())
        let offer = pair.snapshot.offer()
        #expect(throws: StateStorageError.self) { try again.storage.install(offer.id) }
        #expect(try again.storage.openReception(offer) == offer.chunkCount)
        #expect(throws: StateStorageError.self) { try again.storage.install(offer.id) }
        try again.storage.finishReception(offer.id)
        try again.install(offer.id)
        #expect(again.digest == pair.source.digest)
    }

    @Test("What is left of receptions goes with an installation and at a start, as far as the state has their entries")
    func leftovers() throws {
        var pair = try Pair()
        func leave(_ names: [String]) throws {
            for name in names {
                let path = "\(pair.target.directory.path)/raft/snapshot/incoming/\(name)"
                try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
                try Data("rest".utf8).write(to: URL(filePath: "\(path)/000009.sst"))
            }
        }
        let later = "\(pair.snapshot.id.index.rawValue + 1)-9-00000000000000aa.archive"
        let needless = ["1-1-00000000000000aa", "\(directoryName(pair.snapshot))-00000000000000bb.unpacking", "lost+found"]
        try pair.source.send(pair.snapshot, to: pair.target.storage)
        try pair.target.storage.finishReception(pair.snapshot.id)
        try leave(needless + [later])
        try pair.target.install(pair.snapshot.id)
        #expect(try pair.target.directory.names("raft/snapshot/incoming") == [later])
        try leave(needless)
        let again = try StateBench(try pair.target.directory.crashed())
        #expect(try again.directory.names("raft/snapshot/incoming") == [later])
        #expect(again.digest == pair.source.digest)
    }

    @Test("Who listens hears when a replaced store has lost its last reader")
    func listener() throws {
        var pair = try Pair()
        let storage = pair.target.storage
        storage.whenStoreCloses { #expect(throws: Never.self) { try storage.removeClosedStores() } }
        var reader: RocksDBSnapshot? = pair.target.store.makeSnapshot()
        let old = pair.target.store.path
        try pair.source.send(pair.snapshot, to: storage)
        try storage.finishReception(pair.snapshot.id)
        try pair.target.install(pair.snapshot.id)
        #expect(reader != nil && FileManager.default.fileExists(atPath: old + "/CURRENT"))
        reader = nil
        #expect(!FileManager.default.fileExists(atPath: old + "/CURRENT"))
    }

    // MARK: Space

    @Test("Unpacking takes up the space of the snapshot and of one file of it, not of two snapshots")
    func space() throws {
        let files = StoppingFileSystem()
        let pair = try Pair()
        let (source, snapshot) = (pair.source, pair.snapshot)
        let manifest = try CraftedArchive(try source.archive(snapshot))
        let largest = manifest.files.map(\.content.count).max() ?? 0
        var peak = 0
        for step in 1...1_000 {
            let target = try StateBench(try TemporaryStateDirectory(), fileSystem: files)
            try source.send(snapshot, to: target.storage)
            files.arm(.stop(at: step))
            let failure = failure { () throws(ReceptionFailure) in try target.storage.finishReception(snapshot.id) }
            let there = try target.directory.byteCountBelow("raft/snapshot/incoming")
            peak = max(peak, there)
            files.disarm()
            if failure == nil { break }
            #expect(isStorage(failure))
            // It may be received again.
            try source.send(snapshot, to: target.storage)
            try target.storage.finishReception(snapshot.id)
        }
        #expect(peak <= Int(snapshot.byteCount) + largest)
    }

    @Test("A disk that is full while a snapshot is received says so in words, and the old state stays and goes on")
    func fullDisk() throws {
        let files = StoppingFileSystem()
        var pair = try Pair(targetFiles: files)
        let before = pair.target.digest
        _ = try pair.target.storage.openReception(pair.snapshot.offer())
        files.arm(.failures(of: "pwrite", .noSpace))
        let bytes = try pair.source.storage.chunk(0, of: pair.snapshot.id, chunkByteCount: 4096)
        let failure = failure { () throws(ReceptionFailure) in
            try pair.target.storage.storeChunk(0, of: pair.snapshot.id, bytes)
        }
        guard case .storage(let detail) = failure else {
            Issue.record("\(String(describing: failure))")
            return
        }
        #expect(detail.contains(pair.target.directory.path) && detail.localizedCaseInsensitiveContains("no space"), "\(detail)")
        pair.target.storage.abandonReception(pair.snapshot.id)
        #expect(try pair.target.directory.names("raft/snapshot/incoming") == [])
        #expect(pair.target.digest == before)
        files.disarm()
        try pair.target.put(2)
        try pair.target.store.flush()
        let again = try StateBench(try pair.target.directory.crashed())
        #expect(again.digest == pair.target.digest && again.storage.installedIndex == nil)
    }

    @Test("Another offer, and abandoning, leave nothing of a reception")
    func abandoned() throws {
        var pair = try Pair()
        try pair.source.send(pair.snapshot, to: pair.target.storage, count: 2)
        try pair.source.put(1, from: 90)
        let second = try pair.source.storage.takeSnapshot(of: pair.source.store)
        #expect(try pair.target.storage.openReception(second.offer()) == 0)
        #expect(try pair.target.directory.names("raft/snapshot/incoming").count == 1)
        let late = failure { () throws(ReceptionFailure) in try pair.target.storage.storeChunk(2, of: pair.snapshot.id, []) }
        #expect(isStorage(late))
        pair.target.storage.abandonReception(second.id)
        #expect(try pair.target.directory.names("raft/snapshot/incoming") == [])
        #expect(isStorage(failure { () throws(ReceptionFailure) in try pair.target.storage.finishReception(second.id) }))
    }

    @Test("Chunks come in order and in their size")
    func order() throws {
        let pair = try Pair()
        let (id, storage) = (pair.snapshot.id, pair.target.storage)
        _ = try storage.openReception(pair.snapshot.offer())
        let bytes = try pair.source.storage.chunk(1, of: id, chunkByteCount: 4096)
        #expect(isStorage(failure { () throws(ReceptionFailure) in try storage.storeChunk(1, of: id, bytes) }))
        #expect(isDamage(failure { () throws(ReceptionFailure) in try storage.storeChunk(0, of: id, [1, 2]) }))
        // That one was given up.
        #expect(isStorage(failure { () throws(ReceptionFailure) in try storage.storeChunk(0, of: id, bytes) }))
    }

    // MARK: Damage

    @Test("Any changed bit of what was received is noticed, and nothing of it stays", arguments: 0..<24)
    func flipped(_ number: Int) throws {
        let pair = try Pair()
        try pair.source.send(pair.snapshot, to: pair.target.storage)
        let name = try #require(try pair.target.directory.names("raft/snapshot/incoming").first)
        // Its head byte by byte, and places all over the files.
        let last = Int(pair.snapshot.byteCount) - 1
        let offset = number < 12 ? number * 3 : last - (number - 12) * last / 13
        try pair.target.directory.flip("raft/snapshot/incoming/\(name)", at: offset)
        #expect(isDamage(failure { () throws(ReceptionFailure) in try pair.target.storage.finishReception(pair.snapshot.id) }))
        #expect(try pair.target.directory.names("raft/snapshot/incoming") == [])
        #expect(throws: StateStorageError.self) { try pair.target.storage.install(pair.snapshot.id) }
        #expect(pair.target.storage.installedIndex == nil)
    }

    @Test("What was cut is noticed", arguments: [0, 5, 100, 4096, -1])
    func cut(_ byteCount: Int) throws {
        let pair = try Pair()
        try pair.source.send(pair.snapshot, to: pair.target.storage)
        let name = try #require(try pair.target.directory.names("raft/snapshot/incoming").first)
        let count = byteCount >= 0 ? UInt64(byteCount) : pair.snapshot.byteCount - 1
        try pair.target.directory.truncate("raft/snapshot/incoming/\(name)", to: count)
        #expect(isDamage(failure { () throws(ReceptionFailure) in try pair.target.storage.finishReception(pair.snapshot.id) }))
    }

    enum Lie: CaseIterable, Sendable { case index, term, configuration, version, byteCount, fingerprint }

    @Test("A snapshot that is not the one of its offer is not taken", arguments: Lie.allCases)
    func lies(_ lie: Lie) throws {
        let pair = try Pair()
        var offer = pair.snapshot.offer(chunkByteCount: 1 << 20)
        switch lie {
        case .index: offer.mark.index = offer.mark.index.next
        case .term: offer.mark.term = Term(7)
        case .configuration: offer.mark.configuration.voters.removeLast()
        case .version: offer.version = ClusterVersion(0)
        case .byteCount: offer.byteCount += 1
        case .fingerprint: offer.fingerprint ^= 1
        }
        let bytes = try pair.source.archive(pair.snapshot) + (lie == .byteCount ? [0] : [])
        let storage = pair.target.storage
        _ = try storage.openReception(offer)
        for number in 0..<offer.chunkCount {
            let chunk = bytes[Int(number) << 20..<min(bytes.count, Int(number + 1) << 20)]
            try storage.storeChunk(number, of: offer.id, Array(chunk))
        }
        #expect(isDamage(failure { () throws(ReceptionFailure) in try storage.finishReception(offer.id) }))
        #expect(try pair.target.directory.names("raft/snapshot/incoming") == [])
    }

    @Test("Offers of nothing and of more than the disk has are refused")
    func impossibleOffers() throws {
        let pair = try Pair(targetFiles: StoppingFileSystem(availableByteCount: 1 << 30))
        var offer = pair.snapshot.offer()
        offer.byteCount = 0
        #expect(isDamage(failure { () throws(ReceptionFailure) in try pair.target.storage.openReception(offer) }))
        for byteCount in [1 << 30, 1 << 62, .max] as [UInt64] {
            offer.byteCount = byteCount
            #expect(isStorage(failure { () throws(ReceptionFailure) in try pair.target.storage.openReception(offer) }))
        }
        offer = pair.snapshot.offer(chunkByteCount: 0)
        #expect(isDamage(failure { () throws(ReceptionFailure) in try pair.target.storage.openReception(offer) }))
    }
}
