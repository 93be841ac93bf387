import Raft

/// How the nodes of one `add-nodes` begin and behave.
struct TranscriptNodeOptions {
    var settings = RaftSettings()
    var image = TranscriptNode.Image(
        mark: SnapshotMark(index: .zero, term: .zero, configuration: Configuration()), content: [])
    /// The log and the state machine are threads of their own, which commands run.
    var storageIsAsynchronous = false
    /// A leader would serve reads by its lease: nobody may forget it then. (The core itself has no leases.)
    var readsByLease = false

    /// The arguments that `init` understands.
    static let keys = [
        "voters", "learners", "index", "content", "async-storage-writes", "prevote", "checkquorum", "inflight", "max-inflight",
        "max-inflight-bytes", "max-size-per-msg", "max-committed-size-per-ready", "max-uncommitted-size",
        "disable-conf-change-validation", "step-down-on-removal", "read-only", "priority", "leave-in-order",
        "tell-removed-nodes",
        "guard-living-quorum",
    ]

    /// Unlike those of the product, nodes of scripts have no limits and no safeguards besides those asked for.
    init(_ command: TranscriptCommand) throws(TranscriptError) {
        settings.electionTicks = 3
        settings.heartbeatTicks = 1
        settings.usesPreVote = try command.flag("prevote") ?? false
        settings.checksQuorum = try command.flag("checkquorum") ?? false
        settings.priority = try command.count("priority") ?? 0
        settings.inflightCountMax = try command.count(command.has("inflight") ? "inflight" : "max-inflight") ?? .max
        settings.inflightByteCountMax = try command.count("max-inflight-bytes") ?? .max
        // Limits of a script are bytes of payload.
        settings.entryOverheadByteCount = 0
        settings.messageByteCountMax = try command.count("max-size-per-msg") ?? .max
        settings.uncommittedByteCountMax = try command.count("max-uncommitted-size") ?? .max
        settings.proposalByteCountMax = .max
        settings.applyByteCountMax = try command.count("max-committed-size-per-ready") ?? .max
        settings.unappliedByteCountMax = settings.applyByteCountMax
        settings.cacheByteCountMax = .max
        settings.batchesAppends = false
        settings.validatesChanges = !(try command.flag("disable-conf-change-validation") ?? false)
        settings.stepsDownOnRemoval = try command.flag("step-down-on-removal") ?? false
        settings.leavesInOrder = try command.flag("leave-in-order") ?? false
        settings.tellsRemovedNodes = try command.flag("tell-removed-nodes") ?? false
        settings.guardsLivingQuorum = try command.flag("guard-living-quorum") ?? false
        storageIsAsynchronous = try command.flag("async-storage-writes") ?? false
        // Without threads a write is durable before the same `process-ready` applies.
        if !storageIsAsynchronous { settings.mutations = .appliesBeforeDurable }
        switch try command.value("read-only") {
        case nil, "safe"?: break
        case "lease-based"?: readsByLease = true
        case let text?: throw command.mistake("read-only is safe or lease-based, not \(text)")
        }
        image = try Self.image(command)
    }

    /// The snapshot that the nodes begin with.
    private static func image(_ command: TranscriptCommand) throws(TranscriptError) -> TranscriptNode.Image {
        var configuration = Configuration()
        for text in command.values("voters") { configuration.voters.append(NodeID(try command.number(text, of: "voters"))) }
        for text in command.values("learners") {
            configuration.learners.append(NodeID(try command.number(text, of: "learners")))
        }
        configuration.voters.sort()
        configuration.learners.sort()
        if let defect = configuration.defect { throw command.mistake("\(defect)") }
        guard !(configuration.voters + configuration.learners).contains(NodeID(0)) else {
            throw command.mistake("node 0 is nobody")
        }
        let index = LogIndex(try command.number("index") ?? 0)
        guard index.rawValue < UInt64(Int.max) / 2 else { throw command.mistake("index=\(index) is too large") }
        return TranscriptNode.Image(
            mark: SnapshotMark(index: index, term: Term(index > .zero ? 1 : 0), configuration: configuration),
            content: Array((try command.value("content") ?? "").utf8))
    }
}
