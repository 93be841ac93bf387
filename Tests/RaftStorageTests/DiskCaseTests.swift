import FileSystem
import Raft
import RaftStorage
import Testing

/// Cases of disks and restarts that broke other logs. Each opens with what happened there.
@Suite struct DiskCaseTests {
    @Test("Vote and log records reordered on disk: a later record never survives without the earlier", arguments: 0..<64)
    func reorderedRecords(seed: Int) throws {
        // A term was written before the entries of that term, but the disk kept only the entries: after the restart the node knew an
        // entry of a term that it had never seen, and voted in that term again.
        for isSynchronized in [false, true] {
            let fixture = LogFixture(hasDirectFiles: false)
            let log = try fixture.open().log
            try log.commit(LogBatch(hardState: state(1, vote: 1), entries: [entry(1)]))
            try log.append(LogBatch(hardState: state(2, vote: 3)))
            try log.write()
            if isSynchronized { try log.synchronize() }
            try log.append(LogBatch(entries: [entry(2, term: 2, [UInt8](repeating: 2, count: 2_000))]))
            try log.write()
            fixture.disk.crash(keeping: .some(seed: UInt64(seed)))
            let recovered = try fixture.open().recovered
            #expect(recovered.lastTerm <= recovered.hardState.term)
            if isSynchronized || recovered.lastIndex == LogIndex(2) { #expect(recovered.hardState == state(2, vote: 3)) }
        }
    }

    @Test("Acknowledgement before fsync: nothing is durable before synchronize returns", arguments: [false, true])
    func acknowledgement(hasDirectFiles: Bool) throws {
        // The node answered when the write had returned; the power failed, and the entry was committed with one copy less than a quorum.
        let fixture = LogFixture(hasDirectFiles: hasDirectFiles)
        let log = try fixture.open().log
        try log.commit(LogBatch(hardState: state(1, vote: 1)))
        try log.append(LogBatch(entries: [entry(1)]))
        #expect(log.durableIndex == .zero)
        try log.write()
        #expect(log.durableIndex == .zero)
        try log.synchronize()
        #expect(log.durableIndex == LogIndex(1))
        fixture.disk.crash()
        #expect(try fixture.open().recovered.lastIndex == LogIndex(1))
    }

    @Test("A vote is as durable as an entry: one synchronization for both", arguments: [false, true])
    func votes(hasDirectFiles: Bool) throws {
        // Vote and log were files of their own; the vote's was synchronized later, and the node voted twice in one term.
        let fixture = LogFixture(hasDirectFiles: hasDirectFiles)
        let log = try fixture.open().log
        let before = fixture.disk.operationCount
        try log.commit(LogBatch(hardState: state(5, vote: 2), entries: [entry(1, term: 5)]))
        #expect(fixture.disk.operationCount - before == (hasDirectFiles ? 1 : 2))
        fixture.disk.crash()
        #expect(try fixture.open().recovered.hardState == state(5, vote: 2))
    }

    @Test("Torn tail against damage in the middle: the same bytes are cut or refused by what lies behind them")
    func tornAgainstDamaged() throws {
        // Every bad record was taken for the end of the log: rot in the middle cut off committed entries.
        for isAcknowledged in [false, true] {
            let fixture = LogFixture()
            let log = try fixture.open().log
            try log.commit(LogBatch(hardState: state(1)))
            let end = log.durableEnd
            try log.append(LogBatch(entries: [entry(1)]))
            try log.write()
            if isAcknowledged { try log.synchronize() }
            try log.append(LogBatch(entries: [entry(2)]))
            try log.write()
            fixture.disk.crash(keeping: .everything)
            try fixture.disk.flipBit(0, ofByte: Int(end.offset) + 80, in: fixture.path(1))
            if isAcknowledged {
                #expect(try fixture.refusal()?.finding == .damage)
            } else {
                let recovered = try fixture.open().recovered
                #expect(recovered.report.contains(.tornTail))
                #expect(recovered.lastIndex == .zero)
            }
        }
    }

    @Test("Appending after a torn tail: what was torn never joins what is written next")
    func appendingAfterTornTail() throws {
        // The new batch ended exactly where a block of the torn one began, and the next restart read on into that.
        let fixture = LogFixture()
        let log = try fixture.open().log
        try log.commit(LogBatch(hardState: state(1)))
        let end = log.durableEnd
        try log.append(LogBatch(entries: [entry(1)]))
        try log.write()
        try log.append(LogBatch(hardState: state(9, vote: 3)))
        try log.write()
        fixture.disk.crash(keeping: .everything)
        try fixture.disk.damage(fixture.path(1), at: Int(end.offset), with: [UInt8](repeating: 0, count: 512))
        var reopened = try fixture.open().log
        // The seal of this start fills the first block of the hole; one more restart would read what lies behind it.
        reopened = try fixture.open().log
        #expect(reopened.contents.hardState == state(1))
        try reopened.commit(LogBatch(entries: [entry(1, [1])]))
        fixture.disk.crash()
        let recovered = try fixture.open().recovered
        #expect(recovered.hardState == state(1))
        #expect(recovered.newestEntries == [entry(1, [1])])
    }

    @Test("An fsync error is final: no retry, whatever a second attempt would say")
    func synchronizationError() throws {
        // The second fsync succeeded, because the system had dropped the pages that the first could not write.
        let fixture = LogFixture()
        let log = try fixture.open().log
        try log.commit(LogBatch(hardState: state(1)))
        try log.append(LogBatch(entries: [entry(1)]))
        try log.write()
        fixture.disk.inject(.failure(.io), atNext: "fdatasync")
        #expect(throws: LogError.self) { try log.synchronize() }
        let synchronizationCount = fixture.disk.operationCount
        for attempt in [log.synchronize, log.write, { try log.append(LogBatch(entries: [entry(2)])) }, log.seal]
            as [() throws -> Void]
        {
            let error = #expect(throws: LogError.self) { try attempt() }
            guard case .failed(let cause) = error else {
                Issue.record("\(String(describing: error))")
                continue
            }
            #expect(cause.code == .io)
        }
        // No call of those went to the disk.
        #expect(fixture.disk.operationCount == synchronizationCount)
        #expect(log.durableIndex == .zero)
    }

    @Test("A write error is final as well, also if the write was partly done", arguments: [0, 512, 4_096])
    func writeError(byteCount: Int) throws {
        let fixture = LogFixture()
        let log = try fixture.open().log
        try log.commit(LogBatch(hardState: state(1)))
        try log.append(LogBatch(entries: [entry(1, [UInt8](repeating: 1, count: 6_000))]))
        fixture.disk.inject(.tornWrite(byteCount: byteCount, .io), atNext: "pwrite")
        #expect(throws: LogError.self) { try log.write() }
        #expect(throws: LogError.self) { try log.synchronize() }
        fixture.disk.crash(keeping: .everything)
        #expect(try fixture.open().recovered.lastIndex == .zero)
    }

    @Test("A full disk is said before the log needs the space, and passes")
    func noSpace() throws {
        // The record that did not fit was written in part, and the log ended there for good.
        let fixture = LogFixture(segmentByteCount: 16_384)
        let log = try fixture.open().log
        try log.commit(LogBatch(hardState: state(1)))
        fixture.disk.setAvailableByteCount(0)
        var index: UInt64 = 0
        var refused: LogError?
        while refused == nil {
            do throws(LogError) {
                try log.commit(LogBatch(entries: [entry(index + 1, [UInt8](repeating: 1, count: 3_000))]))
                index += 1
                #expect(try log.maintain() == (log.reserveCount > 0))
            } catch {
                refused = error
            }
        }
        guard case .noSpace = refused else {
            Issue.record("\(String(describing: refused))")
            return
        }
        // What was in reserve could be used.
        #expect(log.segmentCount == 2)
        #expect(log.failure == nil)
        #expect(log.contents.lastIndex == LogIndex(index))
        #expect(log.durableIndex == LogIndex(index))
        fixture.disk.setAvailableByteCount(1 << 20)
        #expect(try log.maintain())
        try log.commit(LogBatch(entries: [entry(index + 1, [UInt8](repeating: 1, count: 3_000))]))
        fixture.disk.crash()
        #expect(try fixture.open().recovered.lastIndex == LogIndex(index + 1))
    }

    @Test("A full disk inside a write ends the log, and what was durable is there at the next start")
    func noSpaceInsideRecord() throws {
        // Not by growth, but file systems that copy on write can do it.
        let fixture = LogFixture()
        let log = try fixture.open().log
        try log.commit(LogBatch(hardState: state(1), entries: [entry(1)]))
        try log.append(LogBatch(entries: [entry(2, [UInt8](repeating: 1, count: 9_000))]))
        fixture.disk.inject(.tornWrite(byteCount: 5_000, .noSpace), atNext: "pwrite")
        let error = #expect(throws: LogError.self) { try log.write() }
        guard case .file = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        fixture.disk.crash(keeping: .everything)
        let recovered = try fixture.open().recovered
        #expect(recovered.lastIndex == LogIndex(1))
        #expect(recovered.report.contains(.tornTail))
    }

    @Test("Rename without a directory sync: a reused segment has its new name for good before it is written")
    func rename() throws {
        // The name went with the power, and with it every entry in the file that had it.
        let fixture = LogFixture(segmentByteCount: 16_384)
        let log = try fixture.open().log
        try log.commit(LogBatch(hardState: state(1)))
        for index: UInt64 in 1...40 {
            try log.commit(LogBatch(entries: [entry(index, [UInt8](repeating: UInt8(index), count: 3_000))]))
            try log.commit(LogBatch(snapshot: .compaction(mark(index)), hardState: state(1, commit: index)))
            try log.maintain()
        }
        // Reused many times over: numbers have run ahead of the files.
        #expect(log.durableEnd.segment > 20)
        #expect(try fixture.disk.list(LogFixture.directory).count < 6)
        fixture.disk.crash()
        #expect(try fixture.open().recovered.lastIndex == LogIndex(40))
    }

    @Test("A damaged committed entry, and then an election: the node that lost it elects nobody who never had it")
    func damagedCommittedEntry() throws {
        // Node 3 cut its log at the damage and voted for one that lacked the entry, which two of three had committed.
        let fixture = LogFixture()
        let log = try fixture.open().log
        try log.commit(LogBatch(snapshot: .installation(mark(1)), hardState: state(1, vote: 1, commit: 1)))
        let place = log.durableEnd
        try log.commit(LogBatch(entries: [entry(2, [7])]))
        try log.commit(LogBatch(hardState: state(1, vote: 1, commit: 2)))
        fixture.disk.crash()
        for isDamaged in [false, true] {
            if isDamaged { try fixture.disk.flipBit(0, ofByte: Int(place.offset) + 80, in: fixture.path(1)) }
            var isGranted = false
            if isDamaged, let refusal = try fixture.refusal() {
                #expect(refusal.finding == .damage && refusal.offset == place.offset)
            } else {
                isGranted = try grantsVote(try fixture.open().recovered, lastIndex: 1)
            }
            #expect(!isGranted)
        }
    }

    /// Whether a node with that log votes for one whose log ends there.
    private func grantsVote(_ recovered: RecoveredLog, lastIndex: UInt64) throws -> Bool {
        var core = try RaftCore(
            id: NodeID(LogFixture.identity.nodeID), settings: RaftSettings(), stored: recovered.stored(applied: LogIndex(1)),
            snapshot: mark(1), start: 2, seed: 1)
        let request = VoteRequest(lastIndex: LogIndex(lastIndex), lastTerm: Term(1))
        try core.step(Message(from: NodeID(2), to: core.id, term: Term(2), .vote(request)))
        let token = try #require(core.takeReady()?.append).token
        core.written(upTo: token)
        return core.takeReady()?.messages.contains { $0.body == .voteResponse(VoteResponse(isGranted: true)) } == true
    }

    @Test("A misdirected write that a checksum alone misses: the block it hit and the one it missed are both seen")
    func misdirectedWrite() throws {
        // Both blocks had a valid checksum; the log went on with the wrong one.
        let fixture = LogFixture()
        let log = try fixture.open().log
        try log.commit(LogBatch(hardState: state(1)))
        for index: UInt64 in 1...2 { try log.commit(LogBatch(entries: [entry(index)])) }
        let end = log.durableEnd.offset
        fixture.disk.inject(.misdirectedWrite(to: end - 4_096), atNext: "pwrite")
        try log.commit(LogBatch(entries: [entry(3)]))
        try log.commit(LogBatch(entries: [entry(4)]))
        fixture.disk.crash()
        let refusal = try #require(try fixture.refusal())
        #expect(refusal.finding == .damage)
        #expect(refusal.offset == end - 4_096)
    }

    @Test("A write that the disk lost, while it said that it was done, is seen")
    func lostWrite() throws {
        let fixture = LogFixture()
        let log = try fixture.open().log
        try log.commit(LogBatch(hardState: state(1)))
        let end = log.durableEnd.offset
        fixture.disk.inject(.lostWrite, atNext: "pwrite")
        try log.commit(LogBatch(entries: [entry(1)]))
        try log.commit(LogBatch(entries: [entry(2)]))
        fixture.disk.crash()
        let refusal = try #require(try fixture.refusal())
        #expect(refusal.finding == .damage)
        #expect(refusal.offset == end)
    }

    @Test("Reading damaged entries says where; it never gives others")
    func damagedRead() throws {
        var fixture = LogFixture()
        fixture.settings.cacheEntryCountMax = 1
        let log = try fixture.open().log
        try log.commit(LogBatch(hardState: state(1)))
        let place = log.durableEnd
        for index: UInt64 in 1...5 { try log.commit(LogBatch(entries: [entry(index, [1, 2, 3])])) }
        try fixture.disk.flipBit(2, ofByte: Int(place.offset) + 64 + 41, in: fixture.path(1))
        let error = #expect(throws: LogError.self) {
            try log.entries(from: LogIndex(1), through: LogIndex(5), byteCountMax: 1 << 20)
        }
        guard case .refused(let refusal) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(refusal.finding == .damage)
        #expect(refusal.file == fixture.path(1))
        #expect(refusal.offset == place.offset + 64)
        #expect(try log.entries(from: LogIndex(2), through: LogIndex(5), byteCountMax: 1 << 20).count == 4)
        fixture.disk.inject(.failure(.io), atNext: "pread")
        #expect(throws: LogError.self) { try log.entries(from: LogIndex(2), through: LogIndex(3), byteCountMax: 1) }
        #expect(log.failure == nil)
    }

    @Test("A killed process leaves its last write in the cache: it is durable before anybody builds on it")
    func killedProcess() throws {
        // The restarted node answered for what it had read, and the machine lost it.
        let fixture = LogFixture(hasDirectFiles: false)
        let log = try fixture.open().log
        try log.commit(LogBatch(hardState: state(1)))
        try log.append(LogBatch(hardState: state(4, vote: 2), entries: [entry(1, term: 4)]))
        try log.write()
        fixture.disk.kill()
        #expect(try fixture.open().recovered.hardState == state(4, vote: 2))
        fixture.disk.crash()
        #expect(try fixture.open().recovered.hardState == state(4, vote: 2))
    }

    @Test(
        "Every point where a machine can stop, during a start and its first writes, leaves a log that starts",
        arguments: [false, true])
    func everyPoint(hasDirectFiles: Bool) throws {
        var acknowledged: UInt64 = 0
        func run(_ fixture: LogFixture) throws(LogError) {
            let log = try fixture.open().log
            try log.commit(LogBatch(hardState: state(1, vote: 1)))
            for index: UInt64 in 1...12 {
                try log.commit(LogBatch(entries: [entry(index, [UInt8](repeating: UInt8(index), count: 2_500))]))
                acknowledged = index
                if index.isMultiple(of: 4) {
                    try log.commit(LogBatch(snapshot: .compaction(mark(index)), hardState: state(1, vote: 1, commit: index)))
                }
                try log.maintain()
            }
        }
        let whole = LogFixture(hasDirectFiles: hasDirectFiles, segmentByteCount: 16_384)
        try run(whole)
        let operationCount = whole.disk.operationCount
        #expect(operationCount > 50)
        for operation in 1...operationCount {
            for survival in [.nothing, .everything, .some(seed: UInt64(operation))] as [FaultyFileSystem.Survival] {
                let fixture = LogFixture(hasDirectFiles: hasDirectFiles, segmentByteCount: 16_384)
                acknowledged = 0
                fixture.disk.inject(.haltDuringWrite(survival), at: operation)
                #expect(throws: LogError.self) { try run(fixture) }
                fixture.disk.crash(keeping: survival)
                let recovered = try fixture.open().recovered
                #expect(recovered.lastIndex.rawValue >= acknowledged, "operation \(operation)")
                #expect(recovered.lastIndex.rawValue <= acknowledged + 1, "operation \(operation)")
            }
        }
    }
}
