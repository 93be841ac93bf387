import Checksum
import KeyValueStore
import Metadata
import Raft
import Replication

/// Snapshots on the nodes' disks, and their way from one to another.
extension Simulation {
    func takeSnapshot(_ node: SimulatedNode, _ process: NodeProcess) throws(InvariantViolation) {
        let state = process.machine.state
        guard state.genesis != nil, !process.isReplacing else {
            return try feed(.snapshotFailed(detail: "there is no state to be kept"), to: node)
        }
        // A checkpoint flushes, so that what it contains is durable in the store as well.
        do {
            try node.store.flush()
        } catch { throw InvariantViolation(.noInternalError, "node \(node.id) cannot flush its store: \(error)") }
        fingerprintCount += 1
        let chunkByteCount = Int(process.settings.snapshots.chunkByteCount)
        let id = SnapshotID(index: state.applied, term: state.term, fingerprint: fingerprintCount)
        let description = SnapshotDescription(
            id: id, configuration: state.configuration, version: state.version,
            byteCount: UInt64(random.next(in: 1...6 * chunkByteCount)))
        let checkpoint = node.store.durableState()
        checkpoints[id] = checkpoint
        node.snapshots.append(StoredSnapshot(description: description, checkpoint: checkpoint))
        try feed(.snapshotTaken(description), to: node)
    }

    func sendChunk(
        _ id: SnapshotID, _ number: UInt64, to receiver: NodeID, _ node: SimulatedNode, _ process: NodeProcess
    ) throws(InvariantViolation) {
        guard let snapshot = node.snapshots.first(where: { $0.description.id == id }), !snapshot.isDamaged else {
            return try feed(.chunkUnreadable(id, to: receiver), to: node)
        }
        let chunkByteCount = UInt64(process.settings.snapshots.chunkByteCount)
        let byteCount = min(chunkByteCount, snapshot.description.byteCount - number * chunkByteCount)
        let bytes = SimulatedSnapshotBytes.chunk(number, of: id, byteCount: Int(byteCount))
        let chunk = SnapshotChunk(id: id, number: number, checksum: bytes.withUnsafeBytes { CRC32C.checksum($0) }, bytes: bytes)
        send(
            PeerEnvelope(
                cluster: node.cluster, from: NodeIdentity(node.id, node.incarnation), to: receiver, toIncarnation: nil,
                message: .snapshotChunk(chunk)),
            from: node)
    }

    // MARK: Receiving

    func openReception(_ offer: SnapshotOffer, _ node: SimulatedNode) {
        if node.reception?.offer.id != offer.id { node.reception = Reception(offer: offer) }
        node.reception?.offer = offer
        let count = UInt64(node.reception?.chunks.count ?? 0)
        answer(.receptionOpened(offer.id, chunkCount: count), node)
    }

    func storeChunk(
        _ id: SnapshotID, _ number: UInt64, _ bytes: [UInt8], _ node: SimulatedNode
    ) throws(InvariantViolation) {
        guard node.reception?.offer.id == id else { return }
        guard bytes == SimulatedSnapshotBytes.chunk(number, of: id, byteCount: bytes.count) else {
            throw InvariantViolation(
                .snapshotsNeverGoBack, "node \(node.id) stores a chunk of another snapshot in that at \(id.index)")
        }
        guard let count = node.reception?.chunks.count, UInt64(count) == number else {
            return answer(.receptionFailed(id, .storage(detail: "a chunk is missing before chunk \(number)")), node)
        }
        node.reception?.chunks.append(bytes)
        answer(.chunkStored(id, number: number), node)
    }

    func finishReception(_ id: SnapshotID, _ node: SimulatedNode) {
        guard let reception = node.reception, reception.offer.id == id else { return }
        if SimulatedSnapshotBytes.isWhole(reception.chunks, of: reception.offer) {
            answer(.receptionFinished(id), node)
        } else {
            node.reception = nil
            answer(.receptionFailed(id, .damaged(detail: "its bytes are others")), node)
        }
    }

    private func answer(_ event: ReplicaEvent, _ node: SimulatedNode) {
        schedule(.work(node.reference, .replica(event)), after: diskDelay(node, 50...1_000))
    }
}
