package import KeyValueStore
import Logging
import NIOCore
import NIOPosix
import Synchronization

/// A write that waits, and who waits for it.
struct PendingWrite: Sendable {
    var operation: MetadataOperation
    var arrival: NIODeadline
    var completion: @Sendable (WriteResult) -> Void
}

/// The one thread that writes: it applies what waits as one transaction, makes that durable with one sync, publishes the new
/// view and answers the callers (group commit).
///
///     callers ─► queue ─► apply each ─► commit, synced ─► publish view ─► release bodies ─► resume callers
///                  ▲                        │
///                  └── what arrives meanwhile makes the next group
///
/// A group that meets damage in the store is committed without the write that met it; that one's caller gets the error.
/// When a commit fails, nobody can say what reached the disk: its callers get `.unknownOutcome`, later ones `.unavailable`
/// with the reason, until the engine is opened anew; reads go on. (The store refuses writes from then on for the same reason.)
package final class GroupWriter<Store: KeyValueStore>: Sendable {
    private struct Proposals {
        var queue = WriteQueue<PendingWrite>()
        var stamp: ProposalStamp
    }

    private let store: Store
    private let proposals: Mutex<Proposals>
    /// Used by the drainer alone; locked for as long as a group takes, without contention.
    private let machine: Mutex<MetadataStateMachine>
    private let thread = NIOThreadPool(numberOfThreads: 1)
    private let publication: EnginePublication<Store.Snapshot>
    private let lifetimes: BodyLifetimes
    private let space: SpaceReserve
    private let metrics = EngineMetrics()
    private let logger: Logger

    init(
        store: Store, machine: MetadataStateMachine, publication: EnginePublication<Store.Snapshot>,
        lifetimes: BodyLifetimes, space: SpaceReserve, clock: @escaping @Sendable () -> UInt64, logger: Logger
    ) {
        self.store = store
        // Each start's first id is greater than all of an earlier one: an operation has at least one index.
        let stamp = ProposalStamp(clock: clock, lastOperationID: machine.appliedIndex)
        proposals = Mutex(Proposals(stamp: stamp))
        self.machine = Mutex(machine)
        self.publication = publication
        self.lifetimes = lifetimes
        self.space = space
        self.logger = logger
        thread.start()
    }

    // MARK: Callers

    /// Completes when the write is durable and visible, or known not to be made; on the writing thread, which must not be kept.
    func write(_ payload: MetadataOperation.Payload, completion: @escaping @Sendable (WriteResult) -> Void) {
        let byteCount = payload.approximateByteCount
        let admission = proposals.withLock { proposals in
            var stamp = proposals.stamp
            let admission = proposals.queue.add(byteCount) {
                PendingWrite(operation: stamp.operation(payload), arrival: .now(), completion: completion)
            }
            proposals.stamp = stamp
            // Within the lock, so that `close` cannot come between the queueing and the drainer's start.
            if case .queuedAsFirst = admission { thread.submit { [self] _ in drain() } }
            return admission
        }
        if case .refused(let error) = admission { completion(.notApplied(error)) }
    }

    /// Refuses further writes, waits for those under way, and stops the thread.
    func close() async {
        proposals.withLock { $0.queue.close() }
        // The thread takes its work in order: behind the drainer, if one is at work.
        _ = await thread.runBlocking {}
        try? await thread.shutdownGracefully()
    }

    var waitingCount: Int { proposals.withLock { $0.queue.count } }

    /// Why no more writes are taken, if a commit failed.
    var failure: MetadataError? { proposals.withLock { $0.queue.failure } }

    // MARK: The drainer

    private func drain() {
        while true {
            let (batch, left) = proposals.withLock { ($0.queue.takeBatch(), $0.queue.count) }
            metrics.queued(left)
            if batch.isEmpty { return }
            machine.withLock { write(batch, &$0) }
        }
    }

    /// Commits the writes in as few groups as possible: one, unless one of them meets damage.
    private func write(_ batch: [PendingWrite], _ machine: inout MetadataStateMachine) {
        var groups = [space.admit(batch) { answer([$0], .notApplied($1)) }[...]]
        while let group = groups.popLast() {
            if group.isEmpty { continue }
            switch commit(group, &machine) {
            case .committed: continue
            case .damaged(let position, let failure):
                let write = group[position]
                logger.error(
                    "a write met damage in the store",
                    metadata: ["operation": "\(write.operation.opType)", "error": "\(failure)"])
                answer([write], .notApplied(failure.metadataError))
                groups.append(group[(position + 1)...])
                groups.append(group[..<position])
                guard reload(&machine, failing: groups) else { return }
            case .failed(let error):
                stop(error.detail)
                answer(group, .notApplied(MetadataError(.unknownOutcome, error.detail)))
                for group in groups { answer(group, .notApplied(MetadataError(.unavailable, error.detail))) }
                return
            }
        }
    }

    private enum GroupResult {
        case committed
        /// Nothing was committed, and the state machine must be loaded anew.
        case damaged(at: Int, MetadataStoreFailure)
        case failed(KeyValueStoreError)
    }

    private func commit(_ group: ArraySlice<PendingWrite>, _ machine: inout MetadataStateMachine) -> GroupResult {
        let transaction = store.makeTransaction()
        var effects = ApplyEffects()
        var outcomes: [MetadataOutcome] = []
        outcomes.reserveCapacity(group.count)
        for (position, write) in zip(group.indices, group) {
            do throws(MetadataStoreFailure) {
                outcomes.append(
                    try machine.apply(write.operation, at: machine.appliedIndex + 1, in: transaction, effects: &effects))
            } catch { return .damaged(at: position, error) }
        }
        machine.finishBatch(in: transaction)
        let start = NIODeadline.now()
        do throws(KeyValueStoreError) {
            try store.commit(transaction, durability: .synced)
        } catch { return .failed(error) }
        metrics.committed(
            batchCount: group.count, nanoseconds: (NIODeadline.now() - start).nanoseconds, appliedIndex: machine.appliedIndex)
        publish(machine, effects)
        // After the publication: see `BodyLifetimes`.
        lifetimes.release(effects.releasedBodies)
        for (write, outcome) in zip(group, outcomes) { answer([write], .applied(outcome)) }
        return .committed
    }

    private func publish(_ machine: MetadataStateMachine, _ effects: ApplyEffects) {
        guard let old = try? publication.view() else { return }
        let snapshot = store.makeSnapshot()
        var buckets = old.buckets
        buckets.update(effects.changedBuckets, MetadataReader(snapshot, tier: .all))
        publication.publish(
            EngineView(
                snapshot: snapshot, applied: AppliedRecord(index: machine.appliedIndex, digest: machine.digest),
                buckets: buckets))
    }

    // MARK: Failures

    /// False: the store cannot even be read, and all writes that wait have been answered.
    private func reload(_ machine: inout MetadataStateMachine, failing groups: [ArraySlice<PendingWrite>]) -> Bool {
        do throws(MetadataStoreFailure) {
            machine = try MetadataStateMachine(loading: store.makeSnapshot())
            return true
        } catch {
            stop(error.description)
            for group in groups { answer(group, .notApplied(error.metadataError)) }
            return false
        }
    }

    /// Refuses all further writes, with the reason.
    private func stop(_ reason: String) {
        logger.critical("the store failed: no more writes until it is opened anew", metadata: ["error": "\(reason)"])
        let refusal = MetadataError(.unavailable, "writes have stopped: \(reason)")
        let waiting = proposals.withLock { $0.queue.fail(refusal) }
        answer(waiting, .notApplied(refusal))
    }

    private func answer(_ writes: some Collection<PendingWrite>, _ result: WriteResult) {
        let now = NIODeadline.now()
        for write in writes {
            metrics.wrote(EngineMetrics.Outcome(result), nanoseconds: (now - write.arrival).nanoseconds)
            write.completion(result)
        }
    }
}
