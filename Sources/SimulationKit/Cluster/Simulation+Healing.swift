import FileSystem
import KeyValueStore
import Metadata
import Raft
import Replication

/// The end of a run: all faults are over, and what a healthy cluster owes is asked of it (invariants 23 to 25), then of its clients.
extension Simulation {
    /// Virtual time that a healed cluster has to converge, and to take up new members.
    private static let convergenceMicroseconds: UInt64 = 60_000_000
    /// How long a calm cluster is watched.
    private static let calmMicroseconds: UInt64 = 1_000_000

    func heal() throws(InvariantViolation) {
        isHealing = true
        network = Network()
        bodyArrivals = [:]
        for node in nodes {
            node.fileSystem.disarm()
            node.fileSystem.setAvailableByteCount(1 << 40)
            node.isDiskFull = false
            node.diskSlowness = 1
            node.applierSlowness = 1
            node.pausedUntil = 0
            restoreClock(node)
            if node.isUp {
                schedule(.work(node.reference, .retryLog), after: 1_000)
            } else if node.standing == .serves {
                schedule(.restart(node.number), after: 1_000)
            }
        }
        reconnectAll()
        workload.isStopping = true
        // Who has seen two disks under one id founds nothing before an operator starts it again.
        for node in nodes where checker == nil && node.isUp {
            try stop(node, losing: .kill, reason: "an operator starts it again")
            schedule(.restart(node.number), after: 5_000)
        }
        try converge()
        try checkCalm()
    }

    // MARK: Convergence

    private func converge() throws(InvariantViolation) {
        guard hasHealthyQuorum else { return }
        let deadline = now + Self.convergenceMicroseconds
        var nextLook = now
        while true {
            guard try runNext() else { break }
            guard now >= nextLook else { continue }
            nextLook = now + 20_000
            markReplacedDisks()
            // A disk may turn out to be lost only now.
            guard let obstacle = obstacle, hasHealthyQuorum else { return }
            if now > nextOperatorTurn {
                nextOperatorTurn = now + 500_000
                try operatorTurn()
                reconnectAll()
            }
            guard now < deadline else {
                throw InvariantViolation(
                    bodyObstacle == obstacle ? .bodiesAreAsNamed : .convergesWhenHealed,
                    "\(Self.convergenceMicroseconds / 1_000_000) s after healing: \(obstacle)")
            }
        }
    }

    /// A disk may have been wiped between the moment when its node was looked at and the entry that added it: the member is the old one.
    private func markReplacedDisks() {
        for member in checker?.reference.state.members ?? [] {
            guard let node = node(member.node), node.incarnation != member.identity.incarnation else { continue }
            node.isWiped = true
        }
    }

    /// Enough voters of the newest configuration are there to decide. (If not, giving up is legitimate.)
    private var hasHealthyQuorum: Bool {
        guard let checker else { return settings.nodeCount > 0 }
        guard let configuration = checker.committed.configurations.last?.configuration else { return false }
        for half in [configuration.voters, configuration.outgoingVoters] where !half.isEmpty {
            let healthy = half.count { id in
                guard let node = node(id) else { return false }
                return node.standing == .serves && !node.isWiped
            }
            if healthy <= half.count / 2 { return false }
        }
        return true
    }

    /// The members that can be expected to be up to date.
    var healthyMembers: [SimulatedNode] {
        guard let configuration = checker?.committed.configurations.last?.configuration else { return [] }
        return configuration.members.compactMap { id in
            node(id).flatMap { $0.standing == .serves && !$0.isWiped ? $0 : nil }
        }
    }

    /// What is still missing; nil: the cluster has converged.
    private var obstacle: String? {
        guard let checker else { return "nothing is founded" }
        guard let leader = leader(), let core = leader.process?.replica.core else {
            let newest = checker.committed.configurations.last?.configuration ?? Configuration()
            return "nobody leads; voters \(newest.voters) and \(newest.outgoingVoters), learners \(newest.learners)"
        }
        if !workload.calls.isEmpty {
            let call = workload.calls.min { $0.key < $1.key }
            return "a call of client \(call?.value.client ?? 0) on node \(call?.value.node.node ?? 0) has no outcome"
        }
        if hasWaitingCommands { return "a command of an operator has no outcome" }
        if let obstacle = restoreObstacle(leader) { return obstacle }
        guard core.commit == core.lastIndex else { return "node \(leader.number) has not committed all" }
        guard checker.committed.last == core.commit else {
            return "node \(leader.number) has not committed all that was committed"
        }
        for node in healthyMembers {
            guard let process = node.process else { return "node \(node.number) is down" }
            guard process.replica.core.commit == core.commit else {
                return "node \(node.number) has committed \(process.replica.core.commit) of \(core.commit), and the leader "
                    + Self.text(core.progress(of: node.id), core)
            }
            guard process.replica.core.applied == core.commit, process.machine.appliedIndex == core.commit else {
                return "node \(node.number) has applied \(process.machine.appliedIndex) of \(core.commit)"
            }
            guard process.replica.core.leader == leader.id else { return "node \(node.number) follows another leader" }
        }
        return bodyObstacle
    }

    private static func text(_ progress: Progress?, _ core: RaftCore) -> String {
        guard let progress else { return "does not know it" }
        return
            "has it in \(progress.state), match \(progress.match), next \(progress.next), log from \(core.baseIndex.next) on, snapshot "
            + (core.snapshot.map { "\($0.index)" } ?? "none")
    }

    // MARK: Calm

    private func checkCalm() throws(InvariantViolation) {
        guard hasHealthyQuorum, let leader = leader(),
            healthyMembers.count == checker?.committed.configurations.last?.configuration.members.count
        else {
            return
        }
        resumeClients()
        try watch(leader, "nothing is wrong")
        guard healthyMembers.count >= 3 else { return try stopClients() }
        switch random.next(below: 3) {
        case 0: try disturbMinority(leader)
        case 1: try slowFollower(leader)
        default: try stallLeader(leader)
        }
        try stopClients()
    }

    private func resumeClients() {
        workload.isStopping = false
        for client in workload.clients.indices { schedule(.client(client), after: 1_000) }
    }

    private func stopClients() throws(InvariantViolation) {
        workload.isStopping = true
        try converge()
    }

    private func run(for duration: UInt64) throws(InvariantViolation) {
        let end = now + duration
        while let next = queue.nextTime, next <= end { try runNext() }
        now = end
    }

    /// The leader stays, and its clients get on, unless all of them have asked the node that is cut off.
    private func watch(
        _ leader: SimulatedNode, _ circumstance: String, cutOff: SimulatedNode? = nil
    ) throws(InvariantViolation) {
        let term = leader.process?.replica.core.term
        let committedBefore = checker?.committed.last
        try run(for: Self.calmMicroseconds)
        guard let core = leader.process?.replica.core, core.role == .leader, core.term == term else {
            throw InvariantViolation(
                .leaderStaysInOffice, "node \(leader.number) led term \(term ?? .zero) and lost it while \(circumstance)")
        }
        if let cutOff, !workload.calls.isEmpty, workload.calls.values.allSatisfy({ $0.node.node == cutOff.number }) { return }
        guard settings.clientCount == 0 || checker?.committed.last != committedBefore else {
            throw InvariantViolation(
                .convergesWhenHealed, "no client got on for a second while \(circumstance): \(workload.clients)")
        }
    }

    /// One without whom there is still a quorum.
    private func follower(of leader: SimulatedNode) -> SimulatedNode? {
        guard let configuration = checker?.committed.configurations.last?.configuration else { return nil }
        let candidates = healthyMembers.filter { node in
            node !== leader
                && [configuration.voters, configuration.outgoingVoters].allSatisfy { half in
                    half.isEmpty || half.count { $0 != node.id } > half.count / 2
                }
        }
        return candidates.randomElement(using: &random)
    }

    /// One follower is cut off, in one direction or both, comes back, crashes and comes back.
    private func disturbMinority(_ leader: SimulatedNode) throws(InvariantViolation) {
        guard let node = follower(of: leader) else { return }
        // Each time it may campaign at once, and those that hear the leader must not help it.
        for _ in 0..<8 {
            resetConnection(leader, node)
            try run(for: 100_000)
        }
        try watch(leader, "the connection to node \(node.number) broke")
        let others = nodes.map(\.number).filter { $0 != node.number }
        for links in [
            others.map { Link(from: $0, to: node.number) }, others.map { Link(from: node.number, to: $0) },
            Link.between([node.number], others),
        ] {
            network.cut(links)
            try watch(leader, "node \(node.number) was cut off", cutOff: node)
            network.mend(links)
            reconnectAll()
            try watch(leader, "node \(node.number) came back")
        }
        try stop(node, losing: .kill, reason: "killed in the calm")
        schedule(.restart(node.number), after: 300_000)
        try watch(leader, "node \(node.number) started again")
    }

    private func slowFollower(_ leader: SimulatedNode) throws(InvariantViolation) {
        guard let node = follower(of: leader) else { return }
        node.diskSlowness = 500
        try watch(leader, "the disk of node \(node.number) was slow")
        node.diskSlowness = 1
    }

    /// A leader that cannot write must not lead: nobody could commit anything.
    private func stallLeader(_ leader: SimulatedNode) throws(InvariantViolation) {
        let term = leader.process?.replica.core.term
        leader.diskSlowness = 1_000_000
        // All others may wait for that disk to take their bodies; it notices when its log does not get on.
        if settings.hasBodies { burst(on: leader, count: 2) }
        try run(for: 4 * Self.calmMicroseconds)
        if let core = leader.process?.replica.core, core.role == .leader, core.term == term {
            throw InvariantViolation(
                .stallsHarmNobody, "node \(leader.number) still leads term \(core.term) with a disk that stands still"
            )
        }
        leader.diskSlowness = 1
        // What the disk was told to do takes as long as it does: the machine is started again.
        try stop(leader, losing: .power, reason: "its disk stood still")
        schedule(.restart(leader.number), after: 10_000)
    }

    // MARK: The last checks

    func checkEnd() throws(InvariantViolation) {
        statistics.committedCount = checker.map { $0.committed.last - $0.committed.image.base } ?? 0
        for node in nodes where node.isUp && node.cluster != nil {
            let report: StateChecker<InMemorySnapshot>.Report
            do throws(MetadataStoreFailure) {
                report = try StateChecker.check(node.store.makeSnapshot())
            } catch { throw InvariantViolation(.equalStates, "the state of node \(node.id) cannot be read: \(error)") }
            guard report.isConsistent else {
                throw InvariantViolation(
                    .equalStates, "the state of node \(node.id) contradicts itself: \(report.problems.first ?? "")")
            }
        }
        try checkHistory()
    }

    private func checkHistory() throws(InvariantViolation) {
        recordOpenRestores()
        switch workload.objects.check() {
        case .linearizable: break
        case .violation(let object, let violation):
            throw InvariantViolation(.linearizable, "the history of \(object) has no order:\n\(violation)")
        case .unknown(let objects): statistics.undecidedCount += objects.count
        }
        switch LinearizabilityChecker(BucketModel(), stepCountMax: 300_000).check(workload.small) {
        case .linearizable: break
        case .violation(let violation):
            throw InvariantViolation(.linearizable, "the history of the small bucket has no order:\n\(violation)")
        case .unknown: statistics.undecidedCount += 1
        }
    }

    // MARK: The report

    private func summary(_ node: SimulatedNode) -> String {
        guard let process = node.process else { return "down" }
        let core = process.replica.core
        return
            "\(core.role) of term \(core.term), log \(core.baseIndex)…\(core.lastIndex), commit \(core.commit), applied \(core.applied), "
            + "voters \(core.configuration.voters) \(core.configuration.outgoingVoters)\(node.isWiped ? ", wiped" : "")"
            + "\(core.isStorageStalled ? ", disk stalled" : "")\(process.isReplacing ? ", replacing its state" : "")"
    }

    /// The newest events of each node.
    func report() -> [String] {
        var lines = ["faults:"]
        lines += trace.lines(of: 0).map { "  " + $0 }
        for node in nodes {
            lines.append("node \(node.number), \(summary(node)):")
            lines += trace.lines(of: node.number).map { "  " + $0 }
        }
        return lines
    }
}
