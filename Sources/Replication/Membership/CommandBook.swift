import Raft

/// Who is told what has become of a command.
enum CommandCaller: Hashable, Sendable {
    /// This node's driver, for which the command is carried out here or nowhere.
    case driver(RequestToken)
    /// This node's driver, for whom the leader is sought: the `CommandBook` knows until when.
    case asked(RequestToken)
    /// Another node, which asked for somebody.
    case peer(NodeID, start: UInt64, number: UInt64)
}

/// Commands that were asked for on this node, and those of other nodes that this one, as the leader, has taken.
///
/// ```
///   ask ─► waiting ── leader is another ─► sent ── its answer ──────────────► outcome
///            │  ▲                           │ └── leader lost, and silence ─► unknown
///            │  └── "not the leader" ◄──────┘
///            └──── leader is this node ──► here ── outcome ─────────────────► outcome
/// ```
///
/// A command is for the leader of one term, and numbered: that leader takes it once, however often it comes, and no other takes it.
/// Whatever happens, the caller is told something when its time is over.
struct CommandBook: Sendable {
    struct Asked: Sendable {
        let token: RequestToken
        let command: OperatorCommand
        let deadline: ClockReading
        var standing = Standing.waiting
    }

    enum Standing: Sendable {
        /// For a leader.
        case waiting
        /// It is being carried out by this node.
        case here
        case sent(Sent)
    }

    struct Sent: Sendable {
        let number: UInt64
        let leader: NodeID
        let term: Term
        /// The last time.
        var at: ClockReading
        /// Since when the leader is known to be none any more; its answer may still be on its way.
        var lostAt: ClockReading?
    }

    /// What came from another node in this term.
    private struct Served: Sendable {
        let node: NodeID
        let start: UInt64
        let number: UInt64
        var outcome: CommandOutcome?
    }

    /// Operators are few; more at a time are refused.
    static let askedCountMax = 64
    private static let servedCountMax = 256

    private(set) var asked: [Asked] = []
    private var served: [Served] = []
    private var lastNumber: UInt64 = 0

    // MARK: Asked here

    /// - Returns: false if too many wait.
    mutating func add(_ entry: Asked) -> Bool {
        guard asked.count < Self.askedCountMax else { return false }
        asked.append(entry)
        return true
    }

    subscript(token: RequestToken) -> Asked? {
        get { asked.first { $0.token == token } }
        set {
            asked.removeAll { $0.token == token }
            if let newValue { asked.append(newValue) }
        }
    }

    /// The one that was sent under that number.
    func sent(_ number: UInt64) -> Asked? {
        asked.first { if case .sent(let sent) = $0.standing { sent.number == number } else { false } }
    }

    mutating func nextNumber() -> UInt64 {
        lastNumber += 1
        return lastNumber
    }

    // MARK: Of others

    enum Taking: Sendable {
        case new
        /// It is being carried out.
        case known
        case answered(CommandOutcome)
        case full
    }

    mutating func take(from node: NodeID, start: UInt64, number: UInt64) -> Taking {
        if let known = served.first(where: { $0.node == node && $0.start == start && $0.number == number }) {
            return known.outcome.map { .answered($0) } ?? .known
        }
        if served.count >= Self.servedCountMax {
            guard let old = served.firstIndex(where: { $0.outcome != nil }) else { return .full }
            served.remove(at: old)
        }
        served.append(Served(node: node, start: start, number: number))
        return .new
    }

    mutating func answered(_ node: NodeID, start: UInt64, number: UInt64, _ outcome: CommandOutcome) {
        guard let place = served.firstIndex(where: { $0.node == node && $0.start == start && $0.number == number }) else {
            return
        }
        served[place].outcome = outcome
    }

    /// The term is over: what belonged to it is not taken any more.
    mutating func forgetServed() { served = [] }
}
