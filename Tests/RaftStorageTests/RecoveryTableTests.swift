import Checksum
import FileSystem
import Raft
import RaftStorage
import Testing

/// Each row of the decision table of docs/formats/log.md.
@Suite struct RecoveryTableTests {
    private let fixture = LogFixture()

    /// A log of three segments and more, all durable and sealed, with entries of a block each; the number of its last entry.
    @discardableResult
    private func fill(_ fixture: LogFixture, entryCount: UInt64 = 14) throws -> SegmentedLog {
        let log = try fixture.open().log
        try log.commit(LogBatch(hardState: state(1, vote: 1)))
        for index in 1...entryCount {
            try log.commit(LogBatch(entries: [entry(index, [UInt8](repeating: UInt8(index), count: 3_000))]))
            try log.maintain()
        }
        try log.seal()
        try log.write()
        try log.synchronize()
        return log
    }

    private func expect(_ finding: RecoveryFinding, file: String? = nil, offset: UInt64? = nil) throws {
        let refusal = try #require(try fixture.refusal())
        #expect(refusal.finding == finding)
        #expect(refusal.finding.decision == .refuse)
        if let file { #expect(refusal.file == file) }
        if let offset { #expect(refusal.offset == offset) }
        // A refusal touches nothing: the next start finds the same.
        #expect(try fixture.refusal() == refusal)
    }

    private func changeFile(_ path: String, _ change: (any File) throws -> Void) throws {
        try change(try fixture.disk.open(path, .createIfMissing))
    }

    // MARK: Files

    @Test("no-segments: an empty directory is a new log")
    func noSegments() throws {
        let (log, recovered) = try fixture.open()
        #expect(recovered.report.contains(.noSegments))
        #expect(recovered.hardState == state(0))
        #expect(recovered.lastIndex == .zero)
        #expect(recovered.snapshot == nil)
        #expect(log.segmentCount == 1)
    }

    @Test("log-missing: an empty directory is a loss for a node that had a log")
    func logMissing() throws {
        #expect(try fixture.refusal(expecting: .existing)?.finding == .logMissing)
        _ = try fixture.open()
        #expect(try fixture.refusal(expecting: .existing) == nil)
    }

    @Test("foreign-file: what is not named like a segment is left alone")
    func foreignFile() throws {
        try fill(fixture)
        try changeFile(LogFixture.directory + "/notes.txt") { try $0.write([1]) }
        let recovered = try fixture.open().recovered
        #expect(recovered.report.contains(.foreignFile))
        #expect(try fixture.disk.readFile(LogFixture.directory + "/notes.txt", byteCountMax: 9) == [1])
    }

    @Test("reserve, unfinished-reserve: files ahead are used if they have their size and follow, and deleted if not")
    func reserves() throws {
        let log = try fill(fixture)
        let last = log.durableEnd.segment
        let ahead = try fixture.disk.list(LogFixture.directory).compactMap { LogFormat.segmentNumber($0) }.filter { $0 > last }
        #expect(ahead == [last + 1])
        try changeFile(fixture.path(last + 2)) { try $0.write([0]) }
        try changeFile(fixture.path(last + 9)) { try $0.write([UInt8](repeating: 0, count: 32_768)) }
        let (reopened, recovered) = try fixture.open()
        #expect(recovered.report.contains(.reserve))
        #expect(recovered.report.findings.count { $0.finding == .unfinishedReserve } == 2)
        #expect(reopened.reserveCount == 1)
        #expect(
            try fixture.disk.list(LogFixture.directory).compactMap { LogFormat.segmentNumber($0) }.max() == last + 1)
        #expect(try reopened.allEntries().count == 14)
    }

    @Test("duplicate-segment: a file that a crash left two names has one again, and is not written under the other")
    func duplicate() throws {
        let log = try fill(fixture)
        let last = log.durableEnd.segment
        let second = try fixture.bytes(2)
        try changeFile(fixture.path(last + 1)) { try $0.write(second) }
        let recovered = try fixture.open().recovered
        #expect(recovered.report.contains(.duplicateSegment))
        #expect(try fixture.bytes(last + 1).prefix(8) != second.prefix(8))
        #expect(recovered.lastIndex == LogIndex(14))
    }

    @Test("leftover: a released segment whose old name came back is no part of the log")
    func leftover() throws {
        let log = try fill(fixture)
        let old = try fixture.bytes(1)
        try log.commit(LogBatch(snapshot: .compaction(mark(12)), hardState: state(1, vote: 1, commit: 12)))
        try log.maintain()
        #expect(log.contents.baseIndex > LogIndex(3))
        try changeFile(fixture.path(1)) { try $0.write(old) }
        let (reopened, recovered) = try fixture.open()
        #expect(recovered.report.contains(.leftover))
        #expect(reopened.contents.lastIndex == LogIndex(14))
        #expect(try fixture.disk.list(LogFixture.directory).contains(LogFormat.segmentName(1)) == false)
    }

    @Test("unknown-version: another version is refused by name")
    func unknownVersion() throws {
        try fill(fixture)
        var block = Array(try fixture.bytes(2).prefix(LogFormat.blockByteCount))
        block[12] = 9
        let magic = block[..<8].withUnsafeBytes { CRC32C.checksum($0) }
        let checksum = block[12...].withUnsafeBytes { CRC32C.checksum($0, seed: magic) }
        withUnsafeBytes(of: checksum.littleEndian) { block.replaceSubrange(8..<12, with: $0) }
        try fixture.disk.damage(fixture.path(2), at: 0, with: block)
        try expect(.unknownVersion, file: fixture.path(2))
    }

    @Test("wrong-cluster, wrong-group, wrong-node: another's log is told by name")
    func wrongIdentity() throws {
        try fill(fixture)
        var identity = LogFixture.identity
        identity.clusterID.low += 1
        #expect(try fixture.refusal(identity)?.finding == .wrongCluster)
        identity = LogFixture.identity
        identity.groupID += 1
        #expect(try fixture.refusal(identity)?.finding == .wrongGroup)
        identity = LogFixture.identity
        identity.nodeID += 1
        #expect(try fixture.refusal(identity)?.finding == .wrongNode)
    }

    @Test("misnamed-segment: a copy under an earlier number is refused; one ahead of the log only waits to be used")
    func misnamed() throws {
        try fill(fixture)
        let second = try fixture.bytes(2)
        try changeFile(fixture.path(99)) { try $0.write(second) }
        #expect(try fixture.open().recovered.lastIndex == LogIndex(14))
        try changeFile(fixture.path(1)) { try $0.write(second) }
        try expect(.misnamedSegment, file: fixture.path(1))
    }

    @Test("missing-segment: a gap that the log needs something from is refused")
    func missingSegment() throws {
        try fill(fixture)
        try fixture.disk.unlink(fixture.path(2))
        try expect(.missingSegment, file: fixture.path(2))
    }

    @Test("missing-segment: the first segment counts as well, and so does the last when a later one proves it")
    func missingFirst() throws {
        try fill(fixture)
        try fixture.disk.unlink(fixture.path(1))
        try expect(.missingSegment, file: fixture.path(1))
    }

    @Test("missing-segment: reused files without any segment in use prove a loss")
    func missingAll() throws {
        let log = try fill(fixture)
        let second = try fixture.bytes(2)
        for number in 1...log.durableEnd.segment { try fixture.disk.unlink(fixture.path(number)) }
        try changeFile(fixture.path(50)) { try $0.write(second) }
        try expect(.missingSegment, file: fixture.path(50))
    }

    @Test("damaged-header: of a segment in the middle, of the last one, of the only one")
    func damagedHeader() throws {
        try fill(fixture)
        try fixture.disk.flipBit(3, ofByte: 2_000, in: fixture.path(2))
        try expect(.damagedHeader, file: fixture.path(2))
    }

    @Test("damaged-header: of the last segment, which its own batches prove")
    func damagedLastHeader() throws {
        let log = try fill(fixture)
        try fixture.disk.flipBit(3, ofByte: 60, in: fixture.path(log.durableEnd.segment))
        try expect(.damagedHeader, file: fixture.path(log.durableEnd.segment))
    }

    @Test("damaged-header: another segment's header in the place of the last one's does not make that a duplicate")
    func misdirectedHeader() throws {
        let log = try fill(fixture)
        let header = Array(try fixture.bytes(2).prefix(LogFormat.blockByteCount))
        try fixture.disk.damage(fixture.path(log.durableEnd.segment), at: 0, with: header)
        try expect(.damagedHeader, file: fixture.path(log.durableEnd.segment))
    }

    @Test("damaged-header: of the only segment")
    func damagedOnlyHeader() throws {
        let log = try fixture.open().log
        try log.commit(LogBatch(hardState: state(1, vote: 1)))
        try fixture.disk.flipBit(3, ofByte: 60, in: fixture.path(1))
        try expect(.damagedHeader, file: fixture.path(1))
    }

    @Test("wrong-segment-size: a segment that was cut is refused")
    func wrongSize() throws {
        try fill(fixture)
        try changeFile(fixture.path(2)) { try $0.truncate(to: 16_384) }
        try expect(.wrongSegmentSize, file: fixture.path(2), offset: 16_384)
    }

    // MARK: Batches

    @Test("clean-end: a log that was closed in peace is taken whole, and nothing is cut")
    func cleanEnd() throws {
        try fill(fixture)
        let (log, recovered) = try fixture.open()
        #expect(recovered.report.contains(.cleanEnd))
        #expect(!recovered.report.contains(.tornTail))
        #expect(try log.allEntries().map(\.index.rawValue) == Array(1...14))
        #expect(recovered.termRuns == [TermRun(firstIndex: LogIndex(1), term: Term(1))])
        #expect(recovered.hardState == state(1, vote: 1))
    }

    @Test("torn-tail: a batch of which sectors are missing is cut, whichever they are", arguments: 0..<8)
    func tornBatch(sector: Int) throws {
        let log = try fill(fixture)
        let end = log.durableEnd
        try log.append(LogBatch(entries: [entry(15, [UInt8](repeating: 9, count: 3_500))]))
        try log.write()
        fixture.disk.crash(keeping: .everything)
        try fixture.disk.damage(
            fixture.path(end.segment), at: Int(end.offset) + sector * 512, with: [UInt8](repeating: 0, count: 512))
        let (reopened, recovered) = try fixture.open()
        // A batch without its first sector looks like none, and needs no cut.
        #expect(recovered.report.contains(sector == 0 ? .cleanEnd : .tornTail))
        #expect(reopened.contents.lastIndex == LogIndex(14))
        try reopened.commit(LogBatch(entries: [entry(15, [7])]))
        #expect(try fixture.open().log.allEntries().last == entry(15, [7]))
    }

    @Test("torn-tail: a hole before a batch that nobody was told of is cut, with that batch")
    func hole() throws {
        let log = try fixture.open().log
        try log.commit(LogBatch(hardState: state(1, vote: 1), entries: [entry(1)]))
        let end = log.durableEnd
        try log.append(LogBatch(entries: [entry(2)]))
        try log.write()
        try log.append(LogBatch(entries: [entry(3)]))
        try log.write()
        fixture.disk.crash(keeping: .everything)
        try fixture.disk.damage(fixture.path(1), at: Int(end.offset), with: [UInt8](repeating: 0, count: 4_096))
        let (reopened, recovered) = try fixture.open()
        #expect(recovered.report.contains(.tornTail))
        #expect(reopened.contents.lastIndex == LogIndex(1))
        // The orphan must not join what is written into the hole.
        try reopened.commit(LogBatch(entries: [entry(2, [2])]))
        #expect(try fixture.open().log.allEntries() == [entry(1), entry(2, [2])])
    }

    @Test("torn-opening: a segment whose opening is torn is a reserve again")
    func tornOpening() throws {
        let log = try fill(fixture)
        var index: UInt64 = 14
        let first = log.durableEnd.segment
        while log.contents.lastIndex.rawValue < 30 {
            index += 1
            try log.append(LogBatch(entries: [entry(index, [UInt8](repeating: 1, count: 3_500))]))
            try log.write()
            if try fixture.bytes(first + 1).prefix(8).elementsEqual("RFSMRLOG".utf8) { break }
            try log.synchronize()
        }
        let durable = index - 1
        fixture.disk.crash(keeping: .everything)
        try fixture.disk.damage(fixture.path(first + 1), at: 4_096, with: [UInt8](repeating: 0, count: 8))
        let (reopened, recovered) = try fixture.open()
        #expect(recovered.report.contains(.tornOpening))
        #expect(reopened.contents.lastIndex == LogIndex(durable))
        #expect(reopened.durableEnd.segment == first)
        try reopened.commit(LogBatch(entries: [entry(durable + 1, [UInt8](repeating: 2, count: 8_000))]))
        #expect(try fixture.open().log.allEntries().last == entry(durable + 1, [UInt8](repeating: 2, count: 8_000)))
    }

    @Test(
        "damage: a flipped bit, a lost and a misdirected block of what was durable are refused, in any segment",
        arguments: [1, 2, 3, 4])
    func damage(segment: UInt64) throws {
        let log = try fill(fixture, entryCount: 28)
        #expect(log.durableEnd.segment > 4)
        for offset in [8_192, 8_300, 12_288 + 100] {
            let before = try fixture.bytes(segment)
            try fixture.disk.flipBit(1, ofByte: offset, in: fixture.path(segment))
            try expect(.damage, file: fixture.path(segment), offset: UInt64(offset / 4_096 * 4_096))
            try fixture.disk.damage(fixture.path(segment), at: 0, with: before)
            #expect(try fixture.refusal() == nil)
            // The neighbour's block in its place: valid by content, wrong by place.
            try fixture.disk.damage(
                fixture.path(segment), at: offset / 4_096 * 4_096,
                with: Array(before[offset / 4_096 * 4_096 + 4_096..<offset / 4_096 * 4_096 + 8_192]))
            try expect(.damage, file: fixture.path(segment))
            try fixture.disk.damage(fixture.path(segment), at: 0, with: before)
        }
    }

    @Test("damage: the newest batch is covered once the log is sealed")
    func sealed() throws {
        let log = try fixture.open().log
        try log.commit(LogBatch(hardState: state(1, vote: 1)))
        let end = log.durableEnd
        #expect(log.coveredEnd < end)
        try log.seal()
        try log.write()
        try log.synchronize()
        #expect(log.coveredEnd == end)
        try fixture.disk.flipBit(0, ofByte: Int(end.offset) - 4_000, in: fixture.path(1))
        try expect(.damage, file: fixture.path(1), offset: end.offset - 4_096)
    }

    // MARK: What valid batches and records say

    /// Puts a batch behind a new log's opening, as if the log had written it.
    private func put(_ batch: CraftedBatch) throws {
        _ = try fixture.open()
        try fixture.disk.damage(fixture.path(1), at: batch.offset, with: batch.bytes())
    }

    @Test("A crafted batch that says nothing wrong is taken")
    func crafted() throws {
        try put(CraftedBatch(records: [.hardState(2, vote: 1), .entry(1, 1), .entry(2, 2), .hardState(2, vote: 1, commit: 1)]))
        let recovered = try fixture.open().recovered
        #expect(recovered.hardState == state(2, vote: 1, commit: 1))
        #expect(recovered.lastTerm == Term(2))
        #expect(recovered.termRuns.map(\.term.rawValue) == [1, 2])
    }

    @Test("broken-sequence: a batch that does not follow is refused", arguments: [0, 1, 3, .max] as [UInt64])
    func brokenSequence(sequence: UInt64) throws {
        try put(CraftedBatch(records: [.hardState(2)], sequence: sequence))
        try expect(.brokenSequence, file: fixture.path(1), offset: 8_192)
    }

    @Test("malformed-batch: records that are not what the header announces", arguments: [0, 1, 3] as [UInt32])
    func malformedBatch(count: UInt32) throws {
        try put(CraftedBatch(records: [.hardState(2), .entry(1, 1)], recordCount: count))
        try expect(.malformedBatch, file: fixture.path(1), offset: 8_192)
    }

    static let contradictingRecords: [(RecoveryFinding, [CraftedBatch.Record])] = [
        (.wrongGroup, [.init(kind: 2, index: 0, term: 1, group: 8)]),
        (.unknownRecord, [.init(kind: 9, index: 0, term: 1)]),
        (.unknownRecord, [.init(kind: 0, index: 0, term: 1)]),
        (.misplacedOpening, [.init(kind: 5, index: 0, term: 0)]),
        (.indexGap, [.hardState(1), .entry(2, 1)]),
        (.indexGap, [.hardState(1), .entry(1, 1), .entry(3, 1)]),
        (.indexGap, [.hardState(1), .entry(1, 1), .entry(1, 1)]),
        (.termBackwards, [.hardState(3), .entry(1, 2), .entry(2, 1)]),
        (.termBeyondHardState, [.entry(1, 1)]),
        (.termBeyondHardState, [.hardState(1), .entry(1, 1), .entry(2, 2)]),
        (.termBeyondHardState, [.hardState(1), .mark(9, 2, restarts: true)]),
        (.hardStateBackwards, [.hardState(2), .hardState(1)]),
        (.hardStateBackwards, [.hardState(2, vote: 1), .hardState(2, vote: 2)]),
        (.hardStateBackwards, [.hardState(2, vote: 1), .hardState(2)]),
        (.hardStateBackwards, [.hardState(1), .entry(1, 1), .hardState(1, commit: 1), .hardState(1, commit: 0)]),
        (.hardStateBeyondLog, [.hardState(1, commit: 1)]),
        (.hardStateBeyondLog, [.hardState(1), .entry(1, 1), .hardState(1, commit: 2)]),
        (.truncationOfCommitted, [.hardState(1), .entry(1, 1), .entry(2, 1), .hardState(1, commit: 2), .truncation(1, 1)]),
        (
            .truncationOfCommitted,
            [.hardState(1), .entry(1, 1), .entry(2, 1), .hardState(1, commit: 2), .mark(1, 1, restarts: true)]
        ),
        (.truncationElsewhere, [.hardState(1), .entry(1, 1), .truncation(2, 1)]),
        (.truncationElsewhere, [.hardState(2), .entry(1, 1), .entry(2, 1), .truncation(1, 2)]),
        (.snapshotContradiction, [.hardState(1), .entry(1, 1), .entry(2, 1), .mark(2, 1), .mark(1, 1)]),
        (.snapshotContradiction, [.hardState(2), .entry(1, 1), .mark(1, 2)]),
        (.snapshotContradiction, [.hardState(1), .entry(1, 1), .mark(2, 1)]),
        (.malformedRecord, [.init(kind: 2, index: 0, term: 1, payload: [1, 2, 3])]),
        (.malformedRecord, [.hardState(1), .entry(1, 1, detail: 77)]),
        (.malformedRecord, [.hardState(1), .init(kind: 4, index: 0, term: 0, payload: [9])]),
        (.malformedRecord, [.hardState(1), .init(kind: 4, detail: 7, index: 0, term: 0, payload: Configuration().bytes())]),
    ]

    @Test("Valid records that contradict the log are refused, with the record's place", arguments: contradictingRecords.indices)
    func contradictions(number: Int) throws {
        let (finding, records) = Self.contradictingRecords[number]
        try put(CraftedBatch(records: records))
        try expect(finding, file: fixture.path(1))
        let refusal = try #require(try fixture.refusal())
        #expect(refusal.offset >= 8_192)
    }

    @Test("Every row of the table has a test here")
    func everyRow() {
        let named: Set<RecoveryFinding> = [
            .noSegments, .logMissing, .foreignFile, .reserve, .unfinishedReserve, .duplicateSegment, .leftover, .unknownVersion,
            .wrongCluster,
            .wrongGroup,
            .wrongNode, .misnamedSegment, .missingSegment, .damagedHeader, .wrongSegmentSize, .cleanEnd, .tornTail,
            .tornOpening,
            .damage, .brokenSequence, .malformedBatch,
        ]
        #expect(named.union(Self.contradictingRecords.map(\.0)) == Set(RecoveryFinding.allCases))
    }
}
