import KeyValueStore
import Metadata
import NIOCore
import ObjectDataStore
import Raft
import Replication
import Testing

/// One node of a test's cluster: a replica with a log, a state machine and snapshots in memory, which do at once what they are asked for,
/// or wait for the test.
final class TestNode {
    let identity: NodeIdentity
    let configured: [ConfiguredNode]
    var settings: ReplicaSettings
    private(set) var start: UInt64 = 0

    // The disk.
    private(set) var store: InMemoryStore
    private(set) var log = MemoryLog()
    private var joined: ClusterID?
    private var snapshots: [(description: SnapshotDescription, bytes: [UInt8])] = []
    private var installedIndex: LogIndex?

    // The process.
    private(set) var replica: Replica?
    private(set) var machine: ReplicatedStateMachine?
    private var reception: (offer: SnapshotOffer, chunks: [[UInt8]])?

    // What waits for the test.
    var holdsLog = false
    var holdsApply = false
    var holdsInstall = false
    /// In their order; with the snapshot that is installed by it.
    private var heldWrites: [(append: LogAppend, install: SnapshotID?)] = []
    private var heldEntries: [[Entry]] = []
    /// The next chunks that are sent have a bit turned.
    var damagesChunks = 0
    private(set) var checkedSnapshots: [SnapshotID] = []
    /// What this node finds of files that take the place of its state; an entry that needs another one waits, as behind `holdsApply`.
    var files: [BodyID: InMemoryStore.Checkpoint] = [:]

    // What was seen.
    private(set) var outcomes: [RequestToken: ProposalOutcome] = [:]
    private(set) var reads: [RequestToken: ReadOutcome] = [:]
    private(set) var commands: [RequestToken: CommandOutcome] = [:]
    private(set) var notes: [ReplicaNote] = []
    private(set) var contacts: [Contact] = []
    private(set) var stopReason: StopReason?
    private(set) var installCount = 0
    private(set) var compactedTo: LogIndex?
    /// Operations that took effect here since the disk is there, with where: each once, if all is well.
    private(set) var effective: [(session: SessionID, serial: Serial, index: LogIndex)] = []
    private(set) var outbox: [PeerEnvelope] = []
    /// Proposals without an outcome, and those whose process died.
    private var open: Set<RequestToken> = []
    private(set) var lostTokens: Set<RequestToken> = []

    init(
        _ node: NodeID, incarnation: UInt64, configured: [ConfiguredNode], settings: ReplicaSettings,
        store: InMemoryStore = InMemoryStore(families: KeySchema.families)
    ) {
        identity = NodeIdentity(node, Incarnation(incarnation))
        self.configured = configured
        self.settings = settings
        self.store = store
    }

    var node: NodeID { identity.node }
    var isRunning: Bool { replica != nil }
    var isLeader: Bool { replica?.core.role == .leader }

    // MARK: Start and crash

    func begin(at now: ClockReading) throws {
        start += 1
        var machine = try ReplicatedStateMachine(
            loading: store.makeSnapshot(), supporting: settings.version, mutations: settings.mutations)
        if case .restart(let mark) = try ReplicaStart.repair(
            stored: log.stored, state: machine.state, installed: installedIndex)
        {
            log.begin(behind: mark)
        }
        machine = try ReplicatedStateMachine(
            loading: store.makeSnapshot(), supporting: settings.version, mutations: settings.mutations)
        self.machine = machine
        // What was applied and lost is applied again.
        effective.removeAll { $0.index > machine.appliedIndex }
        replica = try Replica(
            ReplicaStart(
                identity: identity, start: start, stored: log.stored, state: machine.state,
                snapshot: snapshots.last?.description, configured: configured, joined: joined,
                seed: identity.node.rawValue &* 7919 &+ start), settings: settings)
        perform(at: now)
    }

    /// The process dies; the disk keeps what was synced.
    func crash(losingUnflushed: Bool = false) {
        if losingUnflushed { store.loseUnflushed() }
        lostTokens.formUnion(open)
        open = []
        replica = nil
        machine = nil
        (heldWrites, heldEntries, outbox) = ([], [], [])
        reception = nil
        stopReason = nil
    }

    // MARK: Events

    func handle(_ event: ReplicaEvent, at now: ClockReading) {
        guard replica != nil else { return }
        if case .propose(let proposal) = event { open.insert(proposal.token) }
        replica?.handle(event, at: now)
        perform(at: now)
    }

    /// Several at once, as a driver takes what has come together.
    func handle(_ events: [ReplicaEvent], at now: ClockReading) {
        for event in events { replica?.handle(event, at: now) }
        perform(at: now)
    }

    func takeOutbox() -> [PeerEnvelope] {
        defer { outbox = [] }
        return outbox
    }

    private func perform(at now: ClockReading) {
        while let effects = replica?.takeEffects(), !effects.isEmpty {
            for effect in effects { perform(effect, at: now) }
        }
    }

    private func answer(_ event: ReplicaEvent, at now: ClockReading) {
        replica?.handle(event, at: now)
    }

    private func perform(_ effect: ReplicaEffect, at now: ClockReading) {
        switch effect {
        case .send(let envelope): outbox.append(envelope)
        case .append(let append):
            heldWrites.append((append, nil))
            writeHeld(at: now)
        case .fetch(let fetch): answer(.logFetched(fetch, log.fetch(fetch)), at: now)
        case .apply(let entries):
            if holdsApply || !heldEntries.isEmpty { heldEntries.append(entries) } else { apply(entries, at: now) }
        case .complete(let token, let outcome):
            #expect(outcomes[token] == nil, "one outcome each")
            outcomes[token] = outcome
            open.remove(token)
        case .completeRead(let token, let outcome):
            #expect(reads[token] == nil, "one outcome each")
            reads[token] = outcome
        case .completeCommand(let token, let outcome):
            #expect(commands[token] == nil, "one outcome each")
            commands[token] = outcome
        case .takeSnapshot: takeSnapshot(at: now)
        case .compact(let mark, let floor):
            log.compact(mark, keepingAfter: floor)
            compactedTo = floor
        case .checkSnapshot(let id): checkedSnapshots.append(id)
        case .releaseSnapshot(let id): snapshots.removeAll { $0.description.id == id }
        case .sendChunk(let id, let number, let peer): sendChunk(id, number, to: peer, at: now)
        case .openReception(let offer):
            if reception?.offer.id != offer.id { reception = (offer, []) }
            answer(.receptionOpened(offer.id, chunkCount: UInt64(reception?.chunks.count ?? 0)), at: now)
        case .storeChunk(let id, let number, let bytes):
            reception?.chunks.append(bytes)
            answer(.chunkStored(id, number: number), at: now)
        case .finishReception(let id): finishReception(id, at: now)
        case .abandonReception(let id):
            if reception?.offer.id == id { reception = nil }
        case .install(let id, let append):
            heldWrites.append((append, id))
            writeHeld(at: now)
        case .found(let genesis): found(genesis, at: now)
        case .join(let cluster): joined = cluster
        case .connect(let contacts): self.contacts = contacts
        case .standing: break
        case .note(let note): notes.append(note)
        case .stopped(let reason): stopReason = reason
        }
    }

    // MARK: The log and the state machine

    /// What may be written now; nothing overtakes what is held.
    private func writeHeld(at now: ClockReading) {
        while !holdsLog, let (append, install) = heldWrites.first, install == nil || !holdsInstall {
            heldWrites.removeFirst()
            if let install {
                self.install(install, append, at: now)
            } else {
                log.write(append)
                answer(.logWritten(token: append.token), at: now)
            }
        }
    }

    func releaseLog(at now: ClockReading) {
        holdsLog = false
        writeHeld(at: now)
        perform(at: now)
    }

    func releaseApply(at now: ClockReading) {
        holdsApply = false
        let held = heldEntries
        heldEntries = []
        for entries in held {
            if holdsApply { heldEntries.append(entries) } else { apply(entries, at: now) }
        }
        perform(at: now)
    }

    private func apply(_ entries: [Entry], at now: ClockReading) {
        var rest = entries[...]
        while let first = rest.first {
            do {
                if let replacement = try machine?.replacement(at: first) {
                    guard let file = files[replacement.file.id] else {
                        heldEntries.insert(Array(rest), at: 0)
                        holdsApply = true
                        return
                    }
                    try replaceState(file, first, at: now)
                    rest = rest.dropFirst()
                    continue
                }
            } catch { Issue.record("a file does not become the state: \(error)") }
            // One that may replace the state begins a batch, in which it may be alone.
            let batch = rest.prefix(1) + rest.dropFirst().prefix { !$0.mayReplaceState }
            rest = rest.dropFirst(batch.count)
            applyBatch(Array(batch), at: now)
        }
    }

    private func replaceState(_ file: InMemoryStore.Checkpoint, _ entry: Entry, at now: ClockReading) throws {
        let next = InMemoryStore(checkpoint: file)
        let transaction = next.makeTransaction()
        guard
            let report = try machine?.replaceMetadata(
                with: next.makeSnapshot(), keeping: store.makeSnapshot(), at: entry, in: transaction)
        else { return }
        try next.commit(transaction, durability: .synced)
        store = next
        answer(.applied(report), at: now)
    }

    private func applyBatch(_ entries: [Entry], at now: ClockReading) {
        let transaction = store.makeTransaction()
        do throws(ApplyFailure) {
            guard let report = try machine?.apply(entries, in: transaction) else { return }
            do throws(KeyValueStoreError) { try store.commit(transaction, durability: .buffered) } catch {
                Issue.record("the store failed: \(error)")
            }
            for operation in report.operations {
                if case .applied = operation.result {
                    effective.append((operation.session, operation.serial, operation.index))
                }
            }
            answer(.applied(report), at: now)
        } catch { answer(.applyFailed(error), at: now) }
    }

    private func found(_ genesis: Genesis, at now: ClockReading) {
        do {
            let transaction = store.makeTransaction()
            machine?.found(genesis, in: transaction)
            try store.commit(transaction, durability: .synced)
        } catch { Issue.record("founding failed: \(error)") }
        log.begin(behind: genesis.mark)
        answer(.founded(genesis), at: now)
    }

    // MARK: Snapshots

    private func takeSnapshot(at now: ClockReading) {
        guard let machine else { return }
        do {
            try store.flush()
            let bytes = try StoreBytes.dump(store)
            let state = machine.state
            let id = SnapshotID(index: state.applied, term: state.term, fingerprint: StoreBytes.fingerprint(bytes))
            let description = SnapshotDescription(
                id: id, configuration: state.configuration, version: state.version, byteCount: UInt64(bytes.count))
            snapshots.removeAll { $0.description.id == id }
            snapshots.append((description, bytes))
            answer(.snapshotTaken(description), at: now)
        } catch { answer(.snapshotFailed(detail: "\(error)"), at: now) }
    }

    private func sendChunk(_ id: SnapshotID, _ number: UInt64, to peer: NodeID, at now: ClockReading) {
        guard let snapshot = snapshots.first(where: { $0.description.id == id }), let replica else {
            answer(.chunkUnreadable(id, to: peer), at: now)
            return
        }
        let size = Int(settings.snapshots.chunkByteCount)
        let first = Int(number) * size
        let bytes = Array(snapshot.bytes[first..<min(first + size, snapshot.bytes.count)])
        var chunk = SnapshotChunk(id: id, number: number, bytes: bytes)
        if damagesChunks > 0 {
            damagesChunks -= 1
            chunk.bytes[0] ^= 1
        }
        outbox.append(
            PeerEnvelope(
                cluster: replica.cluster, from: identity, to: peer, toIncarnation: nil,
                message: .snapshotChunk(chunk)))
    }

    private func finishReception(_ id: SnapshotID, at now: ClockReading) {
        guard let reception, reception.offer.id == id else { return }
        let bytes = reception.chunks.flatMap { $0 }
        if StoreBytes.fingerprint(bytes) == id.fingerprint {
            answer(.receptionFinished(id), at: now)
        } else {
            answer(.receptionFailed(id, .damaged(detail: "not what was offered")), at: now)
        }
    }

    private func install(_ id: SnapshotID, _ append: LogAppend, at now: ClockReading) {
        // The applier does one after the other.
        let held = heldEntries
        heldEntries = []
        for entries in held { apply(entries, at: now) }
        guard let reception, reception.offer.id == id else { return }
        do {
            store = try StoreBytes.load(reception.chunks.flatMap { $0 })
            installedIndex = id.index
            log.write(append)
            let reader = store.makeSnapshot()
            let machine = try ReplicatedStateMachine(
                loading: reader, supporting: settings.version, mutations: settings.mutations)
            self.machine = machine
            self.reception = nil
            installCount += 1
            let state = InstalledState(state: machine.state, results: try machine.results(of: node))
            answer(.installed(token: append.token, state), at: now)
        } catch { answer(.installFailed(detail: "\(error)"), at: now) }
    }

    func releaseInstall(at now: ClockReading) {
        holdsInstall = false
        writeHeld(at: now)
        perform(at: now)
    }

    // MARK: What the state says

    /// The number that an object was put with; nil: it is not there.
    func value(_ key: String) throws -> UInt64? {
        let reader = MetadataReader(store.makeSnapshot(), tier: .all)
        guard let bucket = try reader.bucket(named: TestOperations.bucket) else { return nil }
        return try reader.newest(of: ObjectKey(Array(key.utf8)), in: bucket)?.record.etag.low
    }

    /// Every put that took effect, as the bucket counts them.
    func versionCount() throws -> UInt64 {
        let reader = MetadataReader(store.makeSnapshot(), tier: .all)
        guard let bucket = try reader.bucket(named: TestOperations.bucket) else { return 0 }
        return try reader.usage(of: bucket).versionCount
    }

    func check() throws -> StateChecker<InMemorySnapshot>.Report { try StateChecker.check(store.makeSnapshot()) }
}
