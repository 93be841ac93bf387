import Raft
import Replication

/// Messages and connections between the nodes.
extension Simulation {
    func send(_ envelope: PeerEnvelope, from node: SimulatedNode) {
        let receiver = Int(envelope.to.rawValue)
        guard nodes.indices.contains(receiver - 1) else { return }
        guard !network.isCut(from: node.number, to: receiver) else {
            noteUnreachable(receiver, node)
            return
        }
        var delays = network.delays(&networkRandom)
        if settings.faults.contains(.slowStreams), case .snapshotChunk = envelope.message, !isHealing {
            // Often by a little, now and then by much.
            let backlog = random.chance(1, in: 8) ? 1_000_000 : 10_000
            delays.first? += UInt64(random.next(in: 0...backlog))
            delays.second? += UInt64(random.next(in: 0...backlog))
        }
        let delivery = Delivery(
            from: node.number, to: receiver, epoch: network.epoch(node.number, receiver), isOfHealedNetwork: isHealing,
            envelope: envelope)
        if let delay = delays.first { schedule(.deliver(delivery), after: delay) }
        if let delay = delays.second { schedule(.deliver(delivery), after: delay) }
    }

    /// A sender finds out now and then that what it sends does not arrive.
    private func noteUnreachable(_ receiver: Int, _ node: SimulatedNode) {
        guard networkRandom.chance(1, in: 16) else { return }
        schedule(.work(node.reference, .replica(.unreachable(NodeID(UInt64(receiver))))), after: 1_000)
    }

    func deliver(_ delivery: Delivery) throws(InvariantViolation) {
        let node = nodes[delivery.to - 1]
        // To be late is a fault too: a message of old that tells a node to campaign would end a leadership in the calm.
        guard delivery.isOfHealedNetwork || !isHealing else { return }
        guard node.isUp else {
            let sender = nodes[delivery.from - 1]
            if sender.isUp { noteUnreachable(delivery.to, sender) }
            // It may still arrive in the next life of its receiver.
            if settings.faults.contains(.lateness), !isHealing, networkRandom.chance(1, in: 3) {
                schedule(.deliver(delivery), after: UInt64(networkRandom.next(in: 20_000...500_000)))
            }
            return
        }
        guard node.pausedUntil <= now else {
            queue.schedule(.deliver(delivery), at: node.pausedUntil)
            return
        }
        // What was on a connection that was reset is lost, unless the run wants messages of the past.
        let isOfThisConnection = delivery.epoch == network.epoch(delivery.from, delivery.to)
        guard isOfThisConnection || settings.faults.contains(.lateness) else { return }
        guard !network.isCut(from: delivery.from, to: delivery.to) else { return }
        begin(2, node)
        trace.note(.received(delivery.envelope), node: node.number, at: now)
        try feed(.received(delivery.envelope), to: node)
        end(node)
    }

    // MARK: Connections

    /// A node wants connections with these.
    func connect(_ peers: [NodeID], _ node: SimulatedNode, _ process: NodeProcess) {
        let new = peers.filter { $0 != node.id && !process.peers.contains($0) }
        process.peers = peers.filter { $0 != node.id }
        for peer in new { connect(node, peer) }
    }

    /// Both ends learn that they are connected, if they are up and there is a way.
    func connect(_ node: SimulatedNode, _ peer: NodeID) {
        guard let other = self.node(peer), node.isUp, other.isUp, other !== node else { return }
        guard !network.isCut(from: node.number, to: other.number), !network.isCut(from: other.number, to: node.number) else {
            return
        }
        let delay = UInt64(networkRandom.next(in: 200...2_000))
        schedule(.work(node.reference, .replica(.connected(other.id))), after: delay)
        schedule(.work(other.reference, .replica(.connected(node.id))), after: delay)
    }

    func reconnectAll() {
        for node in nodes {
            guard let process = node.process else { continue }
            for peer in process.peers where peer > node.id { connect(node, peer) }
        }
    }

    /// A peer sees the connection to a node close.
    func tellLost(_ node: SimulatedNode, _ peer: NodeID) {
        guard let other = self.node(peer), other.isUp, !network.isCut(from: node.number, to: other.number) else { return }
        network.reset(node.number, other.number)
        schedule(
            .work(other.reference, .replica(.connectionLost(node.id))), after: UInt64(networkRandom.next(in: 100...1_000)))
    }

    func resetConnection(_ first: SimulatedNode, _ second: SimulatedNode) {
        network.reset(first.number, second.number)
        for (one, other) in [(first, second), (second, first)] where one.isUp {
            schedule(.work(one.reference, .replica(.connectionLost(other.id))), after: 100)
        }
        connect(first, second.id)
    }
}
