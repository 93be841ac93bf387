import KeyValueStore
import Metadata
import ObjectDataStore
import Raft
import Replication

/// Operators keep snapshot files, and restore one now and then through some node.
///
/// ```
///   begin ─► the file goes to members ─► who holds it, and deletes nothing? ─► replace
///     └────────────────────────────────────────────────────────────────────► cancel, as often as it takes ─► discard the file
/// ```
extension Simulation {
    func scheduleRestoreTurn() {
        schedule(.restore(.keepOrRestore), after: UInt64(restoreRandom.next(in: 100_000...600_000)))
    }

    func perform(_ turn: RestoreTurn) throws(InvariantViolation) {
        switch turn {
        case .keepOrRestore: try keepOrRestore()
        case .spread(let number): try spread(number)
        case .look(let number): look(number)
        case .discard(let file, let number):
            let node = nodes[number - 1]
            if let process = node.process { try discard(file, node, process) }
        case .cancel(let number):
            if let attempt = restores.attempts[number] { propose(.cancel(attempt.id), attempt) }
        }
    }

    /// What restores have still to do before the cluster is calm; nil: nothing.
    func restoreObstacle(_ leader: SimulatedNode) -> String? {
        guard settings.hasRestores else { return nil }
        // Whose disk is another one, or was removed, has no say any more.
        let members = healthyMembers.map(\.number)
        let open = Array(restores.attempts.values) + restores.calls.values.map(\.attempt)
        if let number = open.filter({ members.contains($0.coordinator.node) }).map(\.number).min() {
            return "restore \(number) has not ended"
        }
        guard let restore = leader.process?.replica.restore else { return nil }
        if let preparation = restore.preparation {
            return "restore \(preparation.restore) is being prepared, and nobody goes on with it"
        }
        return restore.unsettled.first.map { "the restore at \($0.index) is not settled" }
    }

    private func keepOrRestore() throws(InvariantViolation) {
        guard !isHealing else { return }
        scheduleRestoreTurn()
        let candidates = nodes.filter { $0.isUp && $0.cluster != nil && $0.pausedUntil <= now }
        guard workload.isSetUp, checker != nil, let node = candidates.randomElement(using: &restoreRandom) else { return }
        if restores.backups.isEmpty || restoreRandom.chance(1, in: 3) { return try keepBackup(of: node) }
        // Now and then two at once, of which one is refused.
        let count = restores.attempts.count
        guard count == 0 || count < SimulatedRestores.attemptCountMax && restoreRandom.chance(1, in: 4) else { return }
        begin(restoreRandom.pick(restores.backups), node)
    }

    // MARK: Snapshot files

    private func keepBackup(of node: SimulatedNode) throws(InvariantViolation) {
        guard let machine = node.process?.machine, machine.state.genesis != nil, node.process?.isReplacing == false else {
            return
        }
        restores.backupCount += 1
        let name = "backup \(restores.backupCount)"
        do {
            try node.store.createCheckpoint(at: name)
            guard let checkpoint = node.store.checkpoint(at: name), let values = try values(in: node) else { return }
            let backup = SimulatedBackup(
                checkpoint: checkpoint, index: machine.appliedIndex, digest: machine.digest, values: values)
            if restores.backups.count == SimulatedRestores.backupCountMax { restores.backups.removeFirst() }
            restores.backups.append(backup)
        } catch { throw InvariantViolation(.equalStates, "the state of node \(node.id) cannot be kept: \(error)") }
    }

    /// What clients would read; nil: not all is there yet that they count on.
    private func values(in node: SimulatedNode) throws -> [KeyedHistory.Object: UInt64]? {
        let reader = MetadataReader(node.store.makeSnapshot(), tier: .all)
        var values: [KeyedHistory.Object: UInt64] = [:]
        for name in Workload.buckets {
            guard let bucket = try reader.bucket(named: name),
                name != Workload.versionedBucket || bucket.versioning == .enabled
            else { return nil }
            for key in Workload.keys(of: name) {
                guard let record = try reader.newest(of: Action.key(key), in: bucket)?.record,
                    !record.flags.contains(.isDeleteMarker)
                else { continue }
                values[KeyedHistory.Object(bucket: name, key: key)] = Action.value(record.etag)
            }
        }
        return values
    }

    // MARK: Steps

    private func begin(_ backup: SimulatedBackup, _ node: SimulatedNode) {
        restores.attemptCount += 1
        statistics.restoreCount += 1
        let number = restores.attemptCount
        let attempt = RestoreAttempt(
            number: number, id: RestoreID(high: restoreRandom.next(), low: number), coordinator: node.reference,
            backup: backup,
            file: StoredBody(
                id: BodyID(origin: 0x7265_7374_6f72, sequence: number), length: UInt64(restoreRandom.next(in: 1...1_000))))
        restores.attempts[number] = attempt
        restores.contents[attempt.file.id] = backup.checkpoint
        checker?.reference.keep(attempt.file.id, backup.checkpoint)
        note("restore \(number) of the state at \(backup.index) begins at node \(node.number)")
        propose(.begin(attempt.id), attempt)
    }

    private func note(_ text: String) { trace.note(.fault(text), node: 0, at: now) }

    /// - Precondition: its coordinator is there.
    private func propose(_ step: RestoreStep, _ attempt: RestoreAttempt) {
        let node = nodes[attempt.coordinator.node - 1]
        tokenCount += 1
        restores.calls[tokenCount] = RestoreCall(attempt: attempt, step: step, invoked: now)
        let deadline = node.clockReading(at: now).adding(
            milliseconds: UInt64(restoreRandom.pick([300, 2_000, 10_000])))
        schedule(
            .work(
                node.reference,
                .replica(
                    .propose(
                        Proposal(
                            token: RequestToken(tokenCount), kind: .restore, operation: step.encoded(), deadline: deadline)))),
            after: UInt64(restoreRandom.next(in: 20...200)))
    }

    /// Members that the coordinator can talk to, itself among them.
    private func reach(of attempt: RestoreAttempt) -> (members: [NodeID], reach: [SimulatedNode]) {
        let node = nodes[attempt.coordinator.node - 1]
        let members = node.process?.replica.core.configuration.members ?? []
        return (members, members.compactMap { self.node($0) }.filter { $0 === node || canTalk(node, $0) })
    }

    private func spread(_ number: UInt64) throws(InvariantViolation) {
        guard let attempt = restores.attempts[number] else { return }
        let node = nodes[attempt.coordinator.node - 1]
        if !isHealing, restoreRandom.chance(1, in: 12) {
            try stop(node, losing: .kill, reason: "killed while it restores")
            return scheduleRestart(node)
        }
        if restoreRandom.chance(1, in: 10) { return propose(.cancel(attempt.id), attempt) }
        let (members, reach) = reach(of: attempt)
        var takers = reach.shuffled(using: &restoreRandom)
        switch restoreRandom.next(below: 4) {
        case 0: takers = Array(takers.prefix(restoreRandom.next(in: 0...takers.count)))
        case 1, 2: takers = Array(takers.prefix(members.count / 2 + 1))
        default: break
        }
        for taker in takers {
            schedule(
                .work(taker.reference, .restore(.take(attempt.file))), after: UInt64(restoreRandom.next(in: 1_000...50_000)))
        }
        schedule(.restore(.look(number)), after: UInt64(restoreRandom.next(in: 60_000...300_000)))
    }

    /// Members say that they hold the file only while they delete nothing.
    private func look(_ number: UInt64) {
        guard var attempt = restores.attempts[number], let core = nodes[attempt.coordinator.node - 1].process?.replica.core
        else { return }
        attempt.lookCount += 1
        restores.attempts[number] = attempt
        var holders = reach(of: attempt).reach.filter { node in
            node.bodies[attempt.file.id] != nil && node.process?.machine.restore.preparation?.restore == attempt.id
        }.map(\.id)
        let isQuorum = core.configuration.quorum.vote { holders.contains($0) } == .won
        if !isQuorum, attempt.lookCount < 5 {
            return schedule(.restore(.look(number)), after: UInt64(restoreRandom.next(in: 20_000...200_000)))
        }
        // Now and then one that the log must refuse.
        if isQuorum, restoreRandom.chance(1, in: 8) { holders = Array(holders.prefix(1)) }
        if isQuorum, restoreRandom.chance(1, in: 8) {
            // Called off meanwhile; which of the two comes first in the log is not known.
            attempt.isInDoubt = true
            propose(.cancel(attempt.id), attempt)
        }
        guard isQuorum || restoreRandom.chance(1, in: 2) else { return propose(.cancel(attempt.id), attempt) }
        let replacement = StateReplacement(
            restore: attempt.id, file: attempt.file, holders: [holders.sorted()], snapshot: UInt128(number),
            index: attempt.backup.index, digest: attempt.backup.digest)
        propose(.replace(replacement), attempt)
    }

    // MARK: Outcomes

    func completed(_ call: RestoreCall, _ outcome: ProposalOutcome) throws(InvariantViolation) {
        var replaced: RestoreID?
        if case .replace(let replacement) = call.step { replaced = replacement.restore }
        try checker?.answered(outcome, replacing: replaced, at: now)
        var isDone = false
        if case .committed(_, let result) = outcome { isDone = result == .change(.success(.done)) }
        let number = call.attempt.number
        switch call.step {
        case .begin:
            guard isDone else { return propose(.cancel(call.attempt.id), call.attempt) }
            schedule(.restore(.spread(number)), after: UInt64(restoreRandom.next(in: 2_000...200_000)))
        case .replace:
            if isDone {
                statistics.restoredCount += 1
                note("restore \(number) is in effect")
                record(call, isKnown: true)
                restores.attempts[number] = nil
                return
            }
            if case .committed = outcome { statistics.refusedRestoreCount += 1 }
            var attempt = call.attempt
            if case .unknown = outcome {
                record(call, isKnown: false)
                attempt.isInDoubt = true
            }
            propose(.cancel(attempt.id), attempt)
        case .cancel:
            // A preparation that stays open keeps everybody from restoring.
            if case .committed = outcome { return giveUp(call.attempt) }
            guard restores.attempts[number] != nil else { return }
            restores.attempts[number] = call.attempt
            schedule(.restore(.cancel(number)), after: UInt64(restoreRandom.next(in: 50_000...200_000)))
        }
    }

    /// Nothing will name the file, unless that is in doubt: then it is left.
    private func giveUp(_ attempt: RestoreAttempt) {
        restores.attempts[attempt.number] = nil
        guard !attempt.isInDoubt else { return }
        for node in reach(of: attempt).reach {
            // The word may be given to the next process, which has to apply the log again.
            schedule(
                .restore(.discard(attempt.file.id, node: node.number)),
                after: UInt64(restoreRandom.next(in: 1_000...restoreRandom.pick([50_000, 1_000_000]))))
        }
    }

    /// At the end: of these nobody will ever know.
    func recordOpenRestores() {
        for (_, call) in restores.calls.sorted(by: { $0.key < $1.key }) {
            if case .replace = call.step { record(call, isKnown: false) }
        }
    }

    /// A process is gone, and with it what it restored.
    func loseRestores(on node: SimulatedNode) {
        func isLost(_ attempt: RestoreAttempt) -> Bool {
            attempt.coordinator.node == node.number && attempt.coordinator.life < node.life
        }
        for token in restores.calls.filter({ isLost($0.value.attempt) }).keys.sorted() {
            guard let call = restores.calls.removeValue(forKey: token) else { continue }
            if case .replace = call.step { record(call, isKnown: false) }
        }
        restores.attempts = restores.attempts.filter { !isLost($0.value) }
    }

    // MARK: The history

    /// For each key a restore is one write: of the value in the file, or of nothing.
    private func record(_ call: RestoreCall, isKnown: Bool) {
        // No client's.
        let client = -1
        let values = call.attempt.backup.values
        for bucket in Workload.buckets {
            for key in Workload.keys(of: bucket) {
                let object = KeyedHistory.Object(bucket: bucket, key: key)
                workload.objects.add(
                    HistoryOperation(
                        client: client, call: .restore(values[object]), invoked: call.invoked,
                        outcome: isKnown ? HistoryOperation<RegisterModel>.Outcome(.done, returned: now) : nil),
                    on: object)
            }
        }
        let small = Workload.keys(of: Workload.smallBucket).sorted().compactMap { key in
            values[KeyedHistory.Object(bucket: Workload.smallBucket, key: key)].map { BucketModel.Object(key: key, value: $0) }
        }
        workload.small.append(
            HistoryOperation(
                client: client, call: .restore(small), invoked: call.invoked,
                outcome: isKnown ? HistoryOperation<BucketModel>.Outcome(.done, returned: now) : nil))
    }
}
