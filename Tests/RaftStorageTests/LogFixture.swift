import FileSystem
import Raft
import RaftStorage
import Testing

/// The bug that is put back into the log of a `LogFixture`: see DiskCaseMutantTests.
enum PutBack {
    @TaskLocal static var bug: StorageMutations = []
}

/// A log on a disk that fails on command.
struct LogFixture {
    static let directory = "/data/raft/log"
    static let identity = LogIdentity(clusterID: .init(high: 0x1234, low: 0x5678), groupID: 7, nodeID: 3)

    let disk: FaultyFileSystem
    var settings: LogSettings

    init(hasDirectFiles: Bool = false, segmentByteCount: Int = 32_768) {
        disk = FaultyFileSystem(hasDirectFiles: hasDirectFiles)
        settings = LogSettings()
        settings.segmentByteCount = segmentByteCount
        settings.reserveCountMin = 1
        settings.reserveCountMax = 2
        settings.retainedByteCountMin = 0
        settings.mutations = PutBack.bug
    }

    func open(
        _ identity: LogIdentity = identity, expecting: SegmentedLog.Expectation = .any
    ) throws(LogError) -> (log: SegmentedLog, recovered: RecoveredLog) {
        try SegmentedLog.open(
            directory: Self.directory, fileSystem: disk, identity: identity, settings: settings, expecting: expecting)
    }

    /// The refusal to open; nil if it opens.
    func refusal(_ identity: LogIdentity = identity, expecting: SegmentedLog.Expectation = .any) throws -> LogRefusal? {
        do throws(LogError) {
            _ = try open(identity, expecting: expecting)
            return nil
        } catch {
            guard case .refused(let refusal) = error else { throw error }
            return refusal
        }
    }

    /// A segment's path.
    func path(_ number: UInt64) -> String { "\(Self.directory)/\(LogFormat.segmentName(number))" }

    func bytes(_ number: UInt64) throws -> [UInt8] { try disk.readFile(path(number), byteCountMax: 1 << 30) }
}

extension SegmentedLog {
    /// All steps at once.
    func commit(_ batch: LogBatch) throws(LogError) {
        try append(batch)
        try write()
        try synchronize()
    }

    /// Everything that it holds.
    func allEntries() throws(LogError) -> [Entry] {
        guard contents.lastIndex > contents.baseIndex else { return [] }
        return try entries(
            from: LogIndex(contents.baseIndex.rawValue + 1), through: contents.lastIndex, byteCountMax: .max)
    }
}

func entry(_ index: UInt64, term: UInt64 = 1, _ payload: [UInt8] = [], type: EntryType = .normal) -> Entry {
    Entry(index: LogIndex(index), term: Term(term), type: type, payload: payload)
}

func state(_ term: UInt64, vote: UInt64? = nil, commit: UInt64 = 0) -> HardState {
    HardState(term: Term(term), vote: vote.map { NodeID($0) }, commit: LogIndex(commit))
}

func mark(_ index: UInt64, term: UInt64 = 1, voters: [UInt64] = [1, 2, 3]) -> SnapshotMark {
    var configuration = Configuration()
    configuration.voters = voters.map { NodeID($0) }
    return SnapshotMark(index: LogIndex(index), term: Term(term), configuration: configuration)
}

/// SplitMix64 (Steele, Lea and Flood, 2014): one number repeats a run.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }

    mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &self) < percent }
}
