/// Reads that wait until a quorum confirms that this node still leads (thesis, 6.4).
///
/// Reads are batched by position: those that came since the last round share the next one, and a confirmed position confirms all
/// before it. Positions grow, from one start of the node to the next too, so that none is ever used twice.
struct ReadQueue: Sendable {
    struct Batch: Sendable {
        let position: UInt64
        /// Up to this position of its own the node's own readers wait; nil: none of them.
        var local: UInt64?
        var remote: [(node: NodeID, position: UInt64)]
        /// The commit index when the round began.
        let index: LogIndex
    }

    /// This node's own reads, counted by rounds of any kind.
    private(set) var localPosition: UInt64
    private let firstPosition: UInt64
    /// The newest round.
    private(set) var sentPosition: UInt64 = 0
    private var hasOpenLocal = false
    private var openRemote: [(node: NodeID, position: UInt64)] = []
    private(set) var batches: [Batch] = []
    /// Rounds that a leader elsewhere has been asked for, up to this local position.
    var isForwarding = false

    init(start: UInt64) {
        // More rounds than fit between two starts would take centuries.
        firstPosition = start << 40
        localPosition = firstPosition
    }

    /// Whether a position was given out since this node started.
    func hasGivenOut(_ position: UInt64) -> Bool { position > firstPosition && position <= localPosition }

    /// Reads wait for the next round.
    var isOpen: Bool { hasOpenLocal || !openRemote.isEmpty }

    /// - Returns: the position whose confirmation the read waits for.
    mutating func add() -> UInt64 {
        if !hasOpenLocal {
            hasOpenLocal = true
            localPosition += 1
        }
        return localPosition
    }

    mutating func add(remote node: NodeID, position: UInt64) {
        if let place = openRemote.firstIndex(where: { $0.node == node }) {
            openRemote[place].position = max(openRemote[place].position, position)
        } else {
            openRemote.append((node, position))
        }
    }

    mutating func beginRound(at index: LogIndex) {
        sentPosition += 1
        batches.append(
            Batch(position: sentPosition, local: hasOpenLocal ? localPosition : nil, remote: openRemote, index: index))
        hasOpenLocal = false
        openRemote = []
    }

    /// The waiting reads go to the leader. - Returns: their position.
    mutating func forward() -> UInt64 {
        hasOpenLocal = false
        isForwarding = true
        return localPosition
    }

    mutating func take(upTo position: UInt64) -> [Batch] {
        let end = batches.firstIndex { $0.position > position } ?? batches.count
        let done = Array(batches[..<end])
        batches.removeFirst(end)
        return done
    }

    /// - Returns: whether any of this node's own reads was waiting.
    mutating func fail() -> Bool {
        defer {
            hasOpenLocal = false
            openRemote = []
            batches = []
            isForwarding = false
        }
        return hasOpenLocal || isForwarding || batches.contains { $0.local != nil }
    }
}

extension RaftCore {
    /// Asks for an index that a linearizable read may be served at, as soon as it is applied here. Many calls share one round.
    ///
    /// - Returns: the position to wait for in `Ready.reads`; or it is named by `Ready.failedReads`, and the read has to ask again.
    /// - Throws: `notLeader(nil)` while no leader is known, `removed`.
    package mutating func readIndex() throws(ProposalRefusal) -> UInt64 {
        guard !isRemoved else { throw .removed }
        guard role == .leader || leader != nil else { throw .notLeader(nil) }
        return reads.add()
    }

    /// Begins a round for the reads that wait, or asks the leader for one.
    mutating func flushReads() {
        guard reads.isOpen else { return }
        guard role == .leader else {
            guard let leader else { return }
            send(.readIndex(position: reads.forward()), to: leader)
            return
        }
        // Before its first commit a leader may not know of all that is committed (thesis, 6.4).
        guard log.term(at: log.commit) == term || settings.mutations.contains(.readsBeforeFirstCommit) else { return }
        // Heartbeats repeat the newest round, so that it is confirmed although messages are lost, and the earlier ones with it.
        guard openReadRounds < settings.readRoundCountMax else { return }
        reads.beginRound(at: log.commit)
        if let position = peerPosition(id) { peers[position].readPosition = reads.sentPosition }
        broadcastHeartbeat()
        confirmReads()
    }

    mutating func confirmReads() {
        let confirmed =
            settings.mutations.contains(.readsWithoutQuorum)
            ? reads.sentPosition
            : electorate.reached { node in peers.first { $0.node == node }?.readPosition ?? 0 }
        for batch in reads.take(upTo: confirmed) {
            if let local = batch.local { ready.reads.append(ConfirmedRead(position: local, index: batch.index)) }
            for request in batch.remote {
                send(.readIndexResponse(position: request.position, index: batch.index), to: request.node)
            }
        }
    }

    mutating func confirmForwardedReads(upTo position: UInt64, index: LogIndex) {
        guard reads.hasGivenOut(position) || settings.mutations.contains(.reusesReadPositions) else { return }
        if position == reads.localPosition { reads.isForwarding = false }
        ready.reads.append(ConfirmedRead(position: position, index: index))
    }

    /// The leader that was to confirm them is one no more, or no longer the one.
    mutating func failReads() {
        if reads.fail() { ready.failedReads = reads.localPosition }
    }
}
