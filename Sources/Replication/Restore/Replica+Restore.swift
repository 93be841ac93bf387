import Raft

/// Replacements of the state, as the leader and whoever sends the log see them.
extension Replica {
    mutating func take(_ restore: RestoreState) {
        self.restore = restore
        core.retire(upTo: restore.settled)
    }

    /// Lets the files of replacements go that every member has applied: none will ask for them any more. Not while members change: who comes
    /// is looked at before, and might not count here yet.
    mutating func settleRestores() {
        guard !restore.unsettled.isEmpty, membership == nil, !core.hasUnappliedChange,
            settledRestoresAt.map({ now.milliseconds(since: $0) >= settings.membership.stepMilliseconds }) ?? true
        else { return }
        var everywhere = applied
        for member in core.configuration.members where member != node && !settings.mutations.contains(.settlesEarly) {
            guard let status = manager.peer(member)?.status else { return }
            everywhere = min(everywhere, status.applied)
        }
        guard let last = restore.unsettled.last(where: { $0.index <= everywhere }) else { return }
        settledRestoresAt = now
        do throws(ProposalRefusal) { _ = try core.propose(Command.settleRestores(last.index).encoded()) } catch {
            // It is tried again.
        }
    }
}
