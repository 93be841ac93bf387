import KeyValueStore
import Metadata
import ObjectDataStore
import Raft
import Replication

/// The applier at an entry that replaces the state, as the server's: it gets the file, however long that takes, makes a store of it, and lets
/// that one take the place of its own. Entries that come meanwhile wait.
extension Simulation {
    func perform(_ work: RestoreWork, _ node: SimulatedNode, _ process: NodeProcess) throws(InvariantViolation) {
        switch work {
        case .take(let file):
            guard !node.isDiskFull else { return }
            put(file, node)
        case .fetch: try fetchFile(node, process)
        case .replaceState: try replaceMetadata(node, process)
        }
    }

    // MARK: The applier

    /// The next entry may replace the state.
    func reachReplacement(
        _ entry: Entry, _ node: SimulatedNode, _ process: NodeProcess
    ) throws(InvariantViolation) {
        guard let replacement = try replacement(at: entry, node, process) else { return try applyFirst(1, node, process) }
        process.isApplying = true
        if node.bodies[replacement.file.id] == nil { return try waitForFile(replacement, entry, node) }
        makeStore(node)
    }

    private func replacement(
        at entry: Entry, _ node: SimulatedNode, _ process: NodeProcess
    ) throws(InvariantViolation) -> StateReplacement? {
        do throws(ApplyFailure) { return try process.machine.replacement(at: entry) } catch {
            throw InvariantViolation(.noInternalError, "node \(node.id) cannot apply \(entry.index): \(error)")
        }
    }

    private func makeStore(_ node: SimulatedNode) {
        let delay = UInt64(restoreRandom.next(in: 500...20_000)) * node.applierSlowness
        schedule(.work(node.reference, .restore(.replaceState)), after: delay)
    }

    private func waitForFile(
        _ replacement: StateReplacement, _ entry: Entry, _ node: SimulatedNode
    ) throws(InvariantViolation) {
        try checkFileExists(replacement, entry, node)
        schedule(
            .work(node.reference, .restore(.fetch)), after: UInt64(restoreRandom.pick([1_000, 20_000, 100_000])))
    }

    /// Once it is gone everywhere it never comes again.
    private func checkFileExists(
        _ replacement: StateReplacement, _ entry: Entry, _ node: SimulatedNode
    ) throws(InvariantViolation) {
        guard let checker, !checker.bodies.isForced, !node.isWiped,
            let members = checker.committed.configurations.last?.configuration.members, members.contains(node.id)
        else { return }
        guard !nodes.contains(where: { $0.standing == .serves && $0.bodies[replacement.file.id] != nil }) else { return }
        throw InvariantViolation(
            .restoredFilesStay,
            "node \(node.id) needs file \(replacement.file.id) to apply \(entry.index), and no disk has it any more")
    }

    private func fetchFile(_ node: SimulatedNode, _ process: NodeProcess) throws(InvariantViolation) {
        guard process.isApplying, let entry = process.applyQueue.first,
            let replacement = try replacement(at: entry, node, process)
        else { return }
        let members = process.replica.core.configuration.members
        let isFound = nodes.contains { other in
            other.bodies[replacement.file.id] != nil
                && (other === node || members.contains(other.id) && canTalk(node, other))
        }
        guard isFound else { return try waitForFile(replacement, entry, node) }
        // It is no copy that others could count on: it goes as soon as the store is made.
        makeStore(node)
    }

    private func replaceMetadata(_ node: SimulatedNode, _ process: NodeProcess) throws(InvariantViolation) {
        guard process.isApplying, let entry = process.applyQueue.first,
            let replacement = try replacement(at: entry, node, process),
            let checkpoint = restores.contents[replacement.file.id]
        else { preconditionFailure("a store was made of a file that nobody asked for") }
        let store = InMemoryStore(checkpoint: checkpoint)
        var machine = process.machine
        let report: ApplyReport
        do {
            let transaction = store.makeTransaction()
            report = try machine.replaceMetadata(
                with: store.makeSnapshot(), keeping: node.store.makeSnapshot(), at: entry, in: transaction)
            try store.commit(transaction, durability: .synced)
        } catch { throw InvariantViolation(.noInternalError, "node \(node.id) cannot restore at \(entry.index): \(error)") }
        let crash = isHealing ? 2 : restoreRandom.next(below: 24)
        // Before the pointer is written the state is the old one, and the entry will be applied again.
        if crash == 0 { return try stopWhileReplacing(node) }
        node.store = store
        process.machine = machine
        process.isApplying = false
        process.applyQueue.removeFirst()
        statistics.replacementCount += 1
        if crash == 1 { return try stopWhileReplacing(node) }
        try checker?.applied(machine.appliedIndex, digest: machine.digest, on: node.id)
        scheduleApply(node, process)
        try feed(.applied(report), to: node)
    }

    private func stopWhileReplacing(_ node: SimulatedNode) throws(InvariantViolation) {
        try stop(node, losing: .power, reason: "the machine stops while its state is replaced")
        scheduleRestart(node)
    }

    // MARK: Files

    func canTalk(_ node: SimulatedNode, _ other: SimulatedNode) -> Bool {
        other.isUp && other.pausedUntil <= now && !network.isCut(from: node.number, to: other.number)
            && !network.isCut(from: other.number, to: node.number)
    }

    /// The log says that every member has its state.
    func releaseFiles(_ effects: ApplyEffects, _ node: SimulatedNode) throws(InvariantViolation) {
        guard settings.hasRestores else { return }
        try delete(effects.releasedBodies, node)
    }

    /// As the server's keeper does it: while a restore is prepared nothing is deleted, and nothing that one needs.
    func discard(
        _ file: BodyID, _ node: SimulatedNode, _ process: NodeProcess
    ) throws(InvariantViolation) {
        let restore = process.machine.restore
        guard restore.preparation == nil, !restore.unsettled.contains(where: { $0.file.id == file }) else { return }
        try delete([file], node)
    }
}
