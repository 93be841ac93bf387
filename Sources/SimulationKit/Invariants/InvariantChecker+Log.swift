import Raft
import Replication

extension InvariantChecker {
    /// A node that belonged to no cluster begins to write its genesis; its core goes on from there when it is durable.
    func founding(_ genesis: Genesis, on node: NodeID) throws(InvariantViolation) {
        guard genesis == reference.genesis else {
            throw InvariantViolation(
                .committedNeverChanges,
                "node \(node) founds the cluster \(genesis.cluster), others \(reference.genesis.cluster)")
        }
        view(node).pending.append(
            .append(
                LogAppend(
                    token: 0, snapshot: genesis.mark, hardState: HardState(term: genesis.mark.term, vote: nil, commit: .zero),
                    entries: [])))
    }

    /// A core hands a write to its log.
    mutating func appending(_ append: LogAppend, by core: RaftCore) throws(InvariantViolation) {
        let view = view(core.id)
        while let first = view.unappliedChanges.first, first <= core.applied { view.unappliedChanges.removeFirst() }
        if let mark = append.snapshot { try restart(view, at: mark) }
        try take(append.entries, view, core.role, core.term)
        view.pending.append(.append(append))
    }

    private func restart(_ view: NodeView, at mark: SnapshotMark) throws(InvariantViolation) {
        guard mark.index >= view.commit else {
            throw InvariantViolation(
                .snapshotsNeverGoBack, "node \(view.id), at commit \(view.commit), installs a snapshot at \(mark.index)")
        }
        if view.memory.entry(at: mark.index)?.term == mark.term, view.memory.last > mark.index {
            // Throwing a fitting tail away is allowed for what is not acknowledged only; nobody does it.
            throw InvariantViolation(
                .snapshotsNeverGoBack, "node \(view.id) drops the entries behind \(mark.index), which fit the snapshot")
        }
        view.memory = try image(restartedAt: mark)
        view.unappliedChanges = []
    }

    /// The driver is told to replace the state; what it was told to apply before comes first.
    func installing(_ mark: SnapshotMark, on node: NodeID) {
        let view = view(node)
        view.handedToApply = mark.index
        view.unappliedEntries = []
    }

    /// - Throws: if the snapshot contains what was never committed.
    func image(restartedAt mark: SnapshotMark) throws(InvariantViolation) -> LogImage {
        guard let digest = committed.digest(at: mark.index),
            mark.index == committed.image.base || committed.image.entry(at: mark.index)?.term == mark.term
        else {
            throw InvariantViolation(
                .committedNeverChanges, "a snapshot ends at \(mark.index) of term \(mark.term), which is not committed so")
        }
        return LogImage(base: mark.index, baseDigest: digest)
    }

    private mutating func take(
        _ entries: [Entry], _ view: NodeView, _ role: Role, _ term: Term
    ) throws(InvariantViolation) {
        guard let first = entries.first else { return }
        if first.index <= view.memory.last {
            guard role != .leader else {
                throw InvariantViolation(
                    .leaderAppendOnly, "node \(view.id) leads term \(term) and replaces its entries from \(first.index) on")
            }
            guard first.index > view.commit else {
                throw InvariantViolation(
                    .committedNeverChanges,
                    "node \(view.id) replaces its entries from \(first.index) on, and had committed up to \(view.commit)")
            }
            view.memory.truncate(from: first.index)
            view.unappliedChanges.removeAll { $0 >= first.index }
        }
        for entry in entries {
            guard entry.index == view.memory.last.next else {
                throw InvariantViolation(
                    .logMatching, "node \(view.id) appends entry \(entry.index) behind entry \(view.memory.last)")
            }
            view.memory.append(entry)
            try checkMatching(entry, view)
            if entry.type == .configurationChange {
                if role == .leader, entry.term == term, let earlier = view.unappliedChanges.last {
                    throw InvariantViolation(
                        .configurationsOverlap,
                        "node \(view.id) proposes a change of members at \(entry.index) before it has applied that at \(earlier)"
                    )
                }
                if role == .leader, entry.term == term { try checkPromotions(entry, view) }
                view.unappliedChanges.append(entry.index)
            }
        }
    }

    /// A learner becomes a voter when it has caught up: else the next decision might have to wait for it.
    private func checkPromotions(_ entry: Entry, _ view: NodeView) throws(InvariantViolation) {
        guard let change = try? ConfigurationChange(decoding: entry.payload) else { return }
        let configuration = committed.configuration(at: committed.last)
        for step in change.steps where step.kind == .addVoter && !configuration.hasVoter(step.node) {
            guard Int(step.node.rawValue) <= views.count else { continue }
            // A disk that was wiped a moment ago held what the leader knows of it.
            let learner = self.view(step.node)
            let gap = committed.last - (learner.former ?? learner.durable).last
            guard gap <= promotionGapCountMax else {
                throw InvariantViolation(
                    .configurationsOverlap,
                    "node \(view.id) makes node \(step.node) a voter that lacks \(gap) committed entries")
            }
        }
    }

    private mutating func checkMatching(_ entry: Entry, _ view: NodeView) throws(InvariantViolation) {
        let place = Int(entry.index.rawValue)
        while knownDigests.count <= place { knownDigests.append([]) }
        let digest = view.memory.lastDigest
        if let known = knownDigests[place].first(where: { $0.term == entry.term }) {
            guard known.digest == digest else {
                throw InvariantViolation(
                    .logMatching,
                    "node \(view.id) has another entry, or another prefix, at \(entry.index) of term \(entry.term) than another node"
                )
            }
        } else {
            knownDigests[place].append((entry.term, digest))
        }
    }

    // MARK: Disk

    /// The log gets a mark that lets it forget what the snapshot contains.
    func compacting(_ mark: SnapshotMark, by node: NodeID) { view(node).pending.append(.compaction(mark)) }

    /// What was appended so far is on its way to the disk.
    ///
    /// - Parameter count: so many pieces of it, oldest first; the log has not taken the others yet.
    func writing(_ node: NodeID, count: Int) { view(node).writtenCount = count }

    /// What was on its way is durable.
    func synchronized(_ node: NodeID) throws(InvariantViolation) {
        let view = view(node)
        for write in view.pending.prefix(view.writtenCount) {
            switch write {
            case .append(let append): try makeDurable(append, view)
            case .compaction(let mark):
                view.durableHardState.commit = max(view.durableHardState.commit, mark.index)
            }
        }
        view.pending.removeFirst(view.writtenCount)
        view.writtenCount = 0
        try checkDurableImage(view)
    }

    private func makeDurable(_ append: LogAppend, _ view: NodeView) throws(InvariantViolation) {
        if let state = append.hardState { try take(state, view) }
        if let mark = append.snapshot {
            view.durable = try image(restartedAt: mark)
            view.durableHardState.commit = max(view.durableHardState.commit, mark.index)
        }
        if let first = append.entries.first { view.durable.truncate(from: first.index) }
        for entry in append.entries {
            guard entry.index == view.durable.last.next else {
                throw InvariantViolation(
                    .durableImageConsistent,
                    "entry \(entry.index) of node \(view.id) is written behind entry \(view.durable.last)")
            }
            view.durable.append(entry)
        }
    }

    private func take(_ state: HardState, _ view: NodeView) throws(InvariantViolation) {
        let before = view.durableHardState
        let keepsVote = state.term > before.term || before.vote == nil || before.vote == state.vote
        guard state.term >= before.term, keepsVote, state.commit >= before.commit else {
            throw InvariantViolation(
                .hardStateMonotonic,
                "the disk of node \(view.id) goes from \(Self.text(before)) to \(Self.text(state))")
        }
        view.durableHardState = state
    }

    private func checkDurableImage(_ view: NodeView) throws(InvariantViolation) {
        let lastTerm = view.durable.entries.last?.term ?? .zero
        guard lastTerm <= view.durableHardState.term else {
            throw InvariantViolation(
                .durableImageConsistent,
                "the disk of node \(view.id) has entries of term \(lastTerm) and a hard state of \(view.durableHardState.term)")
        }
        guard view.durableHardState.commit <= view.durable.last else {
            throw InvariantViolation(
                .durableImageConsistent,
                "the disk of node \(view.id) says commit \(view.durableHardState.commit) and ends at \(view.durable.last)")
        }
    }

    // MARK: Membership

    func checkConfiguration(_ core: RaftCore, _ view: NodeView) throws(InvariantViolation) {
        guard core.configuration != view.configuration || core.applied != view.applied else { return }
        view.configuration = core.configuration
        // While a snapshot is being installed, entries before it may still be applied; their changes are in it.
        guard core.applied >= core.baseIndex, core.applied >= committed.image.base else { return }
        let expected = committed.configuration(at: core.applied)
        guard core.configuration == expected else {
            throw InvariantViolation(
                .configurationsOverlap,
                "node \(core.id) works with voters \(core.configuration.voters) at \(core.applied), the log says \(expected.voters)"
            )
        }
    }
}
