import KeyValueStore
import Metadata
import ObjectDataStore
import Raft
import Replication

/// The store of bodies on a node's disk: receptions into it, reads from it, and what goes wrong with it.
extension Simulation {
    /// The file is there, durably.
    func put(_ body: StoredBody, _ node: SimulatedNode) {
        node.bodies[body.id] = BodyFile(length: body.length)
        checker?.bodies.stored(body.id, on: node.number)
    }

    func delete(_ ids: [BodyID], _ node: SimulatedNode) throws(InvariantViolation) {
        for id in ids where node.bodies.removeValue(forKey: id) != nil { try checker?.bodies.deleted(id, on: node.number) }
    }

    /// How long each is that the node's state names; nil for one that it does not name.
    func names(of ids: [BodyID], on node: SimulatedNode) throws(InvariantViolation) -> [UInt64?] {
        let snapshot = node.store.makeSnapshot()
        var lengths: [UInt64?] = []
        do throws(MetadataStoreFailure) {
            for id in ids {
                let reference = try StoredRecords.read(
                    snapshot, KeySchema.body(id), in: KeySchema.bodies, BodyReference.decode)
                lengths.append(reference?.length)
            }
        } catch { throw InvariantViolation(.noInternalError, "node \(node.id) cannot read what it names: \(error)") }
        return lengths
    }

    /// All bodies that the node's state names.
    func names(on node: SimulatedNode) throws(InvariantViolation) -> [StoredBody] {
        var ids: [BodyID] = []
        do throws(KeyValueStoreError) {
            var cursor = try node.store.makeSnapshot().makeCursor(in: KeySchema.bodies, from: nil, to: nil, tier: .all)
            try cursor.seekToFirst()
            while cursor.isValid {
                if let id = cursor.withKey({ KeySchema.bodyID(in: $0) }) { ids.append(id) }
                try cursor.next()
            }
        } catch { throw InvariantViolation(.noInternalError, "node \(node.id) cannot read what it names: \(error)") }
        return zip(ids, try names(of: ids, on: node)).compactMap { id, length in length.map { StoredBody(id: id, length: $0) } }
    }

    /// A client reads a body: what is not here is asked for at once.
    func readBody(_ body: StoredBody, _ node: SimulatedNode) {
        guard node.bodies[body.id]?.isDamaged ?? true else { return }
        node.process?.bodies?.ledger.lack(body, isUrgent: true)
    }

    // MARK: Receptions

    func openReception(_ key: BodyStreamKey, _ id: BodyID, _ node: SimulatedNode, _ process: NodeProcess) {
        guard process.bodies?.receptions[key] == nil else { return }
        process.bodies?.receptions[key] = SimulatedReception(incoming: IncomingBody(id, at: node.clockReading(at: now)))
        process.bodies?.ledger.receptionBegan(id)
    }

    func receive(
        _ key: BodyStreamKey, _ node: SimulatedNode, _ process: NodeProcess,
        _ take: (inout SimulatedReception) -> SimulatedReception.Step?
    ) {
        guard var reception = process.bodies?.receptions[key] else { return }
        if let step = take(&reception) { reception.steps.append(step) }
        let isToBegin = !reception.isWriting && !reception.steps.isEmpty
        if isToBegin { reception.isWriting = true }
        process.bodies?.receptions[key] = reception
        if isToBegin { schedule(.work(node.reference, .body(.receive(key))), after: diskDelay(node, 20...600)) }
    }

    /// The task of a reception has done its next step.
    func receiveNext(_ key: BodyStreamKey, _ node: SimulatedNode, _ process: NodeProcess) {
        guard var reception = process.bodies?.receptions[key] else { return }
        let step = reception.steps.removeFirst()
        if node.isDiskFull { return endReception(key, .noSpace, node, process) }
        switch step {
        case .data(let byteCount):
            reception.written += byteCount
            reception.incoming.wrote(upTo: reception.written)
            reception.isWriting = !reception.steps.isEmpty
            process.bodies?.receptions[key] = reception
            _ = send(.accepted(key.stream, byteCount: reception.written), to: key.sender, from: node)
            if reception.isWriting { schedule(.work(node.reference, .body(.receive(key))), after: diskDelay(node, 20...600)) }
        case .finish:
            put(StoredBody(id: reception.incoming.id, length: reception.written), node)
            endReception(key, nil, node, process)
        case .abort: endReception(key, .protocolViolation, node, process)
        }
    }

    private func endReception(
        _ key: BodyStreamKey, _ failure: BodyFailure?, _ node: SimulatedNode, _ process: NodeProcess
    ) {
        guard let reception = process.bodies?.receptions.removeValue(forKey: key) else { return }
        process.bodies?.ledger.receptionEnded(reception.incoming.id, isStored: failure == nil)
        _ = send(failure.map { .failed(key.stream, $0) } ?? .durable(key.stream), to: key.sender, from: node)
    }

    // MARK: Reads of peers

    func serve(_ message: BodyMessage, to peer: NodeID, _ node: SimulatedNode, _ process: NodeProcess) {
        guard case .read(let request, let id, let offset, let byteCount) = message else { return }
        guard let file = node.bodies[id], offset < file.length else {
            _ = send(.readFailed(request: request, .missing), to: peer, from: node)
            return
        }
        guard !file.isDamaged else {
            process.bodies?.ledger.suspect(id)
            _ = send(.readFailed(request: request, .damaged), to: peer, from: node)
            return
        }
        let count = min(UInt64(byteCount), file.length - offset)
        _ = send(
            .bytes(
                BodyBytes(
                    request: request, length: file.length, tableChecksum: 0, offset: offset, blockChecksums: [],
                    bytes: BodyMessage.content(byteCount: count))),
            to: peer, from: node)
    }

    // MARK: Checks

    /// A fault or a change of members has taken copies away.
    func checkBodiesExist(_ circumstance: String) throws(InvariantViolation) {
        guard settings.hasBodies, let checker, !checker.bodies.isForced else { return }
        let members = checker.committed.configurations.last?.configuration.members ?? []
        let disks = members.compactMap { node($0) }.filter { $0.standing == .serves }
        for id in checker.bodies.named.keys.sorted() {
            guard disks.contains(where: { $0.bodies[id].map { !$0.isDamaged } ?? false }) else {
                throw InvariantViolation(.namedBodiesStay, "\(circumstance), and no member has body \(id) any more")
            }
        }
    }

    /// What a healed cluster has still to do about bodies; nil: nothing.
    var bodyObstacle: String? {
        guard settings.hasBodies, let named = checker?.bodies.named else { return nil }
        for node in healthyMembers {
            guard let process = node.process, let bodies = process.bodies else { return "node \(node.number) is down" }
            if let stream = bodies.uploads.filter({ $0.value.client != nil }).keys.min() {
                return "upload \(stream) on node \(node.number) has no outcome"
            }
            if let lack = named.keys.filter({ node.bodies[$0] == nil }).min() {
                return "node \(node.number) lacks body \(lack)"
            }
            if let damaged = node.bodies.keys.filter({ node.bodies[$0]?.isDamaged == true && named[$0] != nil }).min() {
                return "body \(damaged) on node \(node.number) is damaged"
            }
            if let leak = node.bodies.keys.filter({ named[$0] == nil }).min() {
                return "node \(node.number) keeps body \(leak), which nothing names"
            }
            guard process.replica.bodies.isWhole else {
                return "node \(node.number) does not know that it has all bodies: \(process.replica.bodies)"
            }
        }
        return nil
    }

    // MARK: Damage

    func scheduleDamage() { schedule(.damageBody, after: UInt64(bodyRandom.next(in: 100_000...1_500_000))) }

    /// Rot in one body, where the others can do without it: so many whole copies stay that a minority of them may be lost besides.
    func damageBody() {
        guard !isHealing else { return }
        scheduleDamage()
        guard let node = nodes.filter({ $0.standing == .serves }).randomElement(using: &bodyRandom), canLose(node),
            let id = node.bodies.keys.sorted().randomElement(using: &bodyRandom),
            let voters = checker?.committed.configurations.last?.configuration.voters
        else { return }
        let whole = voters.count { voter in
            guard let other = self.node(voter), other !== node, other.standing == .serves, !other.isWiped else { return false }
            return other.bodies[id].map { !$0.isDamaged } ?? false
        }
        guard whole > voters.count / 2, settings.happens(fault: faultCount) else { return }
        node.bodies[id]?.isDamaged = true
        statistics.faultCount += 1
        trace.note(.fault("body \(id) rots on node \(node.number)"), node: 0, at: now)
    }

    /// Nobody knows of it yet, or it is not mended.
    func hasDamagedBody(_ node: SimulatedNode) -> Bool { node.bodies.values.contains { $0.isDamaged } }
}
