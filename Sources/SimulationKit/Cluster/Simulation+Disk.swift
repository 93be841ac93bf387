import FileSystem
import KeyValueStore
import Metadata
import Raft
import RaftStorage
import Replication

/// The log's writer of a node: one write at a time, and what has come meanwhile goes into the next.
extension Simulation {
    func diskDelay(_ node: SimulatedNode, _ range: ClosedRange<Int>) -> UInt64 {
        UInt64(diskRandom.next(in: range)) * node.diskSlowness
    }

    func queueLog(_ work: LogWork, _ node: SimulatedNode, _ process: NodeProcess) throws(InvariantViolation) {
        process.logQueue.append(work)
        try pumpLog(node, process)
    }

    /// Hands the log what waits for it, and begins a write if none is under way.
    func pumpLog(_ node: SimulatedNode, _ process: NodeProcess) throws(InvariantViolation) {
        var takenCount = 0
        taking: while !process.isReplacing, takenCount < process.logQueue.count {
            switch process.logQueue[takenCount] {
            case .append(let append):
                guard try hand(LogBatch(append), node, process) else { break taking }
                process.newestToken = append.token
            case .compact(let mark, let floor):
                process.log.retentionFloor = floor
                guard try hand(LogBatch(snapshot: .compaction(mark)), node, process) else { break taking }
            case .install, .found:
                // All before it must be durable; and nothing overtakes it.
                guard takenCount == 0, process.unsynchronizedCount == 0, !process.isDiskBusy, !process.isApplying else {
                    break taking
                }
                process.isReplacing = true
                schedule(.work(node.reference, .replaceState), after: diskDelay(node, 500...5_000))
                break taking
            }
            process.unsynchronizedCount += 1
            takenCount += 1
        }
        guard node.process === process else { return }
        process.logQueue.removeFirst(takenCount)
        if process.unsynchronizedCount > 0, !process.isDiskBusy {
            process.isDiskBusy = true
            schedule(.work(node.reference, .writeLog), after: diskDelay(node, 20...200))
        }
    }

    /// - Returns: false if the log does not take it now.
    private func hand(
        _ batch: LogBatch, _ node: SimulatedNode, _ process: NodeProcess
    ) throws(InvariantViolation) -> Bool {
        do throws(LogError) {
            try process.log.append(batch)
            return true
        } catch {
            if case .noSpace = error {
                schedule(.work(node.reference, .retryLog), after: 20_000)
            } else {
                try logFailed(error, node)
            }
            return false
        }
    }

    func writeLog(_ node: SimulatedNode, _ process: NodeProcess) throws(InvariantViolation) {
        process.writingCount = process.unsynchronizedCount
        process.writingToken = process.newestToken
        checker?.writing(node.id, count: process.writingCount)
        do throws(LogError) {
            try process.log.write()
            schedule(.work(node.reference, .synchronizeLog), after: diskDelay(node, 60...800))
        } catch { try logFailed(error, node) }
    }

    func synchronizeLog(_ node: SimulatedNode, _ process: NodeProcess) throws(InvariantViolation) {
        // Sometimes a synchronization comes late, and is of two writes.
        if process.unsynchronizedCount > process.writingCount, diskRandom.chance(1, in: 4) {
            return try writeLog(node, process)
        }
        do throws(LogError) {
            try process.log.synchronize()
        } catch { return try logFailed(error, node) }
        process.isDiskBusy = false
        process.unsynchronizedCount -= process.writingCount
        try checker?.synchronized(node.id)
        if let token = process.writingToken {
            process.writingToken = nil
            if process.newestToken == token { process.newestToken = nil }
            try feed(.logWritten(token: token), to: node)
        }
        guard node.process === process else { return }
        try maintain(node, process)
        guard node.process === process else { return }
        try pumpLog(node, process)
    }

    private func maintain(_ node: SimulatedNode, _ process: NodeProcess) throws(InvariantViolation) {
        do throws(LogError) { try process.log.maintain() } catch { try logFailed(error, node) }
    }

    func retryLog(_ node: SimulatedNode, _ process: NodeProcess) throws(InvariantViolation) {
        try maintain(node, process)
        guard node.process === process else { return }
        try pumpLog(node, process)
    }

    /// The machine has stopped inside the operation, or its disk has failed for good.
    private func logFailed(_ error: LogError, _ node: SimulatedNode) throws(InvariantViolation) {
        if node.fileSystem.isHalted {
            try stop(node, losing: .power, reason: "the machine stops inside an operation of its disk")
            scheduleRestart(node)
            return
        }
        try feed(.logFailed(detail: "\(error)"), to: node)
    }

    func fetch(_ fetch: LogFetch, _ node: SimulatedNode, _ process: NodeProcess) throws(InvariantViolation) {
        let entries: [Entry]
        do throws(LogError) {
            entries = try process.log.entries(from: fetch.first, through: fetch.last, byteCountMax: fetch.byteCountMax)
        } catch {
            switch error {
            case .compacted, .beyondEnd: entries = []
            case .file, .failed, .refused, .noSpace, .entryTooLarge, .queueFull, .closed: return try logFailed(error, node)
            }
        }
        try feed(.logFetched(fetch, entries), to: node)
    }

    // MARK: Replacing the state

    /// The genesis or a snapshot takes the place of the state, and then of the log.
    func replaceState(_ node: SimulatedNode, _ process: NodeProcess) throws(InvariantViolation) {
        guard let work = process.logQueue.first else { return }
        switch work {
        case .install(let id, let append):
            guard node.reception?.offer.id == id, let checkpoint = checkpoints[id] else {
                return try feed(.installFailed(detail: "its snapshot is not there"), to: node)
            }
            // The state first; a crash before the log follows is completed by recovery.
            let isLogFirst = mutant?.driver.contains(.replacesLogFirst) == true
            if process.hasBegunReplacing == isLogFirst {
                try install(id, checkpoint, node, process)
            } else {
                guard try makeDurable(LogBatch(append), node, process) else { return }
            }
            guard process.hasBegunReplacing else {
                process.hasBegunReplacing = true
                schedule(.work(node.reference, .replaceState), after: diskDelay(node, 500...5_000))
                return
            }
            finishReplacing(node, process)
            node.reception = nil
            try checker?.applied(process.machine.appliedIndex, digest: process.machine.digest, on: node.id)
            let installed = InstalledState(state: process.machine.state, results: try results(node, process))
            try feed(.installed(token: append.token, installed), to: node)
        case .found(let genesis):
            // The state first, here too.
            try write(genesis, node, &process.machine)
            node.installedIndex = genesis.index
            try founding(genesis, node)
            let mark = LogBatch(
                snapshot: .installation(genesis.mark), hardState: HardState(term: genesis.mark.term, vote: nil, commit: .zero))
            do throws(LogError) { try putDurably(mark, process.log) } catch { return try logFailed(error, node) }
            if let checker {
                checker.founded(node.id, process.log.contents.hardState, try checker.image(restartedAt: genesis.mark))
            }
            finishReplacing(node, process)
            try feed(.founded(genesis), to: node)
        case .append, .compact: preconditionFailure("only these two replace the state")
        }
        guard node.process === process else { return }
        try pumpLog(node, process)
    }

    private func install(
        _ id: SnapshotID, _ checkpoint: InMemoryStore.Checkpoint, _ node: SimulatedNode, _ process: NodeProcess
    ) throws(InvariantViolation) {
        node.store = InMemoryStore(checkpoint: checkpoint)
        process.machine = try loadMachine(node, process.settings)
        node.installedIndex = id.index
        process.applyQueue = []
        statistics.installCount += 1
        try replacedBodies(node, process)
    }

    private func finishReplacing(_ node: SimulatedNode, _ process: NodeProcess) {
        process.logQueue.removeFirst()
        process.isReplacing = false
        process.hasBegunReplacing = false
    }

    private func makeDurable(
        _ batch: LogBatch, _ node: SimulatedNode, _ process: NodeProcess
    ) throws(InvariantViolation) -> Bool {
        checker?.writing(node.id, count: 1)
        do throws(LogError) { try putDurably(batch, process.log) } catch {
            try logFailed(error, node)
            return false
        }
        try checker?.synchronized(node.id)
        return true
    }

    func putDurably(_ batch: LogBatch, _ log: SegmentedLog) throws(LogError) {
        try log.append(batch)
        try log.write()
        try log.synchronize()
    }

    private func results(_ node: SimulatedNode, _ process: NodeProcess) throws(InvariantViolation) -> [SessionResult] {
        do {
            return try process.machine.results(of: node.id)
        } catch { throw InvariantViolation(.noInternalError, "node \(node.id) cannot read its session: \(error)") }
    }

    func write(
        _ genesis: Genesis, _ node: SimulatedNode, _ machine: inout ReplicatedStateMachine
    ) throws(InvariantViolation) {
        do {
            let transaction = node.store.makeTransaction()
            machine.found(genesis, in: transaction)
            try node.store.commit(transaction, durability: .synced)
        } catch { throw InvariantViolation(.noInternalError, "node \(node.id) cannot write the genesis: \(error)") }
    }

    func loadMachine(
        _ node: SimulatedNode, _ settings: ReplicaSettings
    ) throws(InvariantViolation) -> ReplicatedStateMachine {
        do {
            return try ReplicatedStateMachine(
                loading: node.store.makeSnapshot(), supporting: settings.version, mutations: settings.mutations)
        } catch { throw InvariantViolation(.noInternalError, "node \(node.id) cannot load its state: \(error)") }
    }
}
