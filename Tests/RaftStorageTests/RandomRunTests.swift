import FileSystem
import Raft
import RaftStorage
import Testing

/// Random appends, truncations, snapshots, crashes and kills, compared with a model.
@Suite struct RandomRunTests {
    @Test("Whatever a crash leaves is what was said to be durable, or more of what was appended", arguments: 0..<400)
    func crashes(seed: Int) throws {
        var run = RandomRun(seed: UInt64(seed))
        if let fault = try run.perform(stepCount: 150) { Issue.record("seed \(seed): \(fault)") }
    }
}

struct RandomRun {
    private(set) var fixture: LogFixture
    private var model = LogModel()
    private var random: SeededGenerator
    private var log: SegmentedLog?

    init(seed: UInt64, mutations: StorageMutations = []) {
        random = SeededGenerator(seed: seed)
        fixture = LogFixture(
            hasDirectFiles: random.chance(50), segmentByteCount: 4_096 * Int.random(in: 5...12, using: &random))
        fixture.settings.retainedByteCountMin = random.chance(50) ? 0 : 50_000
        fixture.settings.cacheEntryCountMax = random.chance(50) ? 2 : 1_000
        fixture.settings.reserveCountMin = Int.random(in: 1...3, using: &random)
        fixture.settings.mutations = mutations
    }

    /// What went wrong first; nil if nothing did.
    mutating func perform(stepCount: Int) throws -> String? {
        if let fault = try restart() { return fault }
        for step in 0..<stepCount {
            do throws(LogError) {
                try act()
            } catch {
                switch error {
                case .noSpace: break
                case .file, .failed:
                    crash()
                    if let fault = try restart() { return "step \(step): \(fault)" }
                default: return "step \(step): \(error)"
                }
            }
            if log == nil, let fault = try restart() { return "step \(step): \(fault)" }
            if let fault = try check() { return "step \(step): \(fault)" }
        }
        return nil
    }

    private mutating func act() throws(LogError) {
        guard let log else { return }
        if random.chance(3) {
            // The machine will stop in the middle of one of the next writes or calls.
            let fault: FaultyFileSystem.Fault = random.chance(50) ? .halt : .haltDuringWrite(.some(seed: random.next()))
            fixture.disk.inject(fault, at: fixture.disk.operationCount + Int.random(in: 1...6, using: &random))
        }
        // Errors are final for the log: it is opened again after them.
        if random.chance(1) { fixture.disk.inject(.failure(.io), atNext: random.chance(50) ? "fdatasync" : "pwrite") }
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<45:
            let batch = randomBatch()
            try log.append(batch)
            model.append(batch)
        case 45..<65:
            try log.write()
            model.write()
        case 65..<85:
            try log.synchronize()
            model.synchronize()
        case 85..<91:
            try log.maintain()
        case 91..<94:
            try log.seal()
        case 94..<98:
            crash()
        default:
            fixture.disk.kill()
            self.log = nil
        }
    }

    private mutating func crash() {
        let survival: FaultyFileSystem.Survival =
            switch Int.random(in: 0..<4, using: &random) {
            case 0: .nothing
            case 1: .everything
            default: .some(seed: random.next())
            }
        fixture.disk.crash(keeping: survival)
        log = nil
    }

    private mutating func restart() throws -> String? {
        do throws(LogError) {
            let (log, recovered) = try fixture.open()
            let entries = try log.allEntries()
            self.log = log
            return model.recover(recovered, entries)
        } catch {
            return "recovery: \(error)"
        }
    }

    /// Reads a random range and compares it with the model.
    private mutating func check() throws -> String? {
        guard let log, log.failure == nil else { return nil }
        let state = model.latest
        guard log.contents.lastIndex.rawValue == state.lastIndex else { return "the log ends at \(log.contents.lastIndex)" }
        guard log.contents.hardState == state.hardState else { return "the hard state is \(log.contents.hardState)" }
        let base = log.contents.baseIndex.rawValue
        guard base < state.lastIndex, random.chance(20) else { return nil }
        let first = UInt64.random(in: base + 1...state.lastIndex, using: &random)
        let last = UInt64.random(in: first...state.lastIndex, using: &random)
        do throws(LogError) {
            let entries = try log.entries(
                from: LogIndex(first), through: LogIndex(last), byteCountMax: Int.random(in: 0...20_000, using: &random))
            guard !entries.isEmpty else { return "nothing was read" }
            for (number, entry) in entries.enumerated() {
                guard entry.index.rawValue == first + UInt64(number) else { return "a gap was read" }
                if let expected = state.entries[entry.index.rawValue], expected != entry {
                    return "entry \(entry.index) reads differently"
                }
                if log.contents.term(at: entry.index) != entry.term { return "entry \(entry.index) has another term" }
            }
        } catch {
            // The machine may have been told to stop.
            if case .file = error { crash() } else { return "a read fails: \(error)" }
            return try restart()
        }
        return nil
    }

    private mutating func randomBatch() -> LogBatch {
        let state = model.latest
        var batch = LogBatch()
        var term = state.hardState.term.rawValue
        var commit = state.hardState.commit.rawValue
        var last = state.lastIndex
        if random.chance(15) {
            term += UInt64.random(in: 1...3, using: &random)
            batch.hardState = HardState(
                term: Term(term), vote: random.chance(60) ? NodeID(UInt64.random(in: 1...3, using: &random)) : nil,
                commit: LogIndex(commit))
        } else if random.chance(20), state.hardState.vote == nil {
            batch.hardState = HardState(term: Term(term), vote: NodeID(2), commit: LogIndex(commit))
        }
        var lowest = last + 1
        if random.chance(10), commit > 0 {
            // A snapshot: of our own, or one that was received.
            if random.chance(70), let held = state.entries[commit], state.snapshot.map({ $0.index.rawValue < commit }) ?? true {
                batch.snapshot = .compaction(
                    SnapshotMark(index: held.index, term: held.term, configuration: mark(0).configuration))
            } else if random.chance(50), term > 0 {
                let index = commit + UInt64.random(in: 1...10, using: &random)
                batch.snapshot = .installation(mark(index, term: term))
                (last, lowest) = (index, index + 1)
                commit = max(commit, index)
                if batch.hardState == nil {
                    batch.hardState = HardState(term: Term(term), vote: state.hardState.vote, commit: LogIndex(commit))
                }
                batch.hardState?.commit = LogIndex(commit)
            }
        }
        if random.chance(70), term > 0 {
            if random.chance(15), last > commit, batch.snapshot == nil {
                lowest = UInt64.random(in: commit + 1...last, using: &random)
            }
            for index in lowest..<lowest + UInt64.random(in: 1...4, using: &random) {
                let count =
                    random.chance(10) ? Int.random(in: 0...8_000, using: &random) : Int.random(in: 0...300, using: &random)
                batch.entries.append(
                    entry(
                        index, term: term, (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) },
                        type: random.chance(10) ? .configurationChange : .normal))
            }
            last = batch.entries[batch.entries.count - 1].index.rawValue
        }
        if random.chance(40), last > commit {
            if batch.hardState == nil {
                batch.hardState = HardState(term: Term(term), vote: state.hardState.vote, commit: LogIndex(0))
            }
            batch.hardState?.commit = LogIndex(UInt64.random(in: commit...last, using: &random))
        }
        return batch
    }
}
