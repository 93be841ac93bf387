/// Why a leader does not take a proposal. Nothing has been appended.
package enum ProposalRefusal: Error, Hashable, Sendable, CustomStringConvertible {
    /// Ask the leader, if there is one.
    case notLeader(NodeID?)
    /// Leadership is being handed over.
    case transferring(to: NodeID)
    /// Too much is on its way to a quorum.
    case tooMuchUncommitted
    case tooLarge(byteCount: Int)
    /// This node is no member any more, or is about to be none.
    case removed

    package var description: String {
        switch self {
        case .notLeader(let leader): leader.map { "not the leader; node \($0) is" } ?? "not the leader; nobody is known to be"
        case .transferring(let node): "leadership is being handed over to node \(node)"
        case .tooMuchUncommitted: "too much is waiting to be committed"
        case .tooLarge(let byteCount): "a proposal of \(byteCount) bytes is too large"
        case .removed: "this node has been removed from the cluster"
        }
    }
}

/// The leader's side: proposals, progress of the followers, commit (Raft paper, sections 5.3 and 5.4).
extension RaftCore {
    // MARK: Proposals

    /// Appends commands, one entry each, at consecutive places.
    ///
    /// - Returns: the place of the first, and the term of all. An entry that is later found there with another term says that the
    ///   proposal was lost.
    package mutating func propose(_ payloads: [[UInt8]]) throws(ProposalRefusal) -> (first: LogIndex, term: Term) {
        try checkProposal(
            payloads.reduce(0) { $0 + $1.count }, count: payloads.count, largest: payloads.reduce(0) { max($0, $1.count) })
        let first = log.lastIndex.next
        for payload in payloads { appendOwnEntry(.normal, payload) }
        broadcastSoon()
        return (first, term)
    }

    /// As above for one command.
    package mutating func propose(_ payload: [UInt8]) throws(ProposalRefusal) -> (index: LogIndex, term: Term) {
        try checkProposal(payload.count, count: 1, largest: payload.count)
        appendOwnEntry(.normal, payload)
        broadcastSoon()
        return (log.lastIndex, term)
    }

    /// Sends new entries and a higher commit index to all, with all else that comes up until `takeReady`.
    mutating func broadcastSoon() {
        if settings.batchesAppends { hasUnsentAppends = true } else { broadcastAppend() }
    }

    mutating func flushAppends() {
        guard hasUnsentAppends else { return }
        hasUnsentAppends = false
        guard role == .leader else { return }
        for position in peers.indices where peers[position].node != id {
            sendAppend(to: position, evenEmpty: peers[position].canTakeCommit(log.commit))
            sendAppends(to: position)
        }
    }

    func checkProposal(_ payloadByteCount: Int, count: Int, largest: Int) throws(ProposalRefusal) {
        guard !isRemoved else { throw .removed }
        // Its log must not grow beyond the change that removes it: nobody could be elected whose log is shorter, and it could not either.
        if leavingIndex != nil { throw .removed }
        guard role == .leader, peerPosition(id) != nil else { throw .notLeader(role == .leader ? nil : leader) }
        if let transferTarget { throw .transferring(to: transferTarget) }
        guard largest <= settings.proposalByteCountMax else { throw .tooLarge(byteCount: largest) }
        let byteCount = payloadByteCount + count * settings.entryOverheadByteCount
        // A single one passes on an idle system, however large.
        let isIdle = uncommittedByteCount == 0 || byteCount == 0
        guard isIdle || uncommittedByteCount + byteCount <= settings.uncommittedByteCountMax else {
            throw .tooMuchUncommitted
        }
    }

    mutating func appendOwnEntry(_ type: EntryType, _ payload: [UInt8]) {
        let entry = Entry(index: log.lastIndex.next, term: term, type: type, payload: payload)
        uncommittedByteCount += settings.byteCount(of: entry)
        log.append(entry)
    }

    // MARK: Sending entries

    mutating func broadcastAppend() {
        for position in peers.indices where peers[position].node != id { sendAppend(to: position, evenEmpty: true) }
    }

    /// As many messages as there are entries and room in the window.
    mutating func sendAppends(to position: Int) {
        while sendAppend(to: position, evenEmpty: false) {}
    }

    @discardableResult
    mutating func sendAppend(to position: Int, evenEmpty: Bool) -> Bool {
        guard !peers[position].isPaused, peers[position].fetch == .idle else { return false }
        let next = peers[position].next
        let isForgotten = next <= log.baseIndex.next && settings.mutations.contains(.ignoresBase) && log.baseIndex > .zero
        let isRetired = next <= retiredIndex && !settings.mutations.contains(.sendsRetired)
        guard log.term(at: next.previous) != nil, !isRetired, !isForgotten else { return sendSnapshot(to: position) }
        guard next <= log.lastIndex, !(peers[position].state == .replicate && isWindowFull(position)) else {
            if evenEmpty { sendEntries([], to: position) }
            return evenEmpty
        }
        guard log.cache.has(next) else {
            peers[position].fetch = .underWay
            ready.fetches.append(
                LogFetch(
                    purpose: .peer(peers[position].node), first: next, last: log.cache.firstIndex.previous,
                    byteCountMax: settings.messageByteCountMax))
            return false
        }
        sendEntries(
            Array(log.cache.entries(from: next, to: log.lastIndex, byteCountMax: settings.messageByteCountMax)), to: position)
        return true
    }

    /// Whoever lacks an entry up to that one gets a snapshot from now on, though the log may have it yet: what is needed to apply it is gone.
    /// Such a snapshot must contain the entry.
    package mutating func retire(upTo index: LogIndex) { retiredIndex = max(retiredIndex, index) }

    /// Entries behind this one are sent; whoever lacks an earlier one gets a snapshot.
    package var sendingBase: LogIndex { max(log.baseIndex, retiredIndex) }

    private func isWindowFull(_ position: Int) -> Bool {
        peers[position].inflights.isFull(settings) && !settings.mutations.contains(.ignoresWindow)
    }

    /// - Precondition: the entry before `next` is known.
    mutating func sendEntries(_ entries: [Entry], to position: Int) {
        let previous = peers[position].next.previous
        guard let previousTerm = log.term(at: previous) else { return }
        send(
            .append(
                AppendRequest(
                    previousIndex: previous, previousTerm: previousTerm, commit: log.commit, entries: entries)),
            to: peers[position].node)
        peers[position].sent(upTo: previous + entries.count, byteCount: settings.byteCount(of: entries), settings)
        if settings.mutations.contains(.ignoresWindow) { peers[position].awaitsProbe = false }
        peers[position].sentCommit = log.commit
    }

    private mutating func sendSnapshot(to position: Int) -> Bool {
        // One that is gone would keep the snapshot from those that are there.
        guard peers[position].isActive, let snapshot else { return false }
        precondition(snapshot.index >= log.baseIndex, "the log has forgotten more than a snapshot contains")
        peers[position].becomeSnapshot(snapshot.index)
        send(.snapshot(snapshot), to: peers[position].node)
        return true
    }

    // MARK: Answers

    mutating func receiveAppendResponse(_ response: AppendResponse, from node: NodeID) {
        guard let position = peerPosition(node) else { return }
        peers[position].isActive = true
        if let rejection = response.rejection {
            // The follower's entry there may be of a later term than ours: what lies behind our last entry of no later term cannot agree.
            let hint = log.newestEntry(upTo: rejection.hintIndex, term: rejection.hintTerm).index
            if peers[position].backtrack(rejected: response.index, hint: hint) {
                if peers[position].state == .replicate { peers[position].becomeProbe() }
                sendAppend(to: position, evenEmpty: true)
            }
            return
        }
        let wasPaused = peers[position].isPaused
        let isNews = peers[position].acknowledge(response.index)
        guard isNews || (peers[position].match == response.index && peers[position].state == .probe) else { return }
        switch peers[position].state {
        case .probe: peers[position].becomeReplicate()
        case .snapshot:
            // From there on the log can be continued.
            if peers[position].match >= log.baseIndex {
                peers[position].becomeProbe()
                peers[position].becomeReplicate()
            }
        case .replicate: peers[position].inflights.remove(upTo: response.index)
        }
        if advanceCommit() {
            broadcastSoon()
        } else if wasPaused {
            sendAppend(to: position, evenEmpty: true)
        }
        // An answer may have made room for several.
        if settings.batchesAppends {
            hasUnsentAppends = true
        } else {
            if peers[position].canTakeCommit(log.commit) { sendAppend(to: position, evenEmpty: true) }
            sendAppends(to: position)
        }
        if node == transferTarget, peers[position].match == log.lastIndex { send(.timeoutNow, to: node) }
    }

    /// This node's own log is durable up to there.
    mutating func acknowledgeSelf(_ index: LogIndex) {
        guard let position = peerPosition(id), peers[position].acknowledge(index) else { return }
        if advanceCommit() { broadcastSoon() }
    }

    /// Entries of this term are committed by counting, and all before them with them (Raft paper, section 5.4.2).
    ///
    /// What follows a change of members is counted by the configuration that the change makes, so that it waits until the change is
    /// applied here: see docs/decisions/0003-membership-when-applied.md.
    mutating func advanceCommit() -> Bool {
        let held = min(electorate.committed { node in peers.first { $0.node == node }?.match }, log.lastIndex)
        guard held > log.commit, log.term(at: held) == term || settings.mutations.contains(.commitsEarlierTerms) else {
            return false
        }
        var index = held
        if let change = log.firstChange(after: log.applied), !settings.mutations.contains(.commitsBeyondChanges) {
            index = min(held, change)
        }
        guard index > log.commit else { return false }
        if uncommittedByteCount > 0 { countCommitted(from: log.commit.next, to: index) }
        log.advanceCommit(to: index)
        return true
    }

    private mutating func countCommitted(from first: LogIndex, to last: LogIndex) {
        // Entries of earlier terms were not counted; of this term all are in the cache until they are committed.
        let start = max(first, log.cache.firstIndex)
        guard start <= last else { return }
        let entries = log.cache.entries(from: start, to: last, byteCountMax: .max)
        let byteCount = settings.byteCount(of: entries.lazy.filter { [term] in $0.term == term })
        uncommittedByteCount = max(0, uncommittedByteCount - byteCount)
        if last == log.lastIndex { uncommittedByteCount = 0 }
    }

    // MARK: Heartbeats

    mutating func broadcastHeartbeat() {
        let isUnverified = settings.mutations.contains(.commitsUnverified)
        for peer in peers where peer.node != id {
            let commit = isUnverified ? log.commit : min(peer.match, log.commit)
            send(.heartbeat(Heartbeat(commit: commit, readPosition: reads.sentPosition)), to: peer.node)
        }
    }

    mutating func receiveHeartbeatResponse(_ response: HeartbeatResponse, from node: NodeID) {
        guard let position = peerPosition(node) else { return }
        peers[position].isActive = true
        peers[position].awaitsProbe = false
        // What was lost is sent again; a full window gets one more message, which brings its answer.
        if peers[position].match < log.lastIndex || peers[position].state == .probe {
            sendAppend(to: position, evenEmpty: true)
        }
        if response.readPosition > peers[position].readPosition, response.readPosition <= reads.sentPosition {
            peers[position].readPosition = response.readPosition
            confirmReads()
        }
    }

    // MARK: Reports

    /// Messages to the peer are being lost: find out what it has before sending more.
    package mutating func reportUnreachable(_ node: NodeID) {
        guard role == .leader, let position = peerPosition(node), peers[position].state == .replicate else { return }
        peers[position].becomeProbe()
    }

    /// How the transfer of a snapshot to the peer ended.
    package mutating func reportSnapshot(_ node: NodeID, isReceived: Bool) {
        guard role == .leader, let position = peerPosition(node), peers[position].state == .snapshot else { return }
        if !isReceived { peers[position].pendingSnapshot = nil }
        peers[position].becomeProbe()
        // Received: its answer or a heartbeat's goes on. Not received: no sooner than the next heartbeat either.
        peers[position].awaitsProbe = true
    }

    // MARK: Handing over

    package enum TransferRefusal: Error, Hashable, Sendable {
        case notLeader(NodeID?)
        /// It is no voter, or not a member at all.
        case notVoter(NodeID)
        /// It is not heard from.
        case inactive(NodeID)
    }

    /// Hands leadership over to another voter: it is brought up to date and then told to campaign. Proposals are refused
    /// meanwhile, for an election timeout at most (thesis, 3.10).
    package mutating func transferLeadership(to node: NodeID) throws(TransferRefusal) {
        guard role == .leader else { throw .notLeader(leader) }
        guard let position = peerPosition(node), configuration.hasVoter(node) else { throw .notVoter(node) }
        guard node != id else {
            endTransfer()
            return
        }
        guard transferTarget != node else { return }
        guard peers[position].isActive || !settings.checksQuorum else { throw .inactive(node) }
        electionElapsed = 0
        transferTarget = node
        if peers[position].match == log.lastIndex {
            send(.timeoutNow, to: node)
        } else {
            sendAppend(to: position, evenEmpty: true)
        }
    }

    /// This node leads on.
    mutating func endTransfer() {
        guard transferTarget != nil else { return }
        transferTarget = nil
        leaveJointIfDue()
    }
}
