import Raft
import Replication

extension InvariantChecker {
    /// A message of a core leaves its node.
    mutating func sending(
        _ body: Message.Body, term: Term, from node: NodeID, incarnation: UInt64, to receiver: NodeID, settings: RaftSettings
    ) throws(InvariantViolation) {
        switch body {
        case .voteResponse(let response):
            if response.isGranted, !response.isPreVote {
                try checkVote(from: node, incarnation: incarnation, to: receiver, term: term)
            }
        case .appendResponse(let response):
            try checkAcknowledgement(response, term: term, from: node)
        case .append(let request):
            try checkSize(request, from: node, settings)
        case .heartbeat, .heartbeatResponse, .vote, .snapshot, .timeoutNow, .readIndex, .readIndexResponse, .removed: break
        }
    }

    private func checkAcknowledgement(
        _ response: AppendResponse, term: Term, from node: NodeID
    ) throws(InvariantViolation) {
        let view = view(node)
        // An answer promises to have forgotten no later term, too.
        guard view.durableHardState.term >= term else {
            throw InvariantViolation(
                .promisesAfterSync,
                "node \(node) answers in term \(term) while its disk says \(Self.text(view.durableHardState))")
        }
        guard response.rejection == nil else { return }
        guard view.durable.last >= response.index else {
            throw InvariantViolation(
                .promisesAfterSync,
                "node \(node) acknowledges \(response.index) in term \(term) while its disk ends at \(view.durable.last)")
        }
    }

    private func checkSize(
        _ request: AppendRequest, from node: NodeID, _ settings: RaftSettings
    ) throws(InvariantViolation) {
        guard request.entries.count > 1 else { return }
        let byteCount = settings.byteCount(of: request.entries)
        guard byteCount <= settings.messageByteCountMax else {
            throw InvariantViolation(
                .limitsHold,
                "node \(node) sends \(byteCount) bytes in a message, at most \(settings.messageByteCountMax) may be")
        }
    }

    /// What a leader counts of itself is on its disk.
    func checkOwnMatch(_ core: RaftCore, _ view: NodeView) throws(InvariantViolation) {
        guard core.role == .leader, let own = core.progress(of: core.id) else { return }
        guard own.match <= view.durable.last || own.match == .zero else {
            throw InvariantViolation(
                .promisesAfterSync,
                "node \(core.id) counts its own log up to \(own.match) while its disk ends at \(view.durable.last)")
        }
    }

    // MARK: Limits

    /// A single proposal, and what a leader appends of its own accord: the beginning of its term and the end of a transition.
    private static func largestProposal(_ settings: RaftSettings) -> Int {
        settings.proposalByteCountMax + 3 * settings.entryOverheadByteCount
    }

    func sendingSnapshots(_ count: Int, on node: NodeID, _ settings: SnapshotSettings) throws(InvariantViolation) {
        guard count <= settings.transferCountMax else {
            throw InvariantViolation(
                .limitsHold, "node \(node) sends \(count) snapshots at once, at most \(settings.transferCountMax) may be")
        }
    }

    /// A leader's log is cut.
    ///
    /// - Parameter floor: the last entry that it may forget.
    func keeping(after floor: LogIndex, on core: RaftCore) throws(InvariantViolation) {
        guard core.role == .leader else { return }
        for peer in core.peers {
            guard let snapshot = peer.pendingSnapshot, floor > snapshot else { continue }
            throw InvariantViolation(
                .stallsHarmNobody,
                "node \(core.id) forgets its log up to \(floor) while node \(peer.node) is given a snapshot at \(snapshot)")
        }
    }

    func checkLimits(_ core: RaftCore, _ view: NodeView, _ settings: RaftSettings) throws(InvariantViolation) {
        while let first = view.unappliedEntries.first, first.index <= core.applied { view.unappliedEntries.removeFirst() }
        guard core.cachedBytes <= settings.cacheByteCountMax || core.firstCachedIndex > min(core.durable, core.commit) else {
            throw InvariantViolation(
                .limitsHold,
                "node \(core.id) has \(core.cachedBytes) bytes of entries in memory, at most \(settings.cacheByteCountMax) may be, "
                    + "although all from \(core.firstCachedIndex) to \(min(core.durable, core.commit)) are durable and committed"
            )
        }
        guard core.role == .leader else { return }
        guard core.openReadRounds <= settings.readRoundCountMax else {
            throw InvariantViolation(
                .limitsHold,
                "node \(core.id) has \(core.openReadRounds) rounds of reads under way, at most \(settings.readRoundCountMax) may be"
            )
        }
        for node in core.configuration.members where node != core.id {
            guard let progress = core.progress(of: node) else { continue }
            guard progress.inflights.count <= settings.inflightCountMax else {
                throw InvariantViolation(
                    .limitsHold,
                    "node \(core.id) has \(progress.inflights.count) messages on their way to node \(node), at most "
                        + "\(settings.inflightCountMax) may be")
            }
        }
        // A single proposal may pass the limit on an idle system.
        guard core.uncommittedBytes <= settings.uncommittedByteCountMax + Self.largestProposal(settings) else {
            throw InvariantViolation(
                .limitsHold,
                "node \(core.id) has \(core.uncommittedBytes) uncommitted bytes, at most \(settings.uncommittedByteCountMax) may be"
            )
        }
    }
}
