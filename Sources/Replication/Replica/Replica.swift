package import Raft

/// One node's part in the cluster as a value: joins the Raft core with the sessions, reads, membership and snapshots around it.
///
/// Events go in with a reading of the clock, effects come out of `takeEffects` in the order in which they must be performed. It does no
/// I/O, knows no clock of its own and no global chance: the same events give the same effects. One thread owns it.
///
/// ```
///             events                                    effects
///   peers ──► received ──┐                          ┌─► send
///   clients ► propose ───┤   ┌──────────────────┐   ├─► append ──► log writer ──► logWritten
///             read ──────┼──►│ Replica          │───┼─► apply ───► applier ─────► applied
///   log ────► logWritten ┤   │   └─ RaftCore    │   ├─► complete, completeRead ─► clients
///   applier ► applied ───┤   └──────────────────┘   ├─► takeSnapshot, sendChunk, install …
///   clock ──► tick ──────┘                          └─► standing, note
/// ```
///
/// Several events may go in before the effects are taken: what came together is appended, forwarded and confirmed together.
package struct Replica: Sendable {
    package let identity: NodeIdentity
    package let start: UInt64
    package let settings: ReplicaSettings

    package internal(set) var core: RaftCore
    package internal(set) var phase: Phase
    /// Of the newest event.
    var now = ClockReading.zero

    // The replicated state, as of the last entry that is known to be applied here.
    package internal(set) var applied: LogIndex
    package internal(set) var genesis: Genesis?
    package internal(set) var cluster: ClusterID?
    /// All that ever were members, sorted by node.
    package internal(set) var members: [Member]
    package internal(set) var version: ClusterVersion
    var openSessions: [SessionID]
    /// What the state says of replacements of itself.
    package internal(set) var restore: RestoreState
    /// When this node proposed to settle some.
    var settledRestoresAt: ClockReading?
    /// What the disk said to be committed when the node started.
    let committedAtStart: LogIndex

    var proposals: BatchWriter
    var reads = WaitingReads()
    var forwards = ForwardBook()
    var writes = OutstandingWrites()
    var logSizes: LogSizes
    var snapshots: SnapshotKeeper
    var reception: SnapshotReception?
    var manager = ReplicationManager()
    let configured: [ConfiguredNode]
    let seed: UInt64
    var membership: MembershipOperation?
    var leadershipTransfer: LeadershipTransfer?
    /// What was applied when this leader first saw that the members are in transition.
    var transition: LogIndex?
    var commands = CommandBook()
    var verification: Verification?
    var digests = DigestMarks()
    /// What this node lacks of the bodies.
    package internal(set) var bodies: BodyReport
    /// Since when others say that this node is no member, while no leader speaks to it.
    var removedSince: ClockReading?

    var effects: [ReplicaEffect] = []

    package enum Phase: Sendable {
        /// Empty, and configured for a cluster that does not exist yet.
        case forming(Formation)
        /// The genesis is being written.
        case founding(Genesis)
        /// Empty, until a leader adds it.
        case waiting
        case member
        case stopped(StopReason)
    }

    /// - Throws: if what the disk holds does not belong together; `ReplicaStart.repair` comes first.
    package init(_ begin: ReplicaStart, settings: ReplicaSettings) throws(ReplicaStartError) {
        guard try ReplicaStart.repair(stored: begin.stored, state: begin.state, installed: nil) == .none else {
            throw .stateBeyondLog(applied: begin.state.applied, last: begin.stored.lastIndex)
        }
        guard begin.state.version <= settings.version else { throw .unknownVersion(begin.state.version) }
        identity = begin.identity
        start = begin.start
        self.settings = settings
        configured = begin.configured
        seed = begin.seed
        bodies = begin.bodies
        applied = begin.state.applied
        genesis = begin.state.genesis
        cluster = begin.state.cluster ?? begin.joined
        members = begin.state.members
        version = begin.state.version
        openSessions = begin.state.sessions
        restore = begin.state.restore
        proposals = BatchWriter(session: SessionID(node: begin.identity.node, start: begin.start))
        logSizes = LogSizes(base: begin.stored.baseIndex, last: begin.stored.lastIndex, byteCount: begin.logByteCount)
        let snapshot = begin.snapshot.flatMap { $0.id.index >= begin.stored.baseIndex ? $0 : nil }
        snapshots = SnapshotKeeper(newest: snapshot)
        var stored = begin.stored
        if genesis != nil {
            stored.applied = begin.state.applied
            // What is applied was committed, whether or not the log had written that down.
            stored.commit = max(stored.commit, stored.applied)
        } else {
            // What a node has that was alone came from no log; it is the founder's beginning.
            stored.applied = stored.baseIndex
        }
        committedAtStart = stored.commit
        core = try Self.core(
            begin.identity.node, settings, stored, snapshot?.mark, start: begin.start, seed: begin.seed)
        core.retire(upTo: restore.settled)
        phase = .member
        if cluster == nil { phase = Self.emptyPhase(begin, settings, applied: begin.state.applied) }
        emitContacts()
        if case .founding(let genesis) = phase { effects.append(.found(genesis)) }
    }

    static func core(
        _ node: NodeID, _ settings: ReplicaSettings, _ stored: StoredLog, _ snapshot: SnapshotMark?, start: UInt64,
        seed: UInt64
    ) throws(ReplicaStartError) -> RaftCore {
        var raft = settings.raft
        // The new voters may have bodies to fetch first.
        raft.leavesJointAtOnce = false
        do throws(ConfigurationError) {
            return try RaftCore(id: node, settings: raft, stored: stored, snapshot: snapshot, start: start, seed: seed)
        } catch { throw .configuration(error) }
    }

    var node: NodeID { identity.node }
    var isLeader: Bool { core.role == .leader }

    /// Not founded yet, not stopped.
    var isMember: Bool {
        switch phase {
        case .member: true
        case .forming, .founding, .waiting, .stopped: false
        }
    }

    // MARK: Events

    /// - Parameter now: not before that of an earlier event; an earlier one counts as the same.
    package mutating func handle(_ event: ReplicaEvent, at now: ClockReading) {
        self.now = max(self.now, now)
        if case .stopped(let reason) = phase {
            refuse(event, reason)
            return
        }
        switch event {
        case .tick: tick()
        case .received(let envelope): receive(envelope)
        case .connected(let node): connected(node)
        case .connectionLost(let node):
            manager.lost(node)
            core.connectionLost(to: node)
        case .refused(let identity): manager.refuse(identity, at: now)
        case .turnedAway: if core.leader == nil, removedSince == nil { removedSince = now }
        case .unreachable(let node): core.reportUnreachable(node)
        case .propose(let proposal): propose(proposal)
        case .read(let request): read(request)
        case .command(let token, let command): take(command, .driver(token))
        case .ask(let token, let command, let deadline): ask(token, command, deadline: deadline)
        case .logWritten(let token): logWritten(token)
        case .logFetched(let fetch, let entries): core.fetched(fetch, entries)
        case .logFailed(let detail): stop(.logFailed(detail))
        case .applied(let report): applied(report)
        case .applyFailed(let failure): stop(.applyFailed(failure.description))
        case .bodies(let report):
            let isNews = (report.lackingCount, report.lackingByteCount) != (bodies.lackingCount, bodies.lackingByteCount)
            bodies = report
            // Not with the next tick: what it says later of its log must not be heard before.
            if isNews || core.configuration.isJoint { manager.reportAtOnce() }
            reportNow()
            advanceMembership()
        case .snapshotTaken(let description): snapshotTaken(description)
        case .snapshotFailed(let detail): snapshotFailed(detail)
        case .receptionOpened(let id, let chunkCount): receptionOpened(id, chunkCount)
        case .chunkStored(let id, let number): chunkStored(id, number)
        case .receptionFinished(let id): receptionFinished(id)
        case .receptionFailed(let id, let failure): receptionFailed(id, failure)
        case .chunkUnreadable(let id, let node): chunkUnreadable(id, node)
        case .installed(let token, let state): installed(token, state)
        case .installFailed(let detail): stop(.installFailed(detail))
        case .founded(let genesis): founded(genesis)
        case .stop: stop(.shutdown)
        }
    }

    /// All that has come up since the last time, in the order in which it must be performed.
    package mutating func takeEffects() -> [ReplicaEffect] {
        if isMember {
            repeat { flushProposals() } while performReady()
            tellProgress()
            pumpTransfers()
        }
        defer { effects.removeAll(keepingCapacity: true) }
        return effects
    }

    /// - Returns: false if there was nothing.
    private mutating func performReady() -> Bool {
        guard let ready = core.takeReady() else { return false }
        for message in ready.messages {
            if case .snapshot = message.body {
                offerSnapshot(to: message.to)
            } else {
                send(.raft(message.term, message.body), to: message.to)
            }
        }
        if let append = ready.append { write(append) }
        if !ready.apply.isEmpty { effects.append(.apply(ready.apply)) }
        for fetch in ready.fetches { effects.append(.fetch(fetch)) }
        for read in ready.reads { confirmed(read) }
        if let position = ready.failedReads { reads.fail(upTo: position) }
        if let standing = ready.standing { stood(standing) }
        return true
    }

    // MARK: Time

    private mutating func tick() {
        switch phase {
        case .member:
            core.tick()
            watchDisk()
            tickProposals()
            tickReads()
            tickSnapshots()
            tickMembership()
            tickCommands()
            advanceVerification()
            reportNow()
        case .forming, .waiting, .founding:
            tickProposals()
            tickReads()
            reportNow()
        case .stopped: preconditionFailure("a stopped replica takes no events")
        }
        stopIfRemoved()
    }

    /// A leader would speak to a node that has been added again.
    private mutating func stopIfRemoved() {
        guard core.leader == nil, !isLeader else {
            removedSince = nil
            return
        }
        if core.isRemoved, removedSince == nil { removedSince = now }
        if let removedSince, now.milliseconds(since: removedSince) >= settings.removalMilliseconds { stop(.removed) }
    }

    // MARK: Standing

    /// Role, term or leader changed.
    private mutating func stood(_ standing: Standing) {
        effects.append(.standing(standing))
        forwards = ForwardBook()
        manager.restartSilences(at: now)
        if standing.role != .leader { leadershipLost() }
        standingChangedForProposals()
        standingChangedForReads()
        finishTransferOfLeadership()
        standingChangedForCommands()
        offerWholeReception()
    }

    private mutating func leadershipLost() {
        endTransfers()
        loseMembershipOperation()
        loseVerification()
    }

    // MARK: The end

    /// Ends everything that waits, and takes no further events.
    mutating func stop(_ reason: StopReason) {
        endProposals(reason)
        endReads(reason)
        endCommands(reason)
        phase = .stopped(reason)
        effects.append(.stopped(reason))
    }

    private mutating func refuse(_ event: ReplicaEvent, _ reason: StopReason) {
        switch event {
        case .propose(let proposal): effects.append(.complete(proposal.token, .refused(.stopped(reason))))
        case .read(let request): readWhenStopped(request, reason)
        case .command(let token, _), .ask(let token, _, _): effects.append(.completeCommand(token, .refused(.stopped(reason))))
        case .tick, .received, .connected, .connectionLost, .refused, .turnedAway, .unreachable, .logWritten, .logFetched,
            .logFailed,
            .applied,
            .applyFailed, .bodies, .snapshotTaken, .snapshotFailed, .receptionOpened, .chunkStored, .receptionFinished,
            .receptionFailed, .chunkUnreadable, .installed, .installFailed, .founded, .stop:
            break
        }
    }
}
