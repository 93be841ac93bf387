import FileSystem
import Raft
import RaftStorage
import Replication

/// What goes wrong, and when. Each fault draws from a source of its own, made from the seed and the fault's number, so that leaving one
/// out does not turn the others into different ones.
extension Simulation {
    private static let sudden: [FaultClasses] = [
        .resets, .oneWayLoss, .partitions, .kills, .powerLoss, .stopsInsideIO, .crashStorms, .pauses, .wipedDisks, .diskErrors,
        .fullDisks, .diskStalls, .damage, .damagedSnapshots, .clockSteps, .clockFreezes, .membership, .transfers,
        .forcedSnapshots,
    ]

    func causeFault() throws(InvariantViolation) {
        guard !isHealing else { return }
        faultCount += 1
        var random = SeededRandom(seed: settings.seed &+ UInt64(faultCount) &* 0x9e37_79b9_7f4a_7c15)
        schedule(.fault, after: UInt64(random.pick([20_000, 60_000, 150_000]) + random.next(below: 50_000)))
        guard settings.happens(fault: faultCount) else { return }
        let kinds = Self.sudden.filter { settings.faults.contains($0) }
        // Another weather is among them.
        let place = random.next(below: kinds.count + 1)
        guard place < kinds.count else { return drawWeather() }
        guard let node = nodes.filter({ $0.standing == .serves }).randomElement(using: &random) else { return }
        statistics.faultCount += 1
        try cause(kinds[place], node, &random)
    }

    private func cause(
        _ kind: FaultClasses, _ node: SimulatedNode, _ random: inout SeededRandom
    ) throws(InvariantViolation) {
        note(kind, node)
        switch kind {
        case .resets, .oneWayLoss, .partitions: causeNetworkFault(kind, node, &random)
        case .kills, .powerLoss:
            try stop(node, losing: kind == .kills ? .kill : .power, reason: kind == .kills ? "killed" : "power loss")
            scheduleRestart(node)
        case .crashStorms: try crashMany(&random)
        case .pauses: pause(node, &random)
        case .wipedDisks: try wipe(node)
        case .stopsInsideIO, .diskErrors, .fullDisks, .diskStalls, .damage, .damagedSnapshots:
            causeDiskFault(kind, node, &random)
        case .clockSteps: node.clock.stepWall(byMilliseconds: Int64(random.next(in: -3_600_000...3_600_000)))
        case .clockFreezes:
            node.clock.setRate(0, at: now)
            schedule(.mend(.clockRate(node: node.number)), after: UInt64(random.next(in: 20_000...800_000)))
        case .membership: changeMembers(&random)
        case .transfers: ask(.transferLeadership(to: random.pick(nodes).id), leader() ?? node)
        case .forcedSnapshots: ask(.takeSnapshot, node)
        default: preconditionFailure("a fault that does not come suddenly")
        }
    }

    private func note(_ kind: FaultClasses, _ node: SimulatedNode) {
        trace.note(.fault("\(faultCount): \(kind.names.joined()), node \(node.number)"), node: 0, at: now)
    }

    // MARK: Network

    private func causeNetworkFault(_ kind: FaultClasses, _ node: SimulatedNode, _ random: inout SeededRandom) {
        let others = nodes.filter { $0.number != node.number && $0.standing == .serves }
        guard let other = others.randomElement(using: &random) else { return }
        let links: [Link]
        switch kind {
        case .resets: return resetConnection(node, other)
        case .oneWayLoss:
            links =
                switch random.next(below: 3) {
                case 0: [Link(from: node.number, to: other.number)]
                case 1: others.map { Link(from: node.number, to: $0.number) }
                default: others.map { Link(from: $0.number, to: node.number) }
                }
        default:
            let numbers = nodes.map(\.number).shuffled(using: &random)
            if random.chance(1, in: 3) { burst(on: node, count: random.next(in: 5...40)) }
            links =
                switch random.next(below: 3) {
                case 0: Link.between(Array(numbers.prefix(numbers.count / 2)), Array(numbers.dropFirst(numbers.count / 2)))
                case 1: Link.between([node.number], others.map(\.number))
                default: Link.outsideRing(numbers)
                }
        }
        // Now and then both ends see at once that the way is gone.
        if random.chance(1, in: 2) { loseConnections(links) }
        network.cut(links)
        schedule(.mend(.links(links)), after: UInt64(random.pick([30_000, 200_000, 600_000]) + random.next(below: 100_000)))
    }

    private func loseConnections(_ links: [Link]) {
        for link in links where nodes.indices.contains(link.from - 1) && nodes.indices.contains(link.to - 1) {
            tellLost(nodes[link.from - 1], NodeID(UInt64(link.to)))
        }
    }

    // MARK: Processes

    private func crashMany(_ random: inout SeededRandom) throws(InvariantViolation) {
        let isAll = random.chance(1, in: 3)
        for node in nodes where node.standing == .serves && (isAll || random.chance(1, in: 2)) {
            try stop(node, losing: random.chance(1, in: 2) ? .kill : .power, reason: "a storm of crashes")
            scheduleRestart(node)
        }
    }

    private func pause(_ node: SimulatedNode, _ random: inout SeededRandom) {
        node.pausedUntil = now + UInt64(random.pick([20_000, 150_000, 900_000]) + random.next(below: 50_000))
    }

    /// Another disk under the same id, where the others can do without it: what it promised is lost with it.
    private func wipe(_ node: SimulatedNode) throws(InvariantViolation) {
        // Before there is a cluster there is nothing to lose.
        guard checker == nil || canLose(node) else { return }
        try stop(node, losing: .power, reason: "its disk is wiped")
        // A disk that never was a member's is missed by nobody.
        let identity = NodeIdentity(node.id, node.incarnation)
        let wasMember = checker?.reference.state.members.contains { $0.identity == identity } ?? false
        node.resetDisk(incarnation: random.next() | 1)
        node.isWiped = node.isWiped || wasMember
        checker?.wiped(node.id, wasMember: wasMember)
        if !wasMember { checker?.bodies.forgot(node.number) }
        try checkBodiesExist("the disk of node \(node.number) is wiped")
        scheduleRestart(node)
    }

    /// Whether the cluster is sure to have everything without this node: of each half of every configuration that may be in force a
    /// majority keeps its disks. Otherwise giving up would be legitimate, and a run would prove nothing.
    func canLose(_ node: SimulatedNode) -> Bool {
        guard let checker else { return false }
        guard node.standing == .serves, !node.isWiped else { return false }
        // Were it the only one that knows of the cluster, the others would rightly found another one.
        guard nodes.contains(where: { $0 !== node && $0.cluster != nil && !$0.isWiped }) else { return false }
        // No fault of this kind while members change: then a majority is that of two configurations.
        guard let newest = checker.committed.configurations.last?.configuration, !newest.isJoint else { return false }
        let isChanging = checker.views.contains { !$0.unappliedChanges.isEmpty }
        guard !isChanging else { return false }
        let gone = newest.voters.count { id in
            guard let voter = self.node(id) else { return true }
            return voter === node || voter.standing != .serves || voter.isWiped || voter.isDamaged || hasDamagedBody(voter)
        }
        return gone <= (newest.voters.count - 1) / 2
    }

    // MARK: Disks

    private func causeDiskFault(_ kind: FaultClasses, _ node: SimulatedNode, _ random: inout SeededRandom) {
        let fileSystem = node.fileSystem
        switch kind {
        case .stopsInsideIO:
            let fault: FaultyFileSystem.Fault =
                random.chance(1, in: 2) ? .halt : .haltDuringWrite(.some(seed: random.next()))
            fileSystem.inject(fault, at: fileSystem.operationCount + random.next(in: 1...12))
        case .diskErrors:
            let operation = random.pick(["pwrite", "fdatasync", "fdatasync", "pread", "open", "fsync"])
            fileSystem.inject(.failure(.io), atNext: operation)
        case .fullDisks:
            fileSystem.setAvailableByteCount(UInt64(random.next(below: 40_000)))
            node.isDiskFull = true
            schedule(.mend(.diskSpace(node: node.number)), after: UInt64(random.next(in: 50_000...1_000_000)))
        case .diskStalls:
            let slowness = UInt64(random.pick([20, 200, 2_000]))
            if random.chance(1, in: 3) { node.applierSlowness = slowness } else { node.diskSlowness = slowness }
            schedule(.mend(.diskSpeed(node: node.number)), after: UInt64(random.next(in: 50_000...1_500_000)))
        case .damage: damageLog(node, &random)
        default:
            if node.reception?.chunks.isEmpty == false, random.chance(1, in: 2) {
                node.reception?.chunks[0][0] ^= 1
            } else if !node.snapshots.isEmpty {
                node.snapshots[random.next(below: node.snapshots.count)].isDamaged = true
            }
        }
    }

    /// Rot, or a write that was lost or went elsewhere, in a part of the log that its headers vouch for: what lies behind may as well have
    /// been torn, and nobody could tell.
    private func damageLog(_ node: SimulatedNode, _ random: inout SeededRandom) {
        guard canLose(node), let log = node.process?.log else { return }
        let covered = log.coveredEnd
        let number = covered.segment
        guard number > 0, covered.offset > 4_096 else { return }
        let path = SimulatedNode.logDirectory + "/" + LogFormat.segmentName(number)
        let block = random.next(below: Int(covered.offset) / 4_096) * 4_096
        node.isDamaged = true
        do throws(FileSystemError) {
            switch random.next(below: 3) {
            case 0: try node.fileSystem.flipBit(random.next(below: 8), ofByte: block + random.next(below: 128), in: path)
            case 1: try node.fileSystem.damage(path, at: block, with: [UInt8](repeating: 0, count: 4_096))
            default:
                let bytes = try node.fileSystem.readFile(path, byteCountMax: Int(covered.offset))
                let other = random.next(below: bytes.count / 4_096) * 4_096
                try node.fileSystem.damage(path, at: block, with: Array(bytes[other..<other + 4_096]))
            }
        } catch { return }
    }

    // MARK: Mending

    func mend(_ repair: Repair) {
        switch repair {
        case .links(let links):
            guard !isHealing else { return }
            network.mend(links)
            reconnectAll()
        case .clockRate(let number): restoreClock(nodes[number - 1])
        case .diskSpeed(let number):
            nodes[number - 1].diskSlowness = 1
            nodes[number - 1].applierSlowness = 1
        case .diskSpace(let number):
            nodes[number - 1].fileSystem.setAvailableByteCount(1 << 40)
            nodes[number - 1].isDiskFull = false
        }
    }

    func restoreClock(_ node: SimulatedNode) {
        if node.clock.rate == 0 { node.clock.setRate(node.usualClockRate, at: now) }
    }
}
