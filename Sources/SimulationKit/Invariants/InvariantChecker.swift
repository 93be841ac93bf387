import Metadata
import Raft

/// Watches a cluster and says what is wrong: the invariants of docs/simulation.md, each checked by code that shares nothing with what it
/// checks, at the moment when it could first be broken. What a check costs does not grow with the run.
///
/// It sees everything that goes in and out of the cores, the logs and the state machines; the driver calls it:
///
///     recovered ─► started ─► (appending │ sending │ applying)… ─► inspect      after each event of a node
///     writing ─► synchronized                                        when its disk has done something
///     applied                                                        when its state machine has
///
/// An extension for each subject: elections, the log, commits, promises, applying, clients, limits.
struct InvariantChecker {
    var views: [NodeView]
    var committed: CommittedLog
    var reference: ReferenceReplica

    // Elections.
    var leaders: [Term: NodeID] = [:]
    var votes: [VoteKey: NodeID] = [:]
    /// By index: the digest that each term's entry there must have.
    var knownDigests: [[(term: Term, digest: UInt64)]] = []

    /// A learner may lack so many entries, and no more, when it becomes a voter.
    let promotionGapCountMax: Int

    /// What clients were told and asked.
    var clients = ClientRecord()
    var bodies = BodyRecord()

    struct VoteKey: Hashable {
        var node: NodeID
        var incarnation: UInt64
        var term: Term
    }

    init(nodes: [NodeID], genesis: ReferenceReplica, promotionGapCountMax: Int) {
        self.promotionGapCountMax = promotionGapCountMax
        views = nodes.map { NodeView($0) }
        reference = genesis
        committed = CommittedLog(genesis: genesis.genesisMark)
    }

    /// Nodes are numbered from 1 on.
    func view(_ node: NodeID) -> NodeView { views[Int(node.rawValue) - 1] }

    mutating func addNode() { views.append(NodeView(NodeID(UInt64(views.count + 1)))) }

    /// After each event of a node.
    mutating func inspect(_ core: RaftCore, incarnation: UInt64, settings: RaftSettings) throws(InvariantViolation) {
        let view = view(core.id)
        try checkTermAndVote(core, view)
        try checkRole(core, view)
        try checkCommit(core, view)
        try checkPositions(core, view)
        try checkConfiguration(core, view)
        try checkOwnMatch(core, view)
        try checkLimits(core, view, settings)
        (view.term, view.vote, view.role) = (core.term, core.vote, core.role)
        (view.commit, view.applied) = (core.commit, core.applied)
        view.snapshot = max(view.snapshot, core.snapshot?.index ?? .zero)
    }
}
