/// What a leader knows of one peer, itself included (Raft paper, figure 2: `nextIndex` and `matchIndex`; the states are etcd's).
package struct Progress: Hashable, Sendable {
    package enum State: Hashable, Sendable {
        /// One message at a time, until it is known where the logs agree.
        case probe
        /// Messages follow each other without waiting.
        case replicate
        /// Waits until the peer has taken a snapshot.
        case snapshot
    }

    package var node: NodeID
    package var isLearner: Bool
    package var state = State.probe
    /// Up to here the peer's durable log is known to agree.
    package var match = LogIndex.zero
    /// The next entry to be sent.
    package var next: LogIndex
    /// That of the snapshot under way.
    package var pendingSnapshot: LogIndex?
    /// Something was heard since the last look of check-quorum.
    package var isActive = false
    /// A probe is under way or the window is full; the next heartbeat's answer allows one more message.
    package var awaitsProbe = false
    /// Entries that are not in memory have been asked of the log.
    var fetch = FetchState.idle
    package var inflights = Inflights()
    /// The newest read batch that it has confirmed in this term.
    var readPosition: UInt64 = 0
    /// The highest commit index that was sent.
    var sentCommit = LogIndex.zero

    init(_ node: NodeID, isLearner: Bool, next: LogIndex) {
        self.node = node
        self.isLearner = isLearner
        self.next = next
    }

    /// Nothing can be sent now: a probe is under way, the window is full, or a snapshot has to come first.
    package var isPaused: Bool { state == .snapshot || awaitsProbe }

    mutating func becomeProbe() {
        // A peer that took the snapshot is probed behind it.
        next = max(match, state == .snapshot ? pendingSnapshot ?? match : match).next
        enter(.probe)
        sentCommit = min(sentCommit, next.previous)
    }

    mutating func becomeReplicate() {
        enter(.replicate)
        next = match.next
    }

    mutating func becomeSnapshot(_ index: LogIndex) {
        enter(.snapshot)
        pendingSnapshot = index
        next = index.next
        sentCommit = index
    }

    private mutating func enter(_ state: State) {
        self.state = state
        pendingSnapshot = nil
        awaitsProbe = false
        inflights.removeAll()
    }

    /// Entries up to `last` have left.
    mutating func sent(upTo last: LogIndex, byteCount: Int, _ settings: RaftSettings) {
        switch state {
        case .replicate:
            if last >= next {
                next = last.next
                inflights.add(last, byteCount: byteCount)
            }
            // Sending an empty message to a full window is allowed: it carries the commit index.
            awaitsProbe = inflights.isFull(settings)
        case .probe:
            if last >= next { awaitsProbe = true }
        case .snapshot: preconditionFailure("entries were sent to a peer that awaits a snapshot")
        }
    }

    /// - Returns: false for what is known already.
    mutating func acknowledge(_ index: LogIndex) -> Bool {
        guard index > match else { return false }
        match = index
        next = max(next, index.next)
        awaitsProbe = false
        return true
    }

    /// A higher commit index would tell the peer something of entries that have been sent.
    func canTakeCommit(_ commit: LogIndex) -> Bool { commit > sentCommit && sentCommit < next.previous }

    /// The message that began behind `rejected` did not fit. - Returns: false if that is no news.
    mutating func backtrack(rejected: LogIndex, hint: LogIndex) -> Bool {
        if state == .replicate {
            guard rejected > match else { return false }
            next = match.next
            sentCommit = min(sentCommit, match)
            return true
        }
        // Only the answer to the one probe under way counts.
        guard next.previous == rejected else { return false }
        next = max(min(rejected, hint.next), match.next)
        sentCommit = min(sentCommit, next.previous)
        awaitsProbe = false
        return true
    }
}

/// Whether older entries are being read from the log.
enum FetchState: Hashable, Sendable {
    case idle, underWay
    /// The log did not have them; it is asked again at the next tick.
    case fruitless
}

/// Append messages on their way, by their last index, oldest first.
package struct Inflights: Hashable, Sendable {
    private struct Message: Hashable, Sendable {
        var last: LogIndex
        var byteCount: Int
    }

    private var messages: [Message] = []
    private var start = 0
    private var byteCount = 0

    package var count: Int { messages.count - start }

    package func isFull(_ settings: RaftSettings) -> Bool {
        count >= settings.inflightCountMax || byteCount >= settings.inflightByteCountMax
    }

    mutating func add(_ last: LogIndex, byteCount: Int) {
        messages.append(Message(last: last, byteCount: byteCount))
        self.byteCount += byteCount
    }

    mutating func remove(upTo index: LogIndex) {
        while start < messages.count, messages[start].last <= index {
            byteCount -= messages[start].byteCount
            start += 1
        }
        if start == messages.count {
            messages.removeAll(keepingCapacity: true)
            start = 0
        } else if start > 1024 {
            messages.removeFirst(start)
            start = 0
        }
    }

    mutating func removeAll() {
        messages.removeAll(keepingCapacity: true)
        start = 0
        byteCount = 0
    }
}
