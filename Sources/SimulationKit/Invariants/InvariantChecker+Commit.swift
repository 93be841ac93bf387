import Metadata
import Raft
import Replication

extension InvariantChecker {
    mutating func checkCommit(_ core: RaftCore, _ view: NodeView) throws(InvariantViolation) {
        guard core.commit > view.commit else { return }
        // Whatever is committed here must be what was committed elsewhere.
        let known = min(core.commit, committed.last)
        if known > view.memory.base, view.memory.digest(at: known) != committed.digest(at: known) {
            throw InvariantViolation(
                .committedNeverChanges,
                "node \(core.id) commits another entry at \(known), or another prefix, than was committed")
        }
        guard core.commit > committed.last else { return }
        try checkQuorum(core, view)
        for index in (committed.last.rawValue + 1)...core.commit.rawValue {
            guard let entry = view.memory.entry(at: LogIndex(index)) else {
                throw InvariantViolation(.orderedPositions, "node \(core.id) commits \(index), which its log does not hold")
            }
            let (count, configuration) = (committed.configurations.count, reference.state.configuration)
            try committed.commit(entry, in: core.term)
            let (effects, replacement) = try reference.apply(entry, clients: clients)
            if !effects.isEmpty { try bodies.committed(effects, at: entry.index, in: configuration) }
            if let replacement { try bodies.restored(replacement.file, at: entry.index, in: configuration) }
            if committed.configurations.count > count, let newest = committed.configurations.last {
                try bodies.changed(to: newest.configuration, at: newest.since)
            }
        }
    }

    /// The first node to commit something must lead, and must be right to do so.
    private func checkQuorum(_ core: RaftCore, _ view: NodeView) throws(InvariantViolation) {
        guard core.role == .leader || view.role == .leader else {
            throw InvariantViolation(
                .committedByDurableQuorum, "node \(core.id), no leader, commits \(core.commit), which no leader has committed")
        }
        // Entries of earlier terms are committed by one of this term behind them; a change of members may keep that one waiting.
        guard let held = view.memory.firstIndex(of: core.term, from: core.commit), let digest = view.memory.digest(at: held)
        else {
            throw InvariantViolation(
                .committedByDurableQuorum,
                "node \(core.id) commits \(core.commit) in term \(core.term), and there is no entry of that term from there on")
        }
        for half in [core.configuration.voters, core.configuration.outgoingVoters] where !half.isEmpty {
            let holders = half.filter { holdsDurably($0, held, digest) }
            guard holders.count > half.count / 2 else {
                throw InvariantViolation(
                    .committedByDurableQuorum,
                    "node \(core.id) commits \(core.commit) in term \(core.term); of the voters \(half) only \(holders) have it on disk"
                )
            }
        }
    }

    private func holdsDurably(_ node: NodeID, _ index: LogIndex, _ digest: UInt64) -> Bool {
        guard Int(node.rawValue) <= views.count else { return false }
        // What a disk acknowledged before it was wiped counts, since it can never vote again; what another disk says does not.
        let durable = view(node).former ?? view(node).durable
        return index < durable.base || durable.digest(at: index) == digest
    }

    func checkPositions(_ core: RaftCore, _ view: NodeView) throws(InvariantViolation) {
        let snapshot = core.snapshot?.index ?? .zero
        // A snapshot that has been received is ahead until it is installed.
        let isInstalling = view.pending.contains {
            if case .append(let append) = $0 { append.snapshot != nil } else { false }
        }
        guard core.baseIndex <= max(snapshot, core.applied) || isInstalling, snapshot <= core.applied || isInstalling,
            core.applied <= core.commit, core.commit <= core.lastIndex
        else {
            throw InvariantViolation(
                .orderedPositions,
                "node \(core.id): base \(core.baseIndex), snapshot \(snapshot), applied \(core.applied), commit \(core.commit), "
                    + "last \(core.lastIndex)")
        }
        guard core.lastIndex == view.memory.last else {
            throw InvariantViolation(
                .noInternalError,
                "node \(core.id) says that its log ends at \(core.lastIndex), but wrote up to \(view.memory.last)")
        }
        guard snapshot >= view.snapshot else {
            throw InvariantViolation(
                .snapshotsNeverGoBack, "the snapshot of node \(core.id) goes from \(view.snapshot) to \(snapshot)")
        }
        guard core.applied >= view.applied else {
            throw InvariantViolation(
                .snapshotsNeverGoBack, "node \(core.id) goes back from applied \(view.applied) to \(core.applied)")
        }
    }
}
