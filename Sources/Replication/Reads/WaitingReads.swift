import Metadata
import Raft

/// Reads of this node's clients that cannot be served yet.
///
/// ```
///   linearizable ──► asks ──► confirmed at index ──┐
///   bounded ─ fresh enough? ─no─► asks ──► ────────┼─► applied ≥ index ──► ready
///   eventual, minimum index ───────────────────────┘
/// ```
struct WaitingReads: Sendable {
    struct Read: Sendable {
        let request: ReadRequest
        /// After this moment the read fails.
        let deadline: ClockReading
    }

    /// Ask as soon as there is a leader.
    var unasked: [Read] = []
    /// Wait until the position is confirmed; ascending.
    private(set) var asked: [(position: UInt64, read: Read)] = []
    /// Wait until the index is applied here; ascending.
    private(set) var confirmed: [(index: LogIndex, read: Read)] = []
    /// Wait until the state here is known to be young enough.
    var bounded: [Read] = []
    /// When each position that is not confirmed was asked for, ascending; the first call counts, which comes before any message.
    private(set) var rounds: [(position: UInt64, askedAt: ClockReading)] = []
    var freshness = Freshness()

    /// More rounds under way than this say nothing new of freshness.
    private static let roundCountMax = 1024

    var count: Int { unasked.count + asked.count + confirmed.count + bounded.count }

    mutating func ask(_ position: UInt64, at now: ClockReading) {
        guard rounds.last?.position != position else { return }
        // Forgetting the newest loses freshness, never correctness.
        if rounds.count < Self.roundCountMax { rounds.append((position, now)) }
    }

    mutating func add(_ read: Read, position: UInt64) {
        asked.append((position, read))
    }

    mutating func add(_ read: Read, index: LogIndex) {
        var place = confirmed.count
        while place > 0, confirmed[place - 1].index > index { place -= 1 }
        confirmed.insert((index, read), at: place)
    }

    /// When the newest round up to that position was asked for, and the reads that waited for it.
    mutating func confirm(upTo position: UInt64) -> (askedAt: ClockReading?, reads: [Read]) {
        let roundEnd = rounds.firstIndex { $0.position > position } ?? rounds.count
        let askedAt = rounds[..<roundEnd].last?.askedAt
        rounds.removeFirst(roundEnd)
        let end = asked.firstIndex { $0.position > position } ?? asked.count
        let reads = asked[..<end].map(\.read)
        asked.removeFirst(end)
        return (askedAt, reads)
    }

    /// Positions up to that one will not be confirmed.
    mutating func fail(upTo position: UInt64) {
        let (_, reads) = confirm(upTo: position)
        unasked = reads + unasked
    }

    /// All that asked ask again.
    mutating func askAgain() {
        unasked = asked.map(\.read) + unasked
        asked = []
        rounds = []
    }

    mutating func takeConfirmed(upTo index: LogIndex) -> [Read] {
        let end = confirmed.firstIndex { $0.index > index } ?? confirmed.count
        let reads = confirmed[..<end].map(\.read)
        confirmed.removeFirst(end)
        return reads
    }

    /// Those whose time is over.
    mutating func takeExpired(at now: ClockReading) -> [(read: Read, wasConfirmed: Bool)] {
        func isExpired(_ read: Read) -> Bool { read.deadline <= now }
        var expired = unasked.filter(isExpired).map { ($0, false) }
        expired += asked.map(\.read).filter(isExpired).map { ($0, false) }
        expired += bounded.filter(isExpired).map { ($0, false) }
        expired += confirmed.map(\.read).filter(isExpired).map { ($0, true) }
        guard !expired.isEmpty else { return [] }
        unasked.removeAll(where: isExpired)
        asked.removeAll { isExpired($0.read) }
        bounded.removeAll(where: isExpired)
        confirmed.removeAll { isExpired($0.read) }
        return expired
    }

    mutating func takeAll() -> [Read] {
        defer { (unasked, asked, confirmed, bounded) = ([], [], [], []) }
        return unasked + asked.map(\.read) + bounded + confirmed.map(\.read)
    }
}

/// How old the state here is at most: a confirmed index contains every write that was acknowledged before it was asked for, and so does
/// the state once the index is applied.
struct Freshness: Sendable {
    /// Confirmed and not applied yet, both ascending.
    private var coming: [(index: LogIndex, askedAt: ClockReading)] = []
    /// The state contains every write that was acknowledged before this moment.
    private(set) var freshAt: ClockReading?

    private static let comingCountMax = 64

    mutating func confirm(_ index: LogIndex, askedAt: ClockReading, applied: LogIndex) {
        guard index > applied else {
            freshAt = max(freshAt ?? .zero, askedAt)
            return
        }
        if let last = coming.last, last.index == index {
            coming[coming.count - 1].askedAt = max(last.askedAt, askedAt)
        } else if coming.count < Self.comingCountMax {
            coming.append((index, askedAt))
        } else {
            // Any of them may be left out: the state is only believed to be older then.
            coming[coming.count - 1] = (index, askedAt)
        }
    }

    mutating func apply(upTo index: LogIndex) {
        let end = coming.firstIndex { $0.index > index } ?? coming.count
        for entry in coming[..<end] { freshAt = max(freshAt ?? .zero, entry.askedAt) }
        coming.removeFirst(end)
    }

    func ageMilliseconds(at now: ClockReading) -> UInt64? { freshAt.map { now.milliseconds(since: $0) } }
}
