import Raft
import Replication

/// What operators do: they change members, hand leadership over, ask for snapshots, and replace nodes whose disks are lost.
struct OperatorState {
    /// Commands without an outcome, and where they were given.
    var waiting: [UInt64: ProcessReference] = [:]
}

extension Simulation {
    /// Who leads, as far as one can see from outside: of several the one of the latest term.
    func leader() -> SimulatedNode? {
        var best: SimulatedNode?
        for node in nodes {
            guard let core = node.process?.replica.core, core.role == .leader else { continue }
            if let term = best?.process?.replica.core.term, term >= core.term { continue }
            best = node
        }
        return best
    }

    func ask(_ command: OperatorCommand, _ node: SimulatedNode) {
        guard node.isUp else { return }
        tokenCount += 1
        operators.waiting[tokenCount] = node.reference
        schedule(.work(node.reference, .replica(.command(RequestToken(tokenCount), command))), after: 0)
    }

    func completedCommand(_ token: RequestToken, _ outcome: CommandOutcome) {
        operators.waiting[token.rawValue] = nil
    }

    /// Commands that a live process still owes an answer.
    var hasWaitingCommands: Bool {
        operators.waiting.values.contains { nodes[$0.node - 1].life == $0.life && nodes[$0.node - 1].isUp }
    }

    // MARK: Members

    func changeMembers(_ random: inout SeededRandom) {
        guard let leader = leader(), let configuration = checker?.committed.configurations.last?.configuration else { return }
        let members = configuration.members
        // Nobody takes healthy voters away while others are in danger.
        let isInDanger = configuration.voters.contains { id in
            node(id).map { $0.isDamaged || $0.isWiped || $0.standing != .serves || hasDamagedBody($0) } ?? true
        }
        guard !isInDanger else { return }
        let spare = nodes.filter { !members.contains($0.id) && $0.standing == .serves && !$0.isWiped && $0.isUp }
        switch random.next(below: 4) {
        case 0 where members.count < 7:
            guard let node = spare.randomElement(using: &random) ?? newNode() else { return }
            ask(.add(node.id, address: []), leader)
        case 1 where configuration.voters.count > 1:
            // Force may lose bodies.
            let member = random.pick(members)
            ask(.remove(member, isForced: random.chance(1, in: 8) && !settings.hasBodies && !settings.hasRestores), leader)
        case 2:
            guard let node = spare.randomElement(using: &random) ?? newNode() else { return }
            ask(.replace(random.pick(members), with: node.id, address: []), leader)
        default:
            // A node that does not exist, or was removed: nobody must wait for it for ever.
            ask(.add(NodeID(UInt64(Network.nodeCountMax)), address: []), leader)
        }
    }

    private func newNode() -> SimulatedNode? {
        guard nodes.count < Network.nodeCountMax - 1 else { return nil }
        let node = addNode()
        schedule(.restart(node.number), after: 1_000)
        return node
    }

    /// Replaces members that cannot come back.
    func operatorTurn() throws(InvariantViolation) {
        if !isHealing { schedule(.operatorTurn, after: UInt64(random.next(in: 100_000...500_000))) }
        guard let leader = leader(), let configuration = checker?.committed.configurations.last?.configuration else { return }
        let gone = configuration.members.first { id in
            guard let node = node(id) else { return true }
            return node.standing != .serves || node.isWiped
        }
        guard let gone, !hasWaitingCommands else { return }
        if configuration.voters.count > 1, let node = newNode() {
            ask(.replace(gone, with: node.id, address: []), leader)
        } else {
            if configuration.hasVoter(gone) { checker?.bodies.isForced = true }
            ask(.remove(gone, isForced: true), leader)
        }
    }
}
