import Metadata
import NIOCore
import ObjectDataStore
import Raft
import Replication

/// The task that sees to it that a node has the bodies that its state names, and no others: driven as the server's keeper, step by step.
extension Simulation {
    func startBodies(_ node: SimulatedNode, _ process: NodeProcess) {
        guard settings.hasBodies else { return }
        node.bodyStartCount += 1
        process.bodies = BodyProcess(firstNumber: bodyRandom.next() >> 1, mutations: process.settings.mutations)
    }

    func perform(_ work: BodyWork, _ node: SimulatedNode, _ process: NodeProcess) throws(InvariantViolation) {
        switch work {
        case .took(let stream): try ownStoreTook(stream, node, process)
        case .stored(let stream): try ownStoreFinished(stream, node, process)
        case .receive(let key): receiveNext(key, node, process)
        case .serve(let message, let peer): serve(message, to: peer, node, process)
        case .delete(let ids): try delete(ids, node)
        case .keep(let step): try keep(step, node, process)
        case .name(let stream): name(stream, node, process)
        }
    }

    /// The log has been applied: after that the ledger hears of it, and files go.
    func appliedBodies(_ effects: ApplyEffects, _ node: SimulatedNode, _ process: NodeProcess) {
        guard process.bodies != nil else { return }
        process.bodies?.ledger.named(effects.referencedBodies, upTo: process.machine.appliedIndex)
        process.bodies?.ledger.released(effects.releasedBodies)
        guard !effects.releasedBodies.isEmpty else { return }
        schedule(.work(node.reference, .body(.delete(effects.releasedBodies))), after: diskDelay(node, 20...2_000))
    }

    /// Another state: it may name bodies that are not here.
    func replacedBodies(_ node: SimulatedNode, _ process: NodeProcess) throws(InvariantViolation) {
        guard process.bodies != nil else { return }
        process.bodies?.ledger.stateReplaced()
        if !process.settings.mutations.contains(.believesItselfWhole) { try feed(.bodies(.unknown), to: node) }
    }

    // MARK: The rounds

    /// There may be something to do.
    func wakeKeeper(_ node: SimulatedNode, _ process: NodeProcess) throws(InvariantViolation) {
        guard let bodies = process.bodies, !bodies.keeper.isBusy, !process.isReplacing, node.cluster != nil else { return }
        process.bodies?.keeper.isBusy = true
        try report(node, process)
        guard node.process === process else { return }
        look(node, process)
    }

    private func next(_ step: KeeperStep, _ node: SimulatedNode, pause: UInt64 = 0) {
        schedule(.work(node.reference, .body(.keep(step))), after: diskDelay(node, 20...1_000) + pause * 1_000)
    }

    private func look(_ node: SimulatedNode, _ process: NodeProcess, pause: UInt64 = 0) {
        let named = process.bodies?.ledger.takeUnchecked() ?? []
        next(.looked(named, isThere: named.map { node.bodies[$0.id] != nil }), node, pause: pause)
    }

    private func report(_ node: SimulatedNode, _ process: NodeProcess) throws(InvariantViolation) {
        guard let report = process.bodies?.ledger.report, report != process.bodies?.keeper.reported else { return }
        process.bodies?.keeper.reported = report
        try feed(.bodies(report), to: node)
    }

    private func keep(
        _ step: KeeperStep, _ node: SimulatedNode, _ process: NodeProcess
    ) throws(InvariantViolation) {
        guard process.bodies != nil else { return }
        let clock = node.clockReading(at: now)
        switch step {
        case .looked(let bodies, let isThere):
            for (body, isThere) in zip(bodies, isThere) where !isThere { process.bodies?.ledger.lack(body) }
            // Between two fetches nothing else is looked at.
            if process.bodies?.keeper.fetch != nil { return try fetchNext(node, process) }
            let ids = process.bodies?.ledger.takeDiscarded() ?? []
            let names = try names(of: ids, on: node)
            next(.discard(zip(ids, names).filter { $0.1 == nil }.map(\.0)), node)
        case .discard(let ids):
            try delete(ids, node)
            for id in process.bodies?.ledger.takeSuspects() ?? [] { try verify(id, node, process) }
            let isDue = process.bodies?.ledger.takePassDue() ?? false
            let age = process.bodies?.keeper.lastPass.map { clock.milliseconds(since: $0) }
            guard isDue || age.map({ $0 >= bodyTimes.pass }) ?? true else { return try fetchNext(node, process) }
            process.bodies?.keeper.lastPass = clock
            let missing = try names(on: node).filter { node.bodies[$0.id] == nil }
            next(.compared(missing: missing, upTo: process.machine.appliedIndex), node)
        case .compared(let missing, let index):
            for body in missing { process.bodies?.ledger.lack(body) }
            process.bodies?.ledger.lookedForAll(upTo: index)
            // The scrub, too, has been round.
            for id in node.bodies.keys.sorted() where node.bodies[id]?.isDamaged == true { try verify(id, node, process) }
            try lookAtFiles(node, process)
        case .abandonNext: try abandonNext(node, process)
        case .fetchNext: try fetchNext(node, process)
        case .readNext: try readNext(node, process)
        case .store: try storeFetched(node, process)
        }
    }

    private func lookAtFiles(_ node: SimulatedNode, _ process: NodeProcess) throws(InvariantViolation) {
        let files = node.bodies.keys.sorted()
        let unnamed = zip(files, try names(of: files, on: node)).filter { $0.1 == nil }.map(\.0)
        let due = process.bodies?.ledger.sawUnnamed(unnamed, grace: bodyTimes.grace, at: node.clockReading(at: now)) ?? []
        process.bodies?.keeper.unnamed = Set(unnamed)
        process.bodies?.keeper.due = mutant?.driver.contains(.keepsUnnamed) == true ? [] : due
        try abandonNext(node, process)
    }

    /// Once the operation is applied no record can name them any more; applying it deletes the files, here and elsewhere.
    private func abandonNext(_ node: SimulatedNode, _ process: NodeProcess) throws(InvariantViolation) {
        guard let due = process.bodies?.keeper.due, !due.isEmpty else {
            let unnamed = process.bodies?.keeper.unnamed ?? []
            process.bodies?.ledger.passEnded(unnamed: unnamed)
            return try fetchNext(node, process)
        }
        let batch = Array(due.prefix(4))
        process.bodies?.keeper.due.removeFirst(batch.count)
        if mutant?.driver.contains(.abandonsUnasked) == true {
            try delete(batch, node)
            return try abandonNext(node, process)
        }
        statistics.abandonCount += batch.count
        write(.abandon(batch), workload.clients.count + Self.keeperClient + node.number, node)
    }

    /// Clients' numbers from there on are those of nodes.
    static let keeperClient = 1_000

    /// The operation has an outcome, whatever it is: what was not deleted is found again.
    func abandoned(_ node: SimulatedNode) {
        guard node.process?.bodies != nil else { return }
        next(.abandonNext, node)
    }

    /// A read has found a file damaged: it is fetched anew if it is needed.
    private func verify(_ id: BodyID, _ node: SimulatedNode, _ process: NodeProcess) throws(InvariantViolation) {
        guard let length = try names(of: [id], on: node)[0], node.bodies[id]?.isDamaged ?? true else { return }
        process.bodies?.ledger.lack(StoredBody(id: id, length: length))
    }

    // MARK: Fetching

    private func fetchNext(_ node: SimulatedNode, _ process: NodeProcess) throws(InvariantViolation) {
        process.bodies?.keeper.fetch = nil
        let clock = node.clockReading(at: now)
        guard !node.isDiskFull, let body = process.bodies?.ledger.nextFetch(at: clock) else {
            process.bodies?.keeper.isBusy = false
            return try report(node, process)
        }
        // The last name may have gone already.
        guard try names(of: [body.id], on: node)[0] != nil else {
            process.bodies?.ledger.fetched(body.id)
            return next(.fetchNext, node)
        }
        process.bodies?.keeper.fetch = SimulatedFetch(body: body, peers: peers(of: node, process, preferring: nil))
        try readNext(node, process)
    }

    private func peers(of node: SimulatedNode, _ process: NodeProcess, preferring preferred: NodeID?) -> [NodeID] {
        let peers = process.replica.core.configuration.members.filter { $0 != node.id }.shuffled(using: &bodyRandom)
        guard let preferred, peers.contains(preferred) else { return peers }
        return peers.filter { $0 != preferred } + [preferred]
    }

    /// Asks the next peer for the next piece.
    private func readNext(_ node: SimulatedNode, _ process: NodeProcess) throws(InvariantViolation) {
        guard var fetch = process.bodies?.keeper.fetch else { return }
        while let peer = fetch.peers.popLast() {
            guard let number = process.bodies?.nextNumber() else { return }
            fetch.preferred = peer
            let byteCount = min(2 * BodyTimes.pieceByteCount, fetch.body.length - fetch.offset)
            guard
                send(
                    .read(request: number, fetch.body.id, offset: fetch.offset, byteCount: UInt32(byteCount)), to: peer,
                    from: node)
            else { continue }
            fetch.request = (number, node.clockReading(at: now).adding(milliseconds: bodyTimes.readMilliseconds))
            process.bodies?.keeper.fetch = fetch
            return
        }
        process.bodies?.ledger.fetchFailed(fetch.body.id, at: node.clockReading(at: now))
        look(node, process)
    }

    func fetchFailed(_ request: UInt64, _ node: SimulatedNode, _ process: NodeProcess) {
        guard process.bodies?.keeper.fetch?.request?.number == request else { return }
        process.bodies?.keeper.fetch?.request = nil
        next(.readNext, node)
    }

    func fetched(_ answer: BodyBytes, _ node: SimulatedNode, _ process: NodeProcess) {
        guard var fetch = process.bodies?.keeper.fetch, fetch.request?.number == answer.request else { return }
        fetch.request = nil
        fetch.offset += UInt64(answer.bytes.readableBytes)
        fetch.peers = peers(of: node, process, preferring: fetch.preferred)
        process.bodies?.keeper.fetch = fetch
        next(fetch.offset < fetch.body.length ? .readNext : .store, node)
    }

    private func storeFetched(_ node: SimulatedNode, _ process: NodeProcess) throws(InvariantViolation) {
        guard let fetch = process.bodies?.keeper.fetch else { return }
        put(fetch.body, node)
        statistics.fetchCount += 1
        // The last name may have gone while it came.
        if try names(of: [fetch.body.id], on: node)[0] == nil {
            schedule(.work(node.reference, .body(.delete([fetch.body.id]))), after: diskDelay(node, 20...200))
        }
        process.bodies?.ledger.fetched(fetch.body.id)
        look(node, process, pause: isHealing ? 0 : bodyTimes.repair)
    }
}
