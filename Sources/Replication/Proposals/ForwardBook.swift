import Raft

/// Forwards on their way to the leader, and, on a leader, those that have come and who waits to hear of their entries. All of it belongs
/// to one term of one leader.
struct ForwardBook: Sendable {
    /// Sent and not answered.
    struct Outstanding: Sendable {
        let sequence: UInt64
        /// Empty: the forward opens the session.
        let serials: [Serial]
    }

    /// On a leader: who has forwarded, and the newest forward of its newest start.
    struct Source: Sendable {
        let node: NodeID
        var start: UInt64
        var sequence: UInt64
    }

    /// On a leader: a node waits until entries have come so far.
    struct Interest: Sendable {
        let node: NodeID
        /// Entries up to here are waited for on every voter.
        var everywhere = LogIndex.zero
        /// And up to here in the leader's own log.
        var durable = LogIndex.zero
        var toldEverywhere = LogIndex.zero
        var toldDurable = LogIndex.zero
    }

    private(set) var outstanding: [Outstanding] = []
    private var sources: [Source] = []
    var interests: [Interest] = []

    mutating func sent(_ sequence: UInt64, _ serials: [Serial], countMax: Int) {
        // The oldest was lost, or it would have been answered.
        if outstanding.count >= countMax { outstanding.removeFirst() }
        outstanding.append(Outstanding(sequence: sequence, serials: serials))
    }

    mutating func answered(_ sequence: UInt64) -> Outstanding? {
        guard let place = outstanding.firstIndex(where: { $0.sequence == sequence }) else { return nil }
        return outstanding.remove(at: place)
    }

    /// - Returns: whether the forward is later than all that have come from its node.
    mutating func take(from node: NodeID, start: UInt64, sequence: UInt64) -> Bool {
        guard let place = sources.firstIndex(where: { $0.node == node }) else {
            sources.append(Source(node: node, start: start, sequence: sequence))
            return true
        }
        guard (start, sequence) > (sources[place].start, sources[place].sequence) else { return false }
        sources[place].start = start
        sources[place].sequence = sequence
        return true
    }

    mutating func interest(_ node: NodeID, everywhere: LogIndex = .zero, durable: LogIndex = .zero) {
        guard everywhere > .zero || durable > .zero else { return }
        let place = interests.firstIndex { $0.node == node } ?? interests.count
        if place == interests.count { interests.append(Interest(node: node)) }
        interests[place].everywhere = max(interests[place].everywhere, everywhere)
        interests[place].durable = max(interests[place].durable, durable)
    }
}
