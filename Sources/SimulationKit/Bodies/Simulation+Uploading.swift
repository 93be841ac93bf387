import Metadata
import ObjectDataStore
import Raft
import Replication

/// A client's body on its way from the node that it was given to.
extension Simulation {
    /// - Returns: false if the node takes none now.
    func beginUpload(_ action: Action, of client: Int, _ node: SimulatedNode) -> Bool {
        guard let process = node.process, process.bodies != nil else { return false }
        let configuration = process.replica.core.configuration
        guard !configuration.voters.isEmpty else { return false }
        process.bodies?.bodyCount += 1
        guard let count = process.bodies?.bodyCount, let stream = process.bodies?.nextNumber() else { return false }
        let id = BodyID(origin: UInt64(node.number) << 48 | node.bodyStartCount, sequence: count)
        let upload = BodyUpload(
            id, in: configuration, requirement: bodyRandom.chance(1, in: 16) ? .all : .majority, settings: bodyTimes.upload,
            at: node.clockReading(at: now))
        process.bodies?.uploads[stream] = SimulatedUpload(
            upload: upload, client: client, action: action,
            length: BodyTimes.pieceByteCount * UInt64(bodyRandom.next(in: 1...5)))
        workload.clients[client] = .uploads(node.reference, stream)
        statistics.uploadCount += 1
        for peer in configuration.members where peer != node.id { tell(.open(stream, id), peer, stream, node, process) }
        writePiece(stream, node, process)
        return true
    }

    // MARK: The writer

    /// The next piece, or the end.
    private func writePiece(_ stream: BodyMessage.Stream, _ node: SimulatedNode, _ process: NodeProcess) {
        guard let upload = process.bodies?.uploads[stream] else { return }
        let clock = node.clockReading(at: now)
        let offset = upload.upload.sent
        let isEnd = offset >= upload.length
        process.bodies?.uploads[stream]?.stage = isEnd ? .finishes : .writes
        if isEnd {
            process.bodies?.uploads[stream]?.upload.finish(at: clock)
            tellAll(.finish(stream, length: offset, tableChecksum: 0), stream, node, process)
        } else {
            let count = min(BodyTimes.pieceByteCount, upload.length - offset)
            process.bodies?.uploads[stream]?.upload.send(byteCount: Int(count), at: clock)
            tellAll(.data(stream, offset: offset, BodyMessage.content(byteCount: count)), stream, node, process)
        }
        // Where its own disk has failed the others go on.
        let delay = upload.isLocal ? diskDelay(node, isEnd ? 100...2_000 : 20...300) : 20
        schedule(.work(node.reference, .body(isEnd ? .stored(stream) : .took(stream))), after: delay)
    }

    func ownStoreTook(_ stream: BodyMessage.Stream, _ node: SimulatedNode, _ process: NodeProcess) throws(InvariantViolation) {
        try change(stream, node, process) { upload in
            upload.stage = .waitsForRoom
            takeHere(&upload, node) { $0.accepted($0.sent, by: node.id, at: node.clockReading(at: now)) }
        }
    }

    func ownStoreFinished(_ stream: BodyMessage.Stream, _ node: SimulatedNode, _ process: NodeProcess)
        throws(InvariantViolation)
    {
        try change(stream, node, process) { upload in
            upload.stage = .waitsForQuorum
            takeHere(&upload, node) { state in
                put(StoredBody(id: state.id, length: state.sent), node)
                return state.durable(on: node.id)
            }
        }
    }

    private func takeHere(_ upload: inout SimulatedUpload, _ node: SimulatedNode, _ take: (inout BodyUpload) -> Bool) {
        guard upload.isLocal else { return }
        if !node.isDiskFull {
            _ = take(&upload.upload)
        } else {
            upload.isLocal = false
            upload.upload.failed(on: node.id)
        }
    }

    // MARK: What comes of it

    /// Changes the state of an upload, tells those that were given up, and lets its writer go on if it may.
    func change(
        _ stream: BodyMessage.Stream, _ node: SimulatedNode, _ process: NodeProcess, _ change: (inout SimulatedUpload) -> Void
    ) throws(InvariantViolation) {
        guard var upload = process.bodies?.uploads[stream] else { return }
        let before = upload.upload.replicas
        change(&upload)
        if upload.stage == .waitsForRoom, upload.upload.outcome == .pending, upload.upload.mayWrite {
            _ = upload.upload.dropLaggards()
        }
        process.bodies?.uploads[stream] = upload
        for (old, new) in zip(before, upload.upload.replicas)
        where old.phase == .receiving && new.phase == .failed && new.node != node.id {
            _ = send(.abort(stream), to: new.node, from: node)
        }
        decide(stream, node, process)
    }

    private func decide(_ stream: BodyMessage.Stream, _ node: SimulatedNode, _ process: NodeProcess) {
        guard let upload = process.bodies?.uploads[stream] else { return }
        switch (upload.upload.outcome, upload.stage) {
        case (.lost, .waitsForRoom), (.lost, .waitsForQuorum): giveUp(stream, node, process)
        case (.pending, .waitsForRoom) where upload.upload.mayWrite:
            // Now and then a client goes away in the middle.
            if bodyRandom.chance(1, in: 100) { giveUp(stream, node, process) } else { writePiece(stream, node, process) }
        case (.won, .waitsForQuorum):
            process.bodies?.uploads[stream]?.stage = .isOver
            process.bodies?.uploads[stream]?.holders = upload.upload.holders
            // A node may stand still for longer than a body without a name is kept.
            let grace = Int(bodyTimes.grace) * 1000
            let delay =
                bodyRandom.chance(1, in: 12) && !isHealing
                ? bodyRandom.next(in: grace / 2...4 * grace) : bodyRandom.next(in: 20...500)
            schedule(.work(node.reference, .body(.name(stream))), after: UInt64(delay))
        default: break
        }
        forgetIfDone(stream, process)
    }

    /// The others may still get there; when all have, nothing is left to do.
    private func forgetIfDone(_ stream: BodyMessage.Stream, _ process: NodeProcess) {
        guard let upload = process.bodies?.uploads[stream], upload.stage == .isOver, upload.client == nil,
            upload.upload.replicas.allSatisfy({ $0.phase != .receiving })
        else { return }
        process.bodies?.uploads[stream] = nil
    }

    /// The client asks for its body to be named, and is done with the upload.
    func name(_ stream: BodyMessage.Stream, _ node: SimulatedNode, _ process: NodeProcess) {
        guard let upload = process.bodies?.uploads[stream], let client = upload.client else { return }
        process.bodies?.uploads[stream]?.client = nil
        let body = StoredBody(id: upload.upload.id, length: upload.length)
        workload.clients[client] = .idle
        write(upload.action, client, node, (body, upload.holders.map(\.rawValue)))
        forgetIfDone(stream, process)
    }

    /// Nothing will name the body: whoever has taken something of it forgets it.
    private func giveUp(_ stream: BodyMessage.Stream, _ node: SimulatedNode, _ process: NodeProcess) {
        guard let upload = process.bodies?.uploads.removeValue(forKey: stream) else { return }
        statistics.lostUploadCount += 1
        for replica in upload.upload.replicas where replica.node != node.id {
            _ = send(.abort(stream), to: replica.node, from: node)
            _ = send(.discard([upload.upload.id]), to: replica.node, from: node)
        }
        schedule(.work(node.reference, .body(.delete([upload.upload.id]))), after: diskDelay(node, 20...200))
        if let client = upload.client { clientIsFree(client) }
    }

    /// As the engine does it where it is certain that an operation was not taken, unless something names the body after all.
    func discard(_ body: StoredBody, _ node: SimulatedNode, _ process: NodeProcess) throws(InvariantViolation) {
        guard try names(of: [body.id], on: node)[0] == nil else { return }
        for (stream, upload) in process.bodies?.uploads ?? [:] where upload.upload.id == body.id {
            process.bodies?.uploads[stream] = nil
            tellAll(.abort(stream), upload: upload, node)
        }
        for peer in process.replica.core.configuration.members where peer != node.id {
            _ = send(.discard([body.id]), to: peer, from: node)
        }
        schedule(.work(node.reference, .body(.delete([body.id]))), after: diskDelay(node, 20...200))
    }

    // MARK: Telling the replicas

    private func tellAll(_ message: BodyMessage, _ stream: BodyMessage.Stream, _ node: SimulatedNode, _ process: NodeProcess) {
        guard let upload = process.bodies?.uploads[stream] else { return }
        for replica in upload.upload.replicas where replica.node != node.id && replica.phase == .receiving {
            tell(message, replica.node, stream, node, process)
        }
    }

    private func tellAll(_ message: BodyMessage, upload: SimulatedUpload, _ node: SimulatedNode) {
        for replica in upload.upload.replicas where replica.node != node.id && replica.phase == .receiving {
            _ = send(message, to: replica.node, from: node)
        }
    }

    private func tell(
        _ message: BodyMessage, _ peer: NodeID, _ stream: BodyMessage.Stream, _ node: SimulatedNode, _ process: NodeProcess
    ) {
        if !send(message, to: peer, from: node) { process.bodies?.uploads[stream]?.upload.failed(on: peer) }
    }
}
