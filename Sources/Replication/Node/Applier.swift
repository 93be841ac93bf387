import KeyValueStore
import Metadata
import ObjectDataStore
import Raft
import RaftStorage
import Synchronization

/// The one thread that changes the state: applies committed entries, as many as wait in one batch, and publishes what readers see.
///
/// ```
///   entries ─► apply each ─► commit (one batch, applied index inside) ─► publish the view ─► report
///      ▲                          │
///      └── what comes meanwhile makes the next batch
/// ```
///
/// The store writes no log of its own: after a crash the Raft log is applied again from where the store was flushed.
/// An error is final for the node: what the store holds is for the next start to find out.
final class Applier: Sendable {
    enum Work: Sendable {
        case apply([Entry])
        case found(Genesis)
        case install(SnapshotID)
    }

    enum Event: Sendable {
        /// Of so many entries.
        case applied(ApplyReport, Int)
        case applyFailed(ApplyFailure)
        /// The genesis is the state, durably.
        case founded(Genesis)
        /// The snapshot is the state, durably; readers see the old one until `publishReplaced`.
        case installed(SnapshotID, InstalledState)
        case failed(detail: String)
    }

    /// What the thread owns.
    private struct State {
        var store: RocksDBStore
        var machine: ReplicatedStateMachine
    }

    private struct Queue {
        var work: [Work] = []
        /// The file of a replacement of the state is there, or cannot be had.
        var file: FileOutcome?
        var isClosed = false
    }

    /// Writes the file of a replacement of the state to a path. Returns when it is there, however long that takes; false when nobody wants it
    /// any more (the task is cancelled).
    typealias FileSource = @Sendable (StoredBody, String) async -> Bool

    private enum FileOutcome {
        case isThere, isGone
    }

    private let storage: StateStorage
    private let node: NodeID
    private let supportedVersion: ClusterVersion
    private let countMax: Int
    private let byteCountMax: Int
    private let publication: EnginePublication<RocksDBSnapshot>
    private let bodies: NodeBodies
    private let files = Mutex<FileSource?>(nil)
    private let metrics: ReplicationMetrics
    private let onEvent: @Sendable (Event) -> Void
    private let queue = Monitor(Queue())
    /// Used by the thread; taking snapshots only asks for the store.
    private let state: Mutex<State>
    private let thread = Mutex<PlainThread?>(nil)

    init(
        store: RocksDBStore, machine: ReplicatedStateMachine, storage: StateStorage, configuration: RaftNodeConfiguration,
        publication: EnginePublication<RocksDBSnapshot>, bodies: NodeBodies, metrics: ReplicationMetrics,
        onEvent: @escaping @Sendable (Event) -> Void
    ) {
        state = Mutex(State(store: store, machine: machine))
        self.storage = storage
        node = configuration.nodeID
        supportedVersion = configuration.replica.version
        countMax = configuration.applyCountMax
        byteCountMax = configuration.applyByteCountMax
        self.publication = publication
        self.bodies = bodies
        self.metrics = metrics
        self.onEvent = onEvent
    }

    func start() throws(ThreadError) {
        let started = try PlainThread { [self] in run() }
        thread.withLock { $0 = started }
    }

    /// Where files of replacements come from. Before the first entry is applied.
    func takeFiles(from source: @escaping FileSource) { files.withLock { $0 = source } }

    func submit(_ work: Work) { queue.change { $0.work.append(work) } }

    /// Finishes what waits, ends the thread and closes the store. Blocks.
    func close() {
        queue.change { $0.isClosed = true }
        let ending = thread.withLock { thread in
            defer { thread = nil }
            return thread
        }
        ending?.join()
        publication.close()
        store.close()
    }

    /// What readers see; nil once it is closed.
    var published: AppliedRecord? { (try? publication.view())?.applied }

    /// The store of now.
    var store: RocksDBStore { state.withLock { $0.store } }

    // MARK: The thread

    private func run() {
        while true {
            let work = queue.wait(
                until: { !$0.work.isEmpty || $0.isClosed },
                then: { queue in
                    defer { queue.work = [] }
                    return queue.work
                })
            if work.isEmpty { return }
            guard perform(work) else { return }
        }
    }

    /// - Returns: false after an error.
    private func perform(_ work: [Work]) -> Bool {
        var entries: [Entry] = []
        for item in work {
            switch item {
            case .apply(let more): entries += more
            case .found(let genesis):
                guard apply(&entries), found(genesis) else { return false }
            case .install(let id):
                guard apply(&entries), install(id) else { return false }
            }
        }
        return apply(&entries)
    }

    /// Applies the entries in as few batches as the limits allow.
    private func apply(_ entries: inout [Entry]) -> Bool {
        var rest = entries[...]
        entries = []
        while !rest.isEmpty {
            var byteCount = 0
            var count = 0
            if let first = rest.first, first.mayReplaceState {
                rest = rest.dropFirst()
                guard applyReplacement(first) else { return false }
                continue
            }
            for entry in rest {
                if entry.mayReplaceState { break }
                guard count == 0 || count < countMax && byteCount + entry.payload.count <= byteCountMax else { break }
                byteCount += entry.payload.count
                count += 1
                if entry.marksDigest { break }
            }
            let batch = Array(rest.prefix(count))
            rest = rest.dropFirst(count)
            guard apply(batch) else { return false }
        }
        return true
    }

    private func apply(_ batch: [Entry]) -> Bool {
        let begin = ContinuousClock.now
        let result = state.withLock { state in
            Result { () throws(ApplyFailure) in
                let transaction = state.store.makeTransaction()
                let report = try state.machine.apply(batch, in: transaction)
                // No crash may take this replica back to before a restore was begun: it would release bodies once more that were sent since.
                let durability: WriteDurability = report.restore == nil ? .buffered : .synced
                do throws(KeyValueStoreError) {
                    try state.store.commit(transaction, durability: durability)
                } catch { throw .store(.store(error)) }
                publish(state, report.effects)
                return report
            }
        }
        switch result {
        case .success(let report):
            // After the publication: see `BodyLifetimes`.
            if let restore = report.restore { bodies.hold.apply(restore) }
            bodies.ledger.applied(
                named: report.effects.referencedBodies, released: report.effects.releasedBodies, upTo: report.index)
            bodies.lifetimes.release(report.effects.releasedBodies)
            metrics.applied(batch.count, index: report.index, in: ContinuousClock.now - begin)
            onEvent(.applied(report, batch.count))
            return true
        case .failure(let failure):
            onEvent(.applyFailed(failure))
            return false
        }
    }

    private func publish(_ state: State, _ effects: ApplyEffects) {
        guard let old = try? publication.view() else { return }
        let snapshot = state.store.makeSnapshot()
        var buckets = old.buckets
        buckets.update(effects.changedBuckets, MetadataReader(snapshot, tier: .all))
        publication.publish(
            EngineView(
                snapshot: snapshot,
                applied: AppliedRecord(index: state.machine.appliedIndex.rawValue, digest: state.machine.digest),
                buckets: buckets))
    }

    // MARK: The state of a snapshot file

    private func applyReplacement(_ entry: Entry) -> Bool {
        do throws(ApplyFailure) {
            let replacement = try state.withLock { state throws(ApplyFailure) in try state.machine.replacement(at: entry) }
            guard let replacement else { return apply([entry]) }
            guard waitForFile(replacement.file) else { return false }
            let report = try replaceState(replacement, entry)
            do throws(MetadataReadError) { try publishReplaced() } catch {
                throw .replacement(entry.index, reason: "it cannot be read: \(error)")
            }
            onEvent(.applied(report, 1))
            return true
        } catch {
            onEvent(.applyFailed(error))
            return false
        }
    }

    /// What comes meanwhile waits, as it would for the disk. - Returns: false: the node is closing.
    private func waitForFile(_ file: StoredBody) -> Bool {
        guard let source = files.withLock({ $0 }) else { preconditionFailure("nobody has files") }
        let path = storage.restoringPath
        let task = Task {
            let isThere = await source(file, path)
            queue.change { $0.file = isThere ? .isThere : .isGone }
        }
        let outcome = queue.wait(
            until: { $0.file != nil || $0.isClosed },
            then: { queue in
                defer { queue.file = nil }
                return queue.isClosed ? .isGone : queue.file
            })
        if outcome != .isThere { task.cancel() }
        return outcome == .isThere
    }

    /// Only this thread changes the state; the lock is for those who ask for the store, and who must not wait for so long.
    private func replaceState(_ replacement: StateReplacement, _ entry: Entry) throws(ApplyFailure) -> ApplyReport {
        let old = state.withLock { $0.store }
        var machine = state.withLock { $0.machine }
        var report: ApplyReport?
        let store: RocksDBStore
        do {
            store = try storage.restore(replacement.snapshot, at: entry.index, entry.term) { store in
                let transaction = store.makeTransaction()
                report = try machine.replaceMetadata(
                    with: store.makeSnapshot(), keeping: old.makeSnapshot(), at: entry, in: transaction)
                try store.commit(transaction, durability: .synced)
            }
        } catch { throw .replacement(entry.index, reason: "\(error)") }
        guard let report else { preconditionFailure("a state was made of nothing") }
        state.withLock { $0 = State(store: store, machine: machine) }
        old.close()
        return report
    }

    // MARK: Another state

    private func found(_ genesis: Genesis) -> Bool {
        let failure: String? = state.withLock { state in
            let transaction = state.store.makeTransaction()
            state.machine.found(genesis, in: transaction)
            do throws(KeyValueStoreError) {
                try state.store.commit(transaction, durability: .synced)
                publish(state, ApplyEffects())
                return nil
            } catch { return "the genesis cannot be written: \(error)" }
        }
        if let failure {
            onEvent(.failed(detail: failure))
            return false
        }
        onEvent(.founded(genesis))
        return true
    }

    private func install(_ id: SnapshotID) -> Bool {
        let result: Result<InstalledState, InstallFailure> = state.withLock { state in
            do {
                let store = try storage.install(id)
                let snapshot = store.makeSnapshot()
                let machine = try ReplicatedStateMachine(loading: snapshot, supporting: supportedVersion)
                let old = state.store
                state = State(store: store, machine: machine)
                old.close()
                return .success(InstalledState(state: machine.state, results: try machine.results(of: node)))
            } catch { return .failure(InstallFailure(detail: "\(error)")) }
        }
        switch result {
        case .success(let installed):
            onEvent(.installed(id, installed))
            return true
        case .failure(let failure):
            onEvent(.failed(detail: failure.detail))
            return false
        }
    }

    private struct InstallFailure: Error {
        var detail: String
    }

    /// Readers see the installed or restored state from now on: its log is durable, too.
    ///
    /// - Throws: where the new state cannot be read.
    func publishReplaced() throws(MetadataReadError) {
        let (snapshot, applied, restore) = state.withLock { state in
            (
                state.store.makeSnapshot(),
                AppliedRecord(index: state.machine.appliedIndex.rawValue, digest: state.machine.digest),
                state.machine.restore
            )
        }
        let buckets = try BucketTable(MetadataReader(snapshot, tier: .all))
        publication.publish(EngineView(snapshot: snapshot, applied: applied, buckets: buckets))
        bodies.ledger.stateReplaced()
        bodies.hold.apply(restore)
    }
}
