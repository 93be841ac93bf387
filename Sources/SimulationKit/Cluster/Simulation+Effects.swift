import KeyValueStore
import Metadata
import Raft
import RaftStorage
import Replication

extension Simulation {
    /// Lets a node's replica take an event, checks what comes of it, and does what it asks for.
    func feed(_ event: ReplicaEvent, to node: SimulatedNode) throws(InvariantViolation) {
        guard let process = node.process else { return }
        process.replica.handle(event, at: node.clockReading(at: now))
        try perform(process.replica.takeEffects(), of: node, process)
    }

    func perform(
        _ effects: [ReplicaEffect], of node: SimulatedNode, _ process: NodeProcess
    ) throws(InvariantViolation) {
        try observe(effects, of: node, process)
        for effect in effects {
            try perform(effect, node, process)
            // A stop in the middle takes the rest with it.
            guard node.process === process else { return }
        }
    }

    /// What the core has decided is checked before anything is done with it.
    private func observe(
        _ effects: [ReplicaEffect], of node: SimulatedNode, _ process: NodeProcess
    ) throws(InvariantViolation) {
        let core = process.replica.core
        let configurationCount = checker?.committed.configurations.count
        for effect in effects {
            switch effect {
            case .append(let append), .install(_, let append):
                try checker?.appending(append, by: core)
            case .compact(let mark, let floor):
                checker?.compacting(mark, by: node.id)
                try checker?.keeping(after: floor, on: core)
            default: break
            }
        }
        try checker?.inspect(core, incarnation: node.incarnation.rawValue, settings: process.settings.raft)
        try checker?.sendingSnapshots(process.replica.snapshotTransferCount, on: node.id, process.settings.snapshots)
        if checker?.committed.configurations.count != configurationCount { try checkBodiesExist("the members are others") }
    }

    private func perform(
        _ effect: ReplicaEffect, _ node: SimulatedNode, _ process: NodeProcess
    ) throws(InvariantViolation) {
        switch effect {
        case .send(let envelope):
            try checkSending(envelope, node, process)
            send(envelope, from: node)
        case .append(let append): try queueLog(.append(append), node, process)
        case .install(let id, let append):
            if let mark = append.snapshot { checker?.installing(mark, on: node.id) }
            try queueLog(.install(id, append), node, process)
        case .found(let genesis): try queueLog(.found(genesis), node, process)
        case .compact(let mark, let floor): try queueLog(.compact(mark, keepingAfter: floor), node, process)
        case .fetch(let fetch): schedule(.work(node.reference, .fetch(fetch)), after: diskDelay(node, 50...400))
        case .apply(let entries):
            try checker?.applying(entries, on: node.id, settings: process.settings.raft)
            process.applyQueue += entries
            scheduleApply(node, process)
        case .complete(let token, let outcome): try completed(token, outcome, node)
        case .completeRead(let token, let outcome): try completedRead(token, outcome, node, process)
        case .completeCommand(let token, let outcome): completedCommand(token, outcome)
        case .takeSnapshot: schedule(.work(node.reference, .takeSnapshot), after: diskDelay(node, 500...5_000))
        // What a node makes anew is whole here.
        case .checkSnapshot: break
        case .releaseSnapshot(let id): node.snapshots.removeAll { $0.description.id == id }
        case .sendChunk(let id, let number, let receiver):
            schedule(.work(node.reference, .sendChunk(id, number: number, to: receiver)), after: diskDelay(node, 50...500))
        case .openReception(let offer): openReception(offer, node)
        case .storeChunk(let id, let number, let bytes): try storeChunk(id, number, bytes, node)
        case .finishReception(let id): finishReception(id, node)
        case .abandonReception(let id): if node.reception?.offer.id == id { node.reception = nil }
        case .join(let cluster): (node.joined, node.cluster) = (cluster, cluster)
        case .connect(let contacts): connect(contacts.map(\.node), node, process)
        case .standing(let standing):
            trace.note(.standing(standing), node: node.number, at: now)
            if standing.role == .leader {
                statistics.leaderCount += 1
                // Changes that follow on a change of leaders are the ones that went wrong elsewhere.
                if settings.faults.contains(.membership), !isHealing, random.chance(1, in: 3) {
                    var random = self.random.fork()
                    changeMembers(&random)
                }
            }
        case .note(let note): try checkNote(note, node)
        case .stopped(let reason): try stopped(reason, node)
        }
    }

    private func checkSending(
        _ envelope: PeerEnvelope, _ node: SimulatedNode, _ process: NodeProcess
    ) throws(InvariantViolation) {
        guard case .raft(let term, let body) = envelope.message else { return }
        try checker?.sending(
            body, term: term, from: node.id, incarnation: node.incarnation.rawValue, to: envelope.to,
            settings: process.settings.raft)
    }

    /// A correct node never sends what breaks the protocol, so that a complaint of one says that another is not correct.
    private func checkNote(_ note: ReplicaNote, _ node: SimulatedNode) throws(InvariantViolation) {
        switch note {
        case .invalidMessage(let sender, let error):
            throw InvariantViolation(.noInternalError, "node \(node.id) refuses a message of node \(sender): \(error)")
        case .malformedForward(let sender):
            throw InvariantViolation(.noInternalError, "node \(node.id) refuses commands of node \(sender)")
        case .refusedPeer, .refusedBy, .diskStalled, .diskRecovered, .snapshotSendFailed, .snapshotReceptionFailed,
            .snapshotFailed, .sessionExpired, .formation:
            break
        }
    }

    // MARK: Applying

    func scheduleApply(_ node: SimulatedNode, _ process: NodeProcess) {
        guard !process.isApplying, !process.applyQueue.isEmpty else { return }
        process.isApplying = true
        schedule(.work(node.reference, .apply), after: UInt64(diskRandom.next(in: 20...300)) * node.applierSlowness)
    }

    func apply(_ node: SimulatedNode, _ process: NodeProcess) throws(InvariantViolation) {
        process.isApplying = false
        guard let first = process.applyQueue.first else { return }
        if first.mayReplaceState { return try reachReplacement(first, node, process) }
        let count = process.applyQueue.firstIndex { $0.mayReplaceState } ?? process.applyQueue.count
        try applyFirst(count, node, process)
    }

    /// Applies so many entries in one batch, the next ones.
    func applyFirst(_ count: Int, _ node: SimulatedNode, _ process: NodeProcess) throws(InvariantViolation) {
        let entries = Array(process.applyQueue.prefix(count))
        process.applyQueue.removeFirst(count)
        let report: ApplyReport
        do {
            let transaction = node.store.makeTransaction()
            report = try process.machine.apply(entries, in: transaction)
            // As the server: what a restore begins is durable before this node says what it holds.
            try node.store.commit(transaction, durability: report.restore == nil ? .buffered : .synced)
        } catch {
            throw InvariantViolation(.noInternalError, "node \(node.id) cannot apply \(entries[0].index): \(error)")
        }
        try checker?.applied(process.machine.appliedIndex, digest: process.machine.digest, on: node.id)
        appliedBodies(report.effects, node, process)
        try releaseFiles(report.effects, node)
        // Before anything else is begun: an installation must not overtake them.
        scheduleApply(node, process)
        try feed(.applied(report), to: node)
    }
}
