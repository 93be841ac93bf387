import Raft

extension InvariantChecker {
    /// A node's disk is another one: nothing that the old one held or promised is asked of it.
    ///
    /// - Parameter wasMember: the old one was a member's, so that the node's id is lost with it.
    mutating func wiped(_ node: NodeID, wasMember: Bool) {
        guard wasMember else {
            views[Int(node.rawValue) - 1] = NodeView(node)
            return
        }
        let former = view(node).former ?? view(node).durable
        views[Int(node.rawValue) - 1] = NodeView(node)
        view(node).isWiped = true
        view(node).former = former
    }

    /// A node has lost its process.
    func stopped(_ node: NodeID) {
        let view = view(node)
        view.isUp = false
        view.role = .follower
    }

    /// A node's log has been opened again: it holds what was durable, and perhaps some of what was on its way.
    ///
    /// - Parameter log: all that the log holds.
    func recovered(_ node: NodeID, _ state: HardState, _ log: LogImage) throws(InvariantViolation) {
        let view = view(node)
        try checkSurvival(state, log, view)
        restore(view, state, log)
    }

    /// What an installation had left undone was completed.
    func repaired(_ node: NodeID, _ state: HardState, _ log: LogImage) {
        restore(view(node), state, log)
    }

    /// The genesis is the state and the base of the log.
    func founded(_ node: NodeID, _ state: HardState, _ log: LogImage) {
        restore(view(node), state, log)
        view(node).handedToApply = log.base
    }

    private func restore(_ view: NodeView, _ state: HardState, _ log: LogImage) {
        view.memory = log
        view.durable = log
        view.durableHardState = state
        view.pending = []
        view.writtenCount = 0
        view.unappliedEntries = []
    }

    /// A core begins with what its log and state hold.
    func started(_ node: NodeID, _ core: RaftCore) throws(InvariantViolation) {
        let view = view(node)
        guard core.term == view.durableHardState.term, core.vote == view.durableHardState.vote else {
            throw InvariantViolation(
                .hardStateMonotonic,
                "node \(node) starts in term \(core.term), its disk says \(Self.text(view.durableHardState))")
        }
        view.isUp = true
        (view.term, view.vote, view.commit, view.role) = (core.term, core.vote, core.commit, core.role)
        (view.applied, view.handedToApply) = (core.applied, core.applied)
        view.snapshot = .zero
        view.configuration = core.configuration
        view.unappliedChanges =
            view.memory.entries.filter { $0.type == .configurationChange && $0.index > core.applied }.map(\.index)
    }

    /// Walks through all that the disk may say after a crash: what was durable, then the records that were on their way, in order.
    private func checkSurvival(_ state: HardState, _ log: LogImage, _ view: NodeView) throws(InvariantViolation) {
        var image = view.durable
        var expected = view.durableHardState
        func fits() -> Bool {
            image.last == log.last && image.lastDigest == log.lastDigest && expected.term == state.term
                && expected.vote == state.vote
        }
        var isFound = fits()
        for write in view.pending where !isFound {
            switch write {
            case .compaction: continue
            case .append(let append):
                if let next = append.hardState {
                    expected = next
                    isFound = isFound || fits()
                }
                if let mark = append.snapshot {
                    image = try self.image(restartedAt: mark)
                    isFound = isFound || fits()
                }
                if let first = append.entries.first {
                    image.truncate(from: first.index)
                    isFound = isFound || fits()
                }
                for entry in append.entries where !isFound {
                    image.append(entry)
                    isFound = fits()
                }
            }
        }
        guard isFound else {
            throw InvariantViolation(
                .damageIsNotTruncation,
                "node \(view.id) restarts with \(Self.text(state)) and a log up to \(log.last), which its disk cannot say: durable was "
                    + "\(Self.text(view.durableHardState)) and a log up to \(view.durable.last)")
        }
        guard state.commit >= view.durableHardState.commit else {
            throw InvariantViolation(
                .damageIsNotTruncation,
                "node \(view.id) restarts with commit \(state.commit); durable was \(view.durableHardState.commit)")
        }
    }
}
