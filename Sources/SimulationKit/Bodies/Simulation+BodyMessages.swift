import NIOCore
import Raft
import Replication

/// Messages about bodies: on a connection of their own they are lost with it, and never overtake one another.
extension Simulation {
    func send(_ message: BodyMessage, to receiver: NodeID, from node: SimulatedNode) -> Bool {
        let number = Int(receiver.rawValue)
        guard nodes.indices.contains(number - 1), !network.isCut(from: node.number, to: number) else { return false }
        guard let delay = network.delays(&bodyRandom).first else { return true }
        let link = Link(from: node.number, to: number)
        let arrival = max(now + delay, bodyArrivals[link] ?? 0)
        bodyArrivals[link] = arrival
        let delivery = BodyDelivery(
            from: node.number, to: number, epoch: network.epoch(node.number, number), isOfHealedNetwork: isHealing,
            incarnation: node.incarnation, message: message)
        queue.schedule(.deliverBody(delivery), at: arrival)
        return true
    }

    func deliver(_ delivery: BodyDelivery) throws(InvariantViolation) {
        let node = nodes[delivery.to - 1]
        guard delivery.isOfHealedNetwork || !isHealing, let process = node.process else { return }
        guard node.pausedUntil <= now else {
            queue.schedule(.deliverBody(delivery), at: node.pausedUntil)
            return
        }
        let isOfThisConnection = delivery.epoch == network.epoch(delivery.from, delivery.to)
        guard isOfThisConnection || settings.faults.contains(.lateness) else { return }
        guard !network.isCut(from: delivery.from, to: delivery.to) else { return }
        begin(9, node)
        trace.note(.receivedBody(delivery), node: node.number, at: now)
        try take(delivery, node, process)
        end(node)
    }

    private func take(
        _ delivery: BodyDelivery, _ node: SimulatedNode, _ process: NodeProcess
    ) throws(InvariantViolation) {
        let sender = NodeID(UInt64(delivery.from))
        func key(_ stream: BodyMessage.Stream) -> BodyStreamKey {
            BodyStreamKey(sender: sender, incarnation: delivery.incarnation, stream: stream)
        }
        switch delivery.message {
        case .open(let stream, let id): openReception(key(stream), id, node, process)
        case .data(let stream, let offset, let bytes):
            receive(key(stream), node, process) { reception in
                let count = bytes.readableBytes
                switch reception.incoming.take(byteCount: count, at: offset, now: node.clockReading(at: now)) {
                case .taken: return .data(UInt64(count))
                case .broken: return .abort
                case .ignored: return nil
                }
            }
        case .finish(let stream, let length, _):
            receive(key(stream), node, process) { reception in
                switch reception.incoming.finish(length: length) {
                case .taken: return .finish
                case .broken: return .abort
                case .ignored: return nil
                }
            }
        case .abort(let stream):
            receive(key(stream), node, process) { $0.incoming.abort() == .broken ? .abort : nil }
        case .streams(let streams):
            let clock = node.clockReading(at: now)
            for stream in streams { process.bodies?.receptions[key(stream)]?.incoming.confirm(at: clock) }
        case .discard(let ids): process.bodies?.ledger.discard(ids)
        // Who asks that prepares a restore: operators of simulated clusters do not.
        case .holds, .held: break
        case .accepted(let stream, let byteCount):
            try change(stream, node, process) { upload in
                if !upload.upload.accepted(byteCount, by: sender, at: node.clockReading(at: now)) {
                    upload.upload.failed(on: sender)
                }
            }
        case .durable(let stream):
            try change(stream, node, process) { upload in
                if !upload.upload.durable(on: sender) { upload.upload.failed(on: sender) }
            }
        case .failed(let stream, _): try change(stream, node, process) { $0.upload.failed(on: sender) }
        case .read:
            schedule(.work(node.reference, .body(.serve(delivery.message, to: sender))), after: diskDelay(node, 50...500))
        case .bytes(let answer): fetched(answer, node, process)
        case .readFailed(let request, _): fetchFailed(request, node, process)
        }
    }

    /// The peer's process is gone, as far as can be told.
    func lostBodies(of peer: NodeID, _ node: SimulatedNode, _ process: NodeProcess) throws(InvariantViolation) {
        guard let bodies = process.bodies else { return }
        for stream in bodies.uploads.keys.sorted() {
            try change(stream, node, process) { $0.upload.failed(on: peer) }
        }
        for key in bodies.receptions.keys.filter({ $0.sender == peer }).sorted(by: { $0.stream < $1.stream }) {
            receive(key, node, process) { $0.incoming.abort() == .broken ? .abort : nil }
        }
        if let fetch = bodies.keeper.fetch, fetch.preferred == peer, let request = fetch.request {
            fetchFailed(request.number, node, process)
        }
    }

    /// Driven by the node's own tick.
    func tickBodies(_ node: SimulatedNode) throws(InvariantViolation) {
        guard let process = node.process, process.bodies != nil else { return }
        process.bodies?.tickCount += 1
        guard let bodies = process.bodies, bodies.tickCount % bodyTimes.ticksOfNode == 0 else { return }
        let clock = node.clockReading(at: now)
        for stream in bodies.uploads.keys.sorted() {
            try change(stream, node, process) { upload in
                _ = upload.upload.dropStalled(at: clock)
                if upload.stage == .waitsForRoom, upload.upload.hasRoom {
                    upload.upload.waited(milliseconds: bodyTimes.tickMilliseconds)
                }
            }
        }
        if let request = bodies.keeper.fetch?.request, request.deadline <= clock { fetchFailed(request.number, node, process) }
        if clock.milliseconds(since: bodies.saidStreamsAt) >= bodyTimes.streamsMilliseconds {
            process.bodies?.saidStreamsAt = clock
            sayStreams(node, process)
            let silent = bodies.receptions.filter {
                $0.value.incoming.isGivenUp(after: bodyTimes.receptionMilliseconds, at: clock)
            }
            for key in silent.keys.sorted(by: { ($0.sender, $0.stream) < ($1.sender, $1.stream) }) {
                receive(key, node, process) { $0.incoming.abort() == .broken ? .abort : nil }
            }
        }
        try wakeKeeper(node, process)
    }

    private func sayStreams(_ node: SimulatedNode, _ process: NodeProcess) {
        guard let uploads = process.bodies?.uploads, !uploads.isEmpty else { return }
        for peer in process.replica.core.configuration.members where peer != node.id {
            let streams = uploads.filter { $0.value.upload.replica(peer)?.phase == .receiving }.keys.sorted()
            if !streams.isEmpty { _ = send(.streams(streams), to: peer, from: node) }
        }
    }
}
