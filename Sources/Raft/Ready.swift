/// What the driver has to do, in the order of the fields. Several may be under way at the same time.
package struct Ready: Sendable {
    /// To be sent at once: they promise nothing that is not durable.
    package var messages: [Message] = []
    /// To be written to the log; `RaftCore.written` says when it is durable.
    package var append: LogAppend?
    /// To be applied in order; `RaftCore.applied` says how far that has come.
    package var apply: [Entry] = []
    /// Older entries to be read from the log; `RaftCore.fetched` takes them.
    package var fetches: [LogFetch] = []
    /// Reads that may be served once their index is applied here.
    package var reads: [ConfirmedRead] = []
    /// All reads up to this position that have not been confirmed never will be: ask again.
    package var failedReads: UInt64?
    /// The role or the leader changed; what they are now.
    package var standing: Standing?

    package init() {}

    package var isEmpty: Bool {
        messages.isEmpty && append == nil && apply.isEmpty && fetches.isEmpty && reads.isEmpty && failedReads == nil
            && standing == nil
    }
}

/// One write to the log; writes are made durable in their order.
package struct LogAppend: Hashable, Sendable {
    /// Grows with each.
    package var token: UInt64
    /// The log restarts behind this snapshot, whose state takes the place of the state machine's.
    package var snapshot: SnapshotMark?
    package var hardState: HardState?
    /// Without gaps. The first may lie inside the log: it and what follows is replaced then.
    package var entries: [Entry]

    package init(token: UInt64, snapshot: SnapshotMark?, hardState: HardState?, entries: [Entry]) {
        self.token = token
        self.snapshot = snapshot
        self.hardState = hardState
        self.entries = entries
    }
}

/// A request for entries that are not in memory any more.
package struct LogFetch: Hashable, Sendable {
    package enum Purpose: Hashable, Sendable {
        case peer(NodeID)
        case apply
    }

    package var purpose: Purpose
    package var first: LogIndex
    /// The last one wanted; fewer are enough, at least one.
    package var last: LogIndex
    /// Of payload; a single larger entry comes alone.
    package var byteCountMax: Int
}

/// All reads up to a position may be served from a state that contains `index`.
package struct ConfirmedRead: Hashable, Sendable {
    package var position: UInt64
    package var index: LogIndex
}

package enum Role: Hashable, Sendable, CaseIterable {
    case follower, preCandidate, candidate, leader
}

package struct Standing: Hashable, Sendable {
    package var role: Role
    package var term: Term
    package var leader: NodeID?
}
