/// Raft (Ongaro and Ousterhout, 2014; Ongaro's thesis) as a value: events go in through its methods, effects come out of `takeReady`.
///
/// It does no I/O and knows no clock; the same events and the same seed give the same effects. It is not safe for concurrent use:
/// one thread owns it.
///
/// **Storage is asynchronous.** Entries and votes leave in `Ready.append`; what the node promises with them (votes,
/// acknowledgements, its own share in a commit) leaves only after `written` has said that they are durable. Messages that promise
/// nothing leave at once, so that a leader's followers write while it writes.
///
/// **Membership** changes when the entry of a change is applied, on each node by itself; nobody tells the core.
package struct RaftCore: Sendable {
    package let id: NodeID
    package internal(set) var settings: RaftSettings

    // What must not be forgotten.
    package internal(set) var term: Term
    package internal(set) var vote: NodeID?
    var log: ReplicaLog

    package internal(set) var role = Role.follower
    package internal(set) var leader: NodeID?
    /// As of the last applied entry.
    package internal(set) var configuration: Configuration
    /// The members, by id; this node among them if it is one.
    package internal(set) var peers: [Progress] = []
    /// Up to where the newest snapshot that followers can be given stands for the log.
    package internal(set) var snapshot: SnapshotMark?

    // Elections.
    var votes: [(node: NodeID, isGranted: Bool)] = []
    var electionElapsed = 0
    var heartbeatElapsed = 0
    package internal(set) var randomizedElectionTicks = 0
    /// Ticks until the campaign that the loss of a connection has called for.
    var fastCampaignCountdown: Int?
    var random: RaftRandom
    /// The log cannot be written in time: this node neither leads nor campaigns.
    package internal(set) var isStorageStalled = false
    /// A member has said that a change removed this node: it does not campaign any more. It answers who asks it, and votes, because who
    /// campaigns may count it among the voters again.
    package internal(set) var isRemoved = false
    /// Nodes that changes have removed, and when; they are told so when they campaign.
    var removedMembers: [(node: NodeID, since: LogIndex)] = []

    // Leading.
    package internal(set) var transferTarget: NodeID?
    /// No change of members is proposed before this one is applied.
    var pendingChangeIndex = LogIndex.zero
    /// A change in the log, up to this index, takes this leader's vote away.
    var leavingIndex: LogIndex?
    var uncommittedByteCount = 0
    /// Entries or a commit index wait to be sent.
    var hasUnsentAppends = false
    var reads: ReadQueue

    // Storage.
    var handedHardState: HardState
    var writes = PendingWrites()
    /// Messages that wait until what is in memory now is durable.
    var responses: [Message] = []
    var unapplied = UnappliedBytes()
    var applyFetch = FetchState.idle
    /// See `retire`.
    var retiredIndex = LogIndex.zero

    var ready = Ready()
    private var shownStanding: Standing

    /// - Parameters:
    ///   - stored: what recovery found; empty for a node that has never run.
    ///   - snapshot: that of the log's base or a newer one; needed if the log has forgotten anything.
    ///   - start: greater than at every earlier start of this node, below 2^24: answers to an earlier self must be told apart.
    ///   - seed: of all that is left to chance.
    /// - Throws: `ConfigurationError` if a stored configuration is none.
    package init(
        id: NodeID, settings: RaftSettings, stored: StoredLog, snapshot: SnapshotMark?, start: UInt64, seed: UInt64
    ) throws(ConfigurationError) {
        precondition(id.rawValue != 0, "node 0 is nobody")
        if let defect = stored.baseConfiguration.defect { throw .invalid(defect) }
        self.id = id
        self.settings = settings
        self.snapshot = snapshot
        term = stored.term
        vote = stored.vote
        log = ReplicaLog(stored, entryOverheadByteCount: settings.entryOverheadByteCount)
        reads = ReadQueue(start: settings.mutations.contains(.reusesReadPositions) ? 0 : start)
        random = RaftRandom(seed: seed)
        configuration = stored.baseConfiguration
        handedHardState = HardState(term: stored.term, vote: stored.vote, commit: stored.commit)
        shownStanding = Standing(role: .follower, term: stored.term, leader: nil)
        for change in log.changes where change.index > stored.configurationIndex && change.index <= log.applied {
            if let next = next(configuration, after: change) { configuration = next }
        }
        rebuildPeers()
        resetElectionTimer()
    }

    // MARK: What is to be seen

    package var lastIndex: LogIndex { log.lastIndex }
    package var lastTerm: Term { log.lastTerm }
    package var commit: LogIndex { log.commit }
    package var applied: LogIndex { log.applied }
    package var durable: LogIndex { log.durable }
    /// The last entry that the log has forgotten.
    package var baseIndex: LogIndex { log.baseIndex }

    /// The log has a change of members that is not in force yet.
    package var hasUnappliedChange: Bool { log.firstChange(after: log.applied) != nil }

    /// Nil for an entry that is forgotten or not there.
    package func term(at index: LogIndex) -> Term? { log.term(at: index) }

    package var standing: Standing { Standing(role: role, term: term, leader: leader) }

    package func progress(of node: NodeID) -> Progress? { peerPosition(node).map { peers[$0] } }

    /// Bytes of entries that this leader has appended and not seen committed.
    package var uncommittedBytes: Int { uncommittedByteCount }

    /// Bytes of the newest entries that are in memory, and the first of them.
    package var cachedBytes: Int { log.cache.byteCount }
    package var firstCachedIndex: LogIndex { log.cache.firstIndex }

    /// Rounds of reads that no quorum has confirmed yet.
    package var openReadRounds: Int { reads.batches.count }

    /// It may be elected: it is a voter, or would be by a change in its log. (A learner whose promotion is not applied may have the only log
    /// that the others could follow; it must win without itself in the configuration that is in force.)
    var isPromotable: Bool {
        guard !isRemoved, !isStorageStalled, !writes.isInstalling else { return false }
        return configuration.hasVoter(id)
            || electorates.contains { $0.incoming.voters.contains(id) || $0.outgoing.voters.contains(id) }
    }

    // MARK: Peers

    func peerPosition(_ node: NodeID) -> Int? {
        // Few enough that a walk is faster than a search.
        for position in peers.indices where peers[position].node == node { return position }
        return nil
    }

    /// Makes the peers those of the configuration; what is known of those that stay is kept.
    mutating func rebuildPeers() {
        let known = peers
        peers = configuration.members.map { node in
            let isLearner = configuration.learners.hasSorted(node)
            if var peer = known.first(where: { $0.node == node }) {
                peer.isLearner = isLearner
                return peer
            }
            // One that has just come is active: it may need a snapshot, which only active ones get. It is given the last entry first, so
            // that there is something to send at once.
            var peer = Progress(node, isLearner: isLearner, next: max(log.lastIndex, LogIndex(1)))
            peer.isActive = true
            return peer
        }
    }

    // MARK: Sending

    mutating func send(_ body: Message.Body, to node: NodeID) {
        send(body, to: node, term: term)
    }

    mutating func send(_ body: Message.Body, to node: NodeID, term: Term) {
        let message = Message(from: id, to: node, term: term, body)
        switch body {
        case .appendResponse, .voteResponse:
            // They promise what is in memory now.
            if settings.mutations.contains(.respondsBeforeDurable), node != id {
                ready.messages.append(message)
            } else {
                responses.append(message)
            }
        case .append, .heartbeat, .heartbeatResponse, .vote, .snapshot, .timeoutNow, .readIndex, .readIndexResponse, .removed:
            ready.messages.append(message)
        }
    }

    // MARK: Effects

    /// All that has come up since the last time; nil if nothing has.
    package mutating func takeReady() -> Ready? {
        flushReads()
        flushAppends()
        handOutWrites()
        handOutEntriesToApply()
        log.trimCache(byteCountMax: settings.cacheByteCountMax)
        if standing != shownStanding {
            shownStanding = standing
            ready.standing = standing
        }
        guard !ready.isEmpty else { return nil }
        let taken = ready
        ready = Ready()
        return taken
    }

    /// Whether `takeReady` would return something. May be true for nothing.
    package var hasReady: Bool {
        !ready.isEmpty || !responses.isEmpty || reads.isOpen || hasUnsentAppends || log.firstUnwritten <= log.lastIndex
            || handedHardState.term != term || handedHardState.vote != vote || canHandOutEntriesToApply
            || standing != shownStanding
    }
}
