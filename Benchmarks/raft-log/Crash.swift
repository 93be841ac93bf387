import ArgumentParser
import FileSystem
import Raft
import RaftStorage

#if canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// What an entry carries, so that it can be told from its index alone whether it is whole.
private func payload(_ index: LogIndex) -> [UInt8] {
    let count = Int(index.rawValue &* 2_654_435_761 % 3000)
    return (0..<count).map { UInt8(truncatingIfNeeded: index.rawValue &+ UInt64($0)) }
}

private var smallSegments: LogSettings {
    var settings = LogSettings()
    settings.segmentByteCount = 256 << 10
    settings.retainedByteCountMin = 0
    return settings
}

/// Appends until it is killed, and says of each entry when it is durable: a line with its index, written before anything else is done.
struct Acknowledge: ParsableCommand {
    @Option var directory: String

    private static let outstandingCountMax = 64
    private static let snapshotInterval = 500

    func run() throws {
        let (log, recovered) = try SegmentedLog.open(
            directory: directory, fileSystem: POSIXFileSystem(), identity: RaftLog.identity, settings: smallSegments)
        let completions = Completions()
        let writer = try LogWriter(log) { completions.take($0) }
        // A leader of its own at each start.
        let term = recovered.hardState.term.next
        let base = recovered.lastIndex
        try writer.submit(
            LogBatch(hardState: HardState(term: term, vote: NodeID(1), commit: recovered.hardState.commit)), token: 0)
        var (last, durable, snapshot) = (base, base, base)
        // Tokens are positions behind the base; those of snapshots are the entry's before them, and a half.
        while true {
            while last - durable < Self.outstandingCountMax {
                last = last.next
                try writer.submit(
                    LogBatch(entries: [Entry(index: last, term: term, payload: payload(last))]), token: token(last, base))
            }
            let token = try completions.wait(behind: token(durable, base))
            durable = base + Int(token / 2)
            try say("\(durable)\n")
            guard durable - snapshot >= Self.snapshotInterval else { continue }
            snapshot = durable
            writer.setRetentionFloor(snapshot)
            let mark = SnapshotMark(index: snapshot, term: term, configuration: Configuration(voters: [NodeID(1)]))
            try writer.submit(
                LogBatch(
                    snapshot: .compaction(mark), hardState: HardState(term: term, vote: NodeID(1), commit: snapshot)),
                token: self.token(last, base) + 1)
        }
    }

    private func token(_ index: LogIndex, _ base: LogIndex) -> UInt64 { UInt64(index - base) * 2 }

    /// Past every buffer of this process, so that a kill takes nothing back.
    private func say(_ text: String) throws {
        let bytes = Array(text.utf8)
        guard write(STDOUT_FILENO, bytes, bytes.count) == bytes.count else { throw ExitCode.failure }
    }
}

/// Opens a log that `acknowledge` has written, and looks whether every entry that it holds is whole.
struct Check: ParsableCommand {
    @Option var directory: String

    func run() throws {
        let (log, recovered) = try SegmentedLog.open(
            directory: directory, fileSystem: POSIXFileSystem(), identity: RaftLog.identity, settings: smallSegments)
        var term = recovered.baseTerm
        var next = recovered.baseIndex.next
        while next <= recovered.lastIndex {
            for entry in try log.entries(from: next, through: recovered.lastIndex, byteCountMax: 1 << 20) {
                guard entry.index == next, entry.term >= term, entry.payload == payload(entry.index) else {
                    throw ValidationError("entry \(next) is not what was written")
                }
                term = entry.term
                next = next.next
            }
        }
        print("base=\(recovered.baseIndex) last=\(recovered.lastIndex) term=\(recovered.hardState.term)")
    }
}
