import Metadata
import Raft

/// Gathers the writes of this node's clients into batches for the leader, each of which is one append or one forward, and keeps every write,
/// by its serial in this node's session, until it has its outcome.
///
/// Nothing waits for company: a batch is what has come while the last one was handed over, up to `ReplicaSettings.batchCountMax` and
/// `batchByteCountMax`. A write waits only for a leader that takes it.
struct BatchWriter: Sendable {
    struct Pending: Sendable {
        let token: RequestToken
        let kind: SessionOperation.Kind
        let operation: [UInt8]
        let level: WriteLevel
        let deadline: ClockReading
        /// The newest time it was given to a leader, unless that one is known to have come to nothing.
        var attempt: Attempt?
        /// The highest term in which an earlier attempt may have come to something.
        var doubt: Term?
        /// It is committed and applied here, and waits for every voter.
        var applied: (index: LogIndex, outcome: MetadataOutcome)?
        /// It waits to be given to a leader.
        var isWaiting = true

        mutating func attempted(_ next: Attempt) {
            if let attempt { doubt = max(doubt ?? .zero, attempt.term) }
            attempt = next
        }

        /// Whether a leader may have it.
        var isInDoubt: Bool { attempt != nil || doubt != nil }
    }

    /// Given to the leader of a term: no leader of another term will take it.
    struct Attempt: Sendable {
        let term: Term
        /// Of the forward; 0 for an append of this node's own.
        let sequence: UInt64
        let sentAt: ClockReading
        /// Where the leader appended it.
        var index: LogIndex?
    }

    enum Standing: Sendable {
        case closed
        case opening(Attempt)
        case open
    }

    private(set) var session: SessionID
    var standing = Standing.closed
    /// A leader has refused: nothing is given to it before the next tick, or another leader.
    var isBlocked = false
    /// Of the newest forward.
    var forwardSequence: UInt64 = 0
    /// The log is on every voter up to here.
    var everywhere = LogIndex.zero
    /// When the leader was last asked how far that is.
    var askedAt = ClockReading.zero
    /// When this node proposed newer rules for the cluster.
    var raisedVersionAt: ClockReading?
    /// Attempts of earlier terms have been settled.
    var settledTerm = Term.zero

    /// By serial, from `base` on; nil: it has its outcome.
    private var slots: [Pending?] = []
    private var base = Serial(1)
    /// Those before are nil; they go when they are many.
    private var head = 0
    private(set) var count = 0
    private(set) var byteCount = 0
    /// Serials that wait to be given to a leader, in that order; some may have got their outcome meanwhile.
    private(set) var waiting: [Serial] = []

    init(session: SessionID) {
        self.session = session
    }

    var nextSerial: Serial { Serial(base.rawValue + UInt64(slots.count)) }

    /// The oldest without an outcome; the next one if there is none.
    var mark: Serial { Serial(base.rawValue + UInt64(head)) }

    /// How many serials lie between the oldest without an outcome and the next one.
    var spanCount: Int { slots.count - head }

    private func place(of serial: Serial) -> Int? {
        guard serial >= base, serial < nextSerial else { return nil }
        return Int(serial.rawValue - base.rawValue)
    }

    subscript(serial: Serial) -> Pending? {
        get { place(of: serial).flatMap { slots[$0] } }
        _modify {
            guard let place = place(of: serial) else { preconditionFailure("a serial that was never given out") }
            yield &slots[place]
        }
    }

    @discardableResult
    mutating func add(_ pending: Pending) -> Serial {
        let serial = nextSerial
        slots.append(pending)
        count += 1
        byteCount += pending.operation.count
        if pending.isWaiting { waiting.append(serial) }
        return serial
    }

    mutating func remove(_ serial: Serial) -> Pending? {
        guard let place = place(of: serial), let pending = slots[place] else { return nil }
        slots[place] = nil
        count -= 1
        byteCount -= pending.operation.count
        while head < slots.count, slots[head] == nil { head += 1 }
        if head == slots.count || head > 1024 && head > slots.count / 2 {
            base = mark
            slots.removeFirst(head)
            head = 0
        }
        return pending
    }

    /// Gives it to a leader anew, as soon as there is one.
    mutating func wait(_ serial: Serial) {
        guard let place = place(of: serial), slots[place]?.isWaiting == false else { return }
        slots[place]?.isWaiting = true
        waiting.append(serial)
    }

    /// The next ones to be given to a leader together, in order: at least one if any waits, whatever its size.
    mutating func takeBatch(countMax: Int, byteCountMax: Int) -> [Serial] {
        var taken: [Serial] = []
        var byteCount = 0
        var end = 0
        while end < waiting.count, taken.count < countMax {
            let serial = waiting[end]
            guard let place = place(of: serial), let pending = slots[place] else {
                end += 1
                continue
            }
            byteCount += pending.operation.count + Command.operationHeaderByteCount
            guard taken.isEmpty || byteCount <= byteCountMax else { break }
            slots[place]?.isWaiting = false
            taken.append(serial)
            end += 1
        }
        waiting.removeFirst(end)
        return taken
    }

    /// All without an outcome, in order.
    var serials: [Serial] {
        (head..<slots.count).filter { slots[$0] != nil }.map { Serial(base.rawValue + UInt64($0)) }
    }

    /// A new session: those without an outcome get serials in it.
    mutating func begin(_ session: SessionID) {
        precondition(session > self.session, "a session that is not later")
        let pending = slots[head...].compactMap { $0 }
        self.session = session
        standing = .closed
        (slots, base, head, count, byteCount, waiting) = ([], Serial(1), 0, 0, 0, [])
        for var proposal in pending {
            proposal.attempt = nil
            proposal.doubt = nil
            proposal.isWaiting = proposal.applied == nil
            add(proposal)
        }
    }
}
