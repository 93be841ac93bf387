import FileSystem
import Raft
import RaftStorage
import Testing

/// What a disk does to data that it said it had: whatever was acknowledged is there, or the log is refused.
@Suite struct DamageTests {
    @Test("Random damage to a sealed log is refused or does no harm; nothing is dropped in silence", arguments: 0..<300)
    func randomDamage(seed: Int) throws {
        if let fault = try DamagedRun(seed: UInt64(seed)).perform() { Issue.record("seed \(seed): \(fault)") }
    }
}

/// A log that is written and sealed, and then damaged in one place.
struct DamagedRun {
    let seed: UInt64
    var mutations: StorageMutations = []

    /// What was lost in silence; nil if nothing was.
    func perform() throws -> String? {
        var random = SeededGenerator(seed: seed)
        var fixture = LogFixture(hasDirectFiles: random.chance(50), segmentByteCount: 4_096 * 6)
        fixture.settings.mutations = mutations
        let log = try fixture.open().log
        try log.commit(LogBatch(hardState: state(1, vote: 2)))
        let count = UInt64.random(in: 3...20, using: &random)
        for index in 1...count {
            // A misdirected write: it lands on the batch before, which was durable, and its own place stays as it was.
            let isMisdirected = index == count / 2 && random.chance(40)
            if isMisdirected, log.durableEnd.offset > 12_288 {
                fixture.disk.inject(.misdirectedWrite(to: log.durableEnd.offset - 4_096), atNext: "pwrite")
            } else if index == count / 2, random.chance(30) {
                fixture.disk.inject(.lostWrite, atNext: "pwrite")
            }
            try log.commit(
                LogBatch(entries: [
                    entry(index, [UInt8](repeating: UInt8(index), count: Int.random(in: 0...3_000, using: &random)))
                ]))
            try log.maintain()
        }
        try log.seal()
        try log.write()
        try log.synchronize()
        fixture.disk.crash()
        if random.chance(70) { try damage(fixture, through: log.coveredEnd, &random) }
        do throws(LogError) {
            let (reopened, recovered) = try fixture.open()
            guard recovered.hardState == state(1, vote: 2) else { return "the hard state is \(recovered.hardState)" }
            let entries = try reopened.allEntries()
            guard entries.map(\.index.rawValue) == Array(1...count) else { return "the entries are \(entries.map(\.index))" }
            guard entries.allSatisfy({ $0.payload.allSatisfy { [index = $0.index.rawValue] in $0 == UInt8(index) } }) else {
                return "an entry has another payload"
            }
        } catch {
            guard case .refused(let refusal) = error, refusal.finding.decision == .refuse, !refusal.file.isEmpty else {
                return "\(error)"
            }
        }
        return nil
    }

    /// One bit, one sector, or a block from elsewhere, before the end of what is covered.
    private func damage(_ fixture: LogFixture, through end: LogPosition, _ random: inout SeededGenerator) throws {
        let number = UInt64.random(in: 1...end.segment, using: &random)
        let limit = number == end.segment ? Int(end.offset) : fixture.settings.segmentByteCount
        switch Int.random(in: 0..<3, using: &random) {
        case 0:
            try fixture.disk.flipBit(
                Int.random(in: 0..<8, using: &random), ofByte: Int.random(in: 0..<limit, using: &random),
                in: fixture.path(number))
        case 1:
            let sector = Int.random(in: 0..<limit / 512, using: &random)
            try fixture.disk.damage(
                fixture.path(number), at: sector * 512, with: [UInt8](repeating: random.chance(50) ? 0 : 0xa5, count: 512))
        default:
            let source = try fixture.bytes(UInt64.random(in: 1...end.segment, using: &random))
            let from = 4_096 * Int.random(in: 0..<source.count / 4_096, using: &random)
            try fixture.disk.damage(
                fixture.path(number), at: 4_096 * Int.random(in: 0..<limit / 4_096, using: &random),
                with: Array(source[from..<from + 4_096]))
        }
    }
}
