import Raft

extension InvariantChecker {
    func checkTermAndVote(_ core: RaftCore, _ view: NodeView) throws(InvariantViolation) {
        guard core.term >= view.term else {
            throw InvariantViolation(.hardStateMonotonic, "node \(core.id) fell from term \(view.term) to \(core.term)")
        }
        if core.term == view.term, let vote = view.vote, core.vote != vote {
            throw InvariantViolation(
                .hardStateMonotonic,
                "node \(core.id) voted for \(vote) in term \(core.term), and now says \(core.vote.map { "\($0)" } ?? "nobody")")
        }
        guard core.commit >= view.commit else {
            throw InvariantViolation(.hardStateMonotonic, "node \(core.id) fell from commit \(view.commit) to \(core.commit)")
        }
    }

    mutating func checkRole(_ core: RaftCore, _ view: NodeView) throws(InvariantViolation) {
        guard core.role == .leader, view.role != .leader || view.term != core.term else { return }
        if let other = leaders[core.term], other != core.id {
            throw InvariantViolation(.oneLeaderPerTerm, "node \(core.id) leads term \(core.term), and so does node \(other)")
        }
        leaders[core.term] = core.id
        // It counted its own vote, so that must be on its disk.
        guard view.durableHardState.term == core.term, view.durableHardState.vote == core.id else {
            throw InvariantViolation(
                .promisesAfterSync,
                "node \(core.id) leads term \(core.term) by its own vote, but its disk says \(Self.text(view.durableHardState))"
            )
        }
        let last = committed.last(before: core.term)
        if last > view.memory.base, view.memory.digest(at: last) != committed.digest(at: last) {
            throw InvariantViolation(
                .leaderCompleteness,
                "node \(core.id) leads term \(core.term) without the committed entry \(last) of an earlier term")
        }
    }

    /// A vote leaves a node.
    mutating func checkVote(
        from node: NodeID, incarnation: UInt64, to candidate: NodeID, term: Term
    ) throws(InvariantViolation) {
        let key = VoteKey(node: node, incarnation: incarnation, term: term)
        if let other = votes[key], other != candidate {
            throw InvariantViolation(
                .oneVotePerTerm, "node \(node) votes for \(candidate) in term \(term), and voted for \(other) before")
        }
        votes[key] = candidate
        let durable = view(node).durableHardState
        guard durable.term > term || (durable.term == term && durable.vote == candidate) else {
            throw InvariantViolation(
                .promisesAfterSync,
                "the vote of node \(node) for \(candidate) in term \(term) leaves while its disk says \(Self.text(durable))")
        }
    }

    static func text(_ state: HardState) -> String {
        "term \(state.term), vote \(state.vote.map { "\($0)" } ?? "none"), commit \(state.commit)"
    }
}
