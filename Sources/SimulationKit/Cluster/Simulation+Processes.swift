import FileSystem
import KeyValueStore
import Metadata
import Raft
import RaftStorage
import Replication

/// Starting and stopping a node's process.
extension Simulation {
    enum Loss {
        /// The process dies: what it wrote is in the system's cache.
        case kill
        /// The machine dies: what was not synchronized is lost, kept, or some of it.
        case power
    }

    // MARK: Stopping

    func stop(_ node: SimulatedNode, losing loss: Loss, reason: String) throws(InvariantViolation) {
        guard let process = node.process else { return }
        trace.note(.stopped(reason), node: node.number, at: now)
        node.process = nil
        node.life += 1
        node.pausedUntil = 0
        checker?.stopped(node.id)
        switch loss {
        case .kill:
            node.fileSystem.kill()
            // Its peers see their connections close.
            for peer in process.peers { tellLost(node, peer) }
        case .power:
            node.fileSystem.crash(keeping: drawSurvival())
        }
        loseMemory(node)
        try loseCalls(on: node)
        loseRestores(on: node)
    }

    func drawSurvival() -> FaultyFileSystem.Survival {
        switch diskRandom.next(below: 4) {
        case 0: .nothing
        case 1: .everything
        default: .some(seed: diskRandom.next())
        }
    }

    /// The store writes no log of its own: what it had not flushed is gone with the process.
    private func loseMemory(_ node: SimulatedNode) {
        node.store = InMemoryStore(checkpoint: node.store.durableState())
        if let count = node.reception?.chunks.count, count > 0 {
            node.reception?.chunks.removeLast(diskRandom.next(in: 0...count))
        }
    }

    func scheduleRestart(_ node: SimulatedNode) {
        let delay = random.chance(1, in: 8) ? random.next(in: 500_000...3_000_000) : random.next(in: 5_000...400_000)
        schedule(.restart(node.number), after: isHealing ? 5_000 : UInt64(delay))
    }

    /// The replica goes no further by itself.
    func stopped(_ reason: StopReason, _ node: SimulatedNode) throws(InvariantViolation) {
        switch reason {
        case .removed:
            node.standing = .removed
            try stop(node, losing: .kill, reason: "\(reason)")
        case .logFailed:
            try stop(node, losing: .kill, reason: "\(reason)")
            scheduleRestart(node)
        case .shutdown, .applyFailed, .installFailed:
            throw InvariantViolation(.noInternalError, "node \(node.id) stops: \(reason)")
        }
    }

    // MARK: Starting

    func start(_ node: SimulatedNode) throws(InvariantViolation) {
        let settings = drawReplicaSettings()
        statistics.restartCount += node.startCount > 0 ? 1 : 0
        node.startCount += 1
        // What the store says first, so that a log is never begun for a state that needs the old one.
        let machine = try loadMachine(node, settings)
        let opened: Result<(log: SegmentedLog, recovered: RecoveredLog), LogError>
        do throws(LogError) {
            opened = .success(try openLog(node, settings))
        } catch { opened = .failure(error) }
        switch opened {
        case .failure(let error): try failedToStart(error, node)
        case .success(let (log, recovered)):
            try observeRecovery(node, recovered, log)
            guard let mark = try repair(node, recovered, machine) else {
                return try launch(node, settings, log, recovered, machine)
            }
            let repaired: Result<(log: SegmentedLog, recovered: RecoveredLog), LogError>
            do throws(LogError) {
                try restart(log, behind: mark, recovered.hardState)
                repaired = .success(try openLog(node, settings))
            } catch { repaired = .failure(error) }
            switch repaired {
            case .failure(let error): try failedToStart(error, node)
            case .success(let (log, recovered)):
                try observeRepair(node, mark, recovered)
                try launch(node, settings, log, recovered, machine)
            }
        }
    }

    private func openLog(
        _ node: SimulatedNode, _ settings: ReplicaSettings
    ) throws(LogError) -> (log: SegmentedLog, recovered: RecoveredLog) {
        let identity = LogIdentity(
            clusterID: LogIdentity.ClusterID(high: 1, low: node.incarnation.rawValue), groupID: 0, nodeID: node.id.rawValue)
        return try SegmentedLog.open(
            directory: SimulatedNode.logDirectory, fileSystem: node.fileSystem, identity: identity,
            settings: drawLogSettings(), expecting: node.hadLog ? .existing : .any)
    }

    private func observeRecovery(
        _ node: SimulatedNode, _ recovered: RecoveredLog, _ log: SegmentedLog
    ) throws(InvariantViolation) {
        node.hadLog = true
        guard let checker else { return }
        guard let digest = recovered.baseIndex == .zero ? 0 : checker.committed.digest(at: recovered.baseIndex) else {
            throw InvariantViolation(
                .damageIsNotTruncation,
                "the log of node \(node.id) begins behind \(recovered.baseIndex), which is not committed")
        }
        var image = LogImage(base: recovered.baseIndex, baseDigest: digest)
        do throws(LogError) {
            while image.last < recovered.lastIndex {
                let entries = try log.entries(from: image.last.next, through: recovered.lastIndex, byteCountMax: 1 << 20)
                for entry in entries { image.append(entry) }
            }
        } catch {
            throw InvariantViolation(
                .damageIsNotTruncation, "the log of node \(node.id) was opened and cannot be read: \(error)")
        }
        try checker.recovered(node.id, recovered.hardState, image)
    }

    private func observeRepair(
        _ node: SimulatedNode, _ mark: SnapshotMark, _ recovered: RecoveredLog
    ) throws(InvariantViolation) {
        guard let checker else { return }
        checker.repaired(node.id, recovered.hardState, try checker.image(restartedAt: mark))
    }

    private func repair(
        _ node: SimulatedNode, _ recovered: RecoveredLog, _ machine: ReplicatedStateMachine
    ) throws(InvariantViolation) -> SnapshotMark? {
        do throws(ReplicaStartError) {
            let stored = recovered.stored(applied: machine.appliedIndex)
            switch try ReplicaStart.repair(stored: stored, state: machine.state, installed: node.installedIndex) {
            case .none: return nil
            case .restart(let mark): return mark
            }
        } catch { throw InvariantViolation(.damageIsNotTruncation, "node \(node.id) cannot start: \(error)") }
    }

    private func restart(_ log: SegmentedLog, behind mark: SnapshotMark, _ state: HardState) throws(LogError) {
        let term = max(state.term, mark.term)
        let hardState = HardState(term: term, vote: term == state.term ? state.vote : nil, commit: state.commit)
        try putDurably(LogBatch(snapshot: .installation(mark), hardState: hardState), log)
    }

    private func launch(
        _ node: SimulatedNode, _ settings: ReplicaSettings, _ log: SegmentedLog, _ recovered: RecoveredLog,
        _ machine: ReplicatedStateMachine
    ) throws(InvariantViolation) {
        let start = ReplicaStart(
            identity: NodeIdentity(node.id, node.incarnation), start: node.startCount,
            stored: recovered.stored(applied: machine.appliedIndex), state: machine.state,
            snapshot: node.snapshots.last?.description, configured: configuredNodes(for: node), joined: node.joined,
            logByteCount: log.byteCount, seed: random.next(), bodies: self.settings.hasBodies ? .unknown : .whole)
        var replica: Replica
        do throws(ReplicaStartError) {
            replica = try Replica(start, settings: settings)
        } catch { throw InvariantViolation(.damageIsNotTruncation, "node \(node.id) cannot start: \(error)") }
        try checker?.started(node.id, replica.core)
        let effects = replica.takeEffects()
        let process = NodeProcess(replica: replica, settings: settings, log: log, machine: machine)
        node.process = process
        startBodies(node, process)
        trace.note(.started("log to \(recovered.lastIndex), applied \(machine.appliedIndex)"), node: node.number, at: now)
        schedule(.tick(node.reference), after: UInt64(random.next(in: 1...Int(Self.tickMicroseconds))))
        try perform(effects, of: node, process)
    }

    /// The founders of a fresh cluster know each other; whoever comes later waits to be added.
    private func configuredNodes(for node: SimulatedNode) -> [ConfiguredNode] {
        let founders = nodes.prefix(settings.nodeCount)
        // Where all disks are empty a cluster is founded, as it should be: no operator would start the last one so.
        guard node.number <= settings.nodeCount, founders.contains(where: { !$0.isWiped }) else { return [] }
        return founders.map { ConfiguredNode($0.id) }
    }

    private func failedToStart(_ error: LogError, _ node: SimulatedNode) throws(InvariantViolation) {
        trace.note(.stopped("does not start: \(error)"), node: node.number, at: now)
        if node.fileSystem.isHalted {
            node.fileSystem.crash(keeping: drawSurvival())
            scheduleRestart(node)
            return
        }
        switch error {
        case .refused(let refusal):
            guard node.isDamaged else {
                throw InvariantViolation(
                    .damageIsNotTruncation, "node \(node.id) refuses a log that nothing has damaged: \(refusal)")
            }
            node.standing = .lost
            try checkBodiesExist("the log of node \(node.number) is lost")
        case .file, .failed, .noSpace:
            node.fileSystem.kill()
            scheduleRestart(node)
        case .entryTooLarge, .compacted, .beyondEnd, .queueFull, .closed:
            throw InvariantViolation(.noInternalError, "node \(node.id) cannot open its log: \(error)")
        }
    }

    // MARK: Founding

    /// Gives every node the same genesis before the run.
    func found() throws(InvariantViolation) {
        let members = nodes.map { Member(NodeIdentity($0.id, $0.incarnation)) }
        let genesis = Genesis(
            cluster: ClusterID(settings.seed | 1), index: LogIndex(1), configuration: Configuration(voters: nodes.map(\.id)),
            members: members)
        try beginHistory(genesis)
        for node in nodes {
            var machine = try loadMachine(node, drawReplicaSettings())
            try write(genesis, node, &machine)
            node.cluster = genesis.cluster
            node.installedIndex = genesis.index
        }
    }

    func beginHistory(_ genesis: Genesis) throws(InvariantViolation) {
        self.genesis = genesis
        checker = InvariantChecker(
            nodes: nodes.map(\.id),
            genesis: try ReferenceReplica(genesis: genesis, mutations: mutant?.replication ?? []),
            promotionGapCountMax: Self.promotionGapCountMax)
    }

    /// A node has made the genesis its state, durably: the first to do so says what it is.
    func founding(_ genesis: Genesis, _ node: SimulatedNode) throws(InvariantViolation) {
        if checker == nil {
            try beginHistory(genesis)
            // A disk that was agreed on may have been wiped since then.
            for member in genesis.members {
                guard let founder = self.node(member.node), founder.incarnation != member.identity.incarnation else { continue }
                founder.isWiped = true
                checker?.wiped(founder.id, wasMember: true)
            }
        }
        try checker?.founding(genesis, on: node.id)
        node.cluster = genesis.cluster
    }
}
