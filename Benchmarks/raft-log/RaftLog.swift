import ArgumentParser
import FileSystem
import Raft
import RaftStorage

/// What the Raft log costs, as `name=value` words for script/bench.
@main
struct RaftLog: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "raft-log",
        subcommands: [BlockWrites.self, Append.self, Fill.self, Recover.self, Acknowledge.self, Check.self])

    static let identity = LogIdentity(clusterID: .init(high: 1, low: 2), groupID: 1, nodeID: 1)
}

/// How many synced writes of 4 KiB one thread does per second, to a file like a segment: what the log is compared with.
struct BlockWrites: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "block-writes")

    @Option var directory: String
    @Option var seconds = 3.0

    func run() throws {
        let fileSystem = POSIXFileSystem()
        try fileSystem.makeDirectories(directory)
        let path = directory + "/blocks"
        let byteCount = 64 << 20
        let file = try fileSystem.open(path, .createIfMissing)
        let zeros = [UInt8](repeating: 0, count: 1 << 20)
        for offset in stride(from: 0, to: byteCount, by: zeros.count) { try file.write(zeros, at: UInt64(offset)) }
        try file.synchronize()
        let direct = try fileSystem.openDirect(path, .update)
        let block = UnsafeMutableRawBufferPointer.allocate(byteCount: directAlignment, alignment: directAlignment)
        defer { block.deallocate() }
        block.initializeMemory(as: UInt8.self, repeating: 1)
        let clock = ContinuousClock()
        let start = clock.now
        var count = 0
        while clock.now - start < .seconds(seconds) {
            let offset = UInt64(count * directAlignment % byteCount)
            if let direct {
                try direct.write(UnsafeRawBufferPointer(block), at: offset)
            } else {
                try file.write(UnsafeRawBufferPointer(block), at: offset)
                try file.synchronize()
            }
            count += 1
        }
        let rate = Double(count) / (clock.now - start).seconds
        try fileSystem.unlink(path)
        print("writes_per_second=\(rate) direct=\(direct == nil ? 0 : 1)")
    }
}

/// Entries through group commit: each writer has one entry under way and submits the next when that is durable.
///
/// As in a node, one loop submits for all writers and learns of what is durable from the log's thread.
struct Append: ParsableCommand {
    @Option var directory: String
    @Option var seconds = 3.0
    @Option var writers = 64
    @Option var size = 256

    func run() throws {
        let (log, recovered) = try SegmentedLog.open(
            directory: directory, fileSystem: POSIXFileSystem(), identity: RaftLog.identity, settings: LogSettings())
        let completions = Completions()
        let writer = try LogWriter(log) { completions.take($0) }
        let payload = [UInt8](repeating: 7, count: size)
        let term = max(recovered.hardState.term, Term(1))
        var index = recovered.lastIndex
        var token: UInt64 = 0
        var durable: UInt64 = 0
        var mark = index
        let configuration = Configuration(voters: [NodeID(1)])
        try writer.submit(
            LogBatch(hardState: HardState(term: term, vote: NodeID(1), commit: recovered.hardState.commit)), token: 0)
        let clock = ContinuousClock()
        let start = clock.now
        var rounds = 0
        while clock.now - start < .seconds(seconds) {
            while token < durable + UInt64(writers) {
                index = index.next
                token += 1
                try writer.submit(LogBatch(entries: [Entry(index: index, term: term, payload: payload)]), token: token)
            }
            durable = try completions.wait(behind: durable)
            rounds += 1
            // As in operation, snapshots let segments be used again.
            if index - mark > 400_000 {
                mark = LogIndex(index.rawValue - (token - durable))
                try writer.submit(
                    LogBatch(
                        snapshot: .compaction(SnapshotMark(index: mark, term: term, configuration: configuration)),
                        hardState: HardState(term: term, vote: NodeID(1), commit: mark)), token: token)
            }
        }
        let elapsed = (clock.now - start).seconds
        writer.close()
        print("entries_per_second=\(Double(durable) / elapsed) entries_per_sync=\(Double(durable) / Double(max(1, rounds)))")
    }
}

/// A log of that many bytes, for `recover`.
struct Fill: ParsableCommand {
    @Option var directory: String
    @Option var bytes = 1 << 30
    @Option var size = 256

    func run() throws {
        let (log, recovered) = try SegmentedLog.open(
            directory: directory, fileSystem: POSIXFileSystem(), identity: RaftLog.identity, settings: LogSettings())
        let payload = [UInt8](repeating: 7, count: size)
        var index = recovered.lastIndex
        try log.append(LogBatch(hardState: HardState(term: Term(1), vote: NodeID(1), commit: .zero)))
        while log.byteCount < bytes {
            var entries: [Entry] = []
            for _ in 0..<64 {
                index = index.next
                entries.append(Entry(index: index, term: Term(1), payload: payload))
            }
            do {
                try log.append(LogBatch(entries: entries))
            } catch LogError.noSpace {
                throw ValidationError("the disk is full")
            }
            try log.write()
            // Durability does not matter here, but segments have to be made.
            if log.reserveCount == 0 {
                try log.synchronize()
                try log.maintain()
            }
        }
        try log.write()
        try log.synchronize()
        print("bytes=\(log.byteCount) entries=\(index)")
    }
}

struct Recover: ParsableCommand {
    @Option var directory: String

    func run() throws {
        let clock = ContinuousClock()
        let start = clock.now
        let (log, recovered) = try SegmentedLog.open(
            directory: directory, fileSystem: POSIXFileSystem(), identity: RaftLog.identity, settings: LogSettings(),
            expecting: .existing)
        let elapsed = (clock.now - start).seconds
        print(
            "megabytes_per_second=\(Double(log.byteCount) / 1e6 / elapsed) seconds=\(elapsed) bytes=\(log.byteCount) entries=\(recovered.lastIndex)"
        )
    }
}

extension Duration {
    var seconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
