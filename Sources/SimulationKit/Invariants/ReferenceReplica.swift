import KeyValueStore
import Metadata
import ObjectDataStore
import Raft
import Replication

/// What the committed log leads to: each entry applied alone, once, by a state machine that never crashes. What nodes and clients see is
/// compared with it, so that one replay judges operations over several keys as well.
struct ReferenceReplica {
    /// What an operation did where it took effect.
    struct Effect {
        var index: LogIndex
        var outcome: MetadataOutcome
    }

    struct OperationKey: Hashable {
        var session: SessionID
        var serial: Serial
    }

    let genesis: Genesis
    var genesisMark: SnapshotMark { genesis.mark }
    private var store: InMemoryStore
    private var machine: ReplicatedStateMachine
    private var digests: [StateDigest]
    /// The effects of operations, by their place in the log.
    private var effects: [LogIndex: Effect] = [:]
    private var places: [OperationKey: LogIndex] = [:]
    /// The operations of clients that took effect, by the number that each carries.
    private(set) var effectOfOperation: [UInt64: Effect] = [:]
    /// What is in the files that operators restore.
    private var files: [BodyID: InMemoryStore.Checkpoint] = [:]
    /// Restores that took effect, and where.
    private(set) var restored: [RestoreID: LogIndex] = [:]
    var replacementCount: Int { restored.count }

    /// - Parameter mutations: those of the nodes: a bug in the rules of applying is the same everywhere, and has to be found otherwise.
    init(genesis: Genesis, mutations: ReplicationMutations) throws(InvariantViolation) {
        self.genesis = genesis
        store = InMemoryStore(families: KeySchema.families)
        do {
            machine = try ReplicatedStateMachine(loading: store.makeSnapshot(), mutations: mutations)
            let transaction = store.makeTransaction()
            machine.found(genesis, in: transaction)
            try store.commit(transaction, durability: .synced)
        } catch { throw InvariantViolation(.noInternalError, "the genesis cannot be made: \(error)") }
        digests = [machine.digest]
    }

    func digest(at index: LogIndex) -> StateDigest? {
        let place = index - genesisMark.index
        return digests.indices.contains(place) ? digests[place] : nil
    }

    func effect(at index: LogIndex) -> Effect? { effects[index] }

    var state: ReplicatedState { machine.state }
    var snapshot: InMemorySnapshot { store.makeSnapshot() }

    /// - Parameter clients: who was told what; the results of others must not have been given up.
    /// - Returns: what it does outside the store, and what takes the place of the state.
    mutating func apply(
        _ entry: Entry, clients: ClientRecord
    ) throws(InvariantViolation) -> (effects: ApplyEffects, replacement: StateReplacement?) {
        let report: ApplyReport
        let replacement: StateReplacement?
        do {
            replacement = try machine.replacement(at: entry)
            if let replacement {
                try check(replacement, entry, clients)
                report = try replace(replacement, entry)
            } else {
                let transaction = store.makeTransaction()
                report = try machine.apply([entry], in: transaction)
                try store.commit(transaction, durability: .synced)
            }
        } catch let violation as InvariantViolation {
            throw violation
        } catch { throw InvariantViolation(.noInternalError, "the committed entry \(entry.index) cannot be applied: \(error)") }
        digests.append(machine.digest)
        for operation in report.operations {
            switch operation.result {
            case .applied(let outcome): try note(operation, outcome, entry, clients)
            case .acknowledged:
                guard let number = Self.operationNumber(entry), !clients.isAnswered(number) else { continue }
                throw InvariantViolation(
                    .oneEffectPerOperation,
                    "operation \(number) comes again at \(entry.index), and its result is given up although nobody was told of it"
                )
            case .repeated, .sessionExpired, .beyondWindow: break
            }
        }
        return (report.effects, replacement)
    }

    // MARK: Restores

    mutating func keep(_ file: BodyID, _ checkpoint: InMemoryStore.Checkpoint) { files[file] = checkpoint }

    /// What was prepared, and nothing else, takes the place of the state.
    private func check(
        _ replacement: StateReplacement, _ entry: Entry, _ clients: ClientRecord
    ) throws(InvariantViolation) {
        let id = replacement.restore
        guard let preparation = machine.restore.preparation, preparation.restore == id else {
            throw InvariantViolation(
                .restoresArePrepared, "restore \(id) takes effect at \(entry.index), and its preparation has ended")
        }
        guard machine.state.sessions.contains(preparation.session) else {
            throw InvariantViolation(
                .restoresArePrepared, "restore \(id) takes effect at \(entry.index), and the session that prepared it has ended"
            )
        }
        if let earlier = restored[id] {
            throw InvariantViolation(
                .oneEffectPerOperation, "restore \(id) takes effect at \(entry.index), and did at \(earlier)")
        }
        try clients.checkNotRefused(id, at: entry.index)
    }

    private mutating func replace(_ replacement: StateReplacement, _ entry: Entry) throws -> ApplyReport {
        guard let checkpoint = files[replacement.file.id] else {
            throw InvariantViolation(
                .restoresArePrepared, "entry \(entry.index) restores file \(replacement.file.id), which nobody has made")
        }
        let next = InMemoryStore(checkpoint: checkpoint)
        let transaction = next.makeTransaction()
        let report = try machine.replaceMetadata(
            with: next.makeSnapshot(), keeping: store.makeSnapshot(), at: entry, in: transaction)
        try next.commit(transaction, durability: .synced)
        store = next
        restored[replacement.restore] = entry.index
        return report
    }

    private mutating func note(
        _ operation: AppliedOperation, _ outcome: MetadataOutcome, _ entry: Entry, _ clients: ClientRecord
    ) throws(InvariantViolation) {
        let key = OperationKey(session: operation.session, serial: operation.serial)
        if let earlier = places[key] {
            throw InvariantViolation(
                .oneEffectPerOperation,
                "operation \(operation.serial.rawValue) of a session of node \(operation.session.node) takes effect at "
                    + "\(operation.index), and did at \(earlier)")
        }
        places[key] = operation.index
        let effect = Effect(index: operation.index, outcome: outcome)
        effects[operation.index] = effect
        guard let number = Self.operationNumber(entry) else { return }
        try clients.checkNotRefused(number, at: operation.index)
        if let earlier = effectOfOperation[number] {
            throw InvariantViolation(
                .oneEffectPerOperation, "operation \(number) takes effect at \(operation.index), and did at \(earlier.index)")
        }
        effectOfOperation[number] = effect
    }

    /// The number of the client operation that an entry carries.
    static func operationNumber(_ entry: Entry) -> UInt64? {
        guard entry.type == .normal, !entry.payload.isEmpty, let command = try? Command(decoding: entry.payload),
            case .operation(let operation) = command, operation.kind == .metadata
        else { return nil }
        return operationNumber(operation.operation)
    }

    /// An operation's id lies behind its layout version and type.
    static func operationNumber(_ operation: [UInt8]) -> UInt64? {
        guard operation.count >= MetadataOperation.headerByteCount else { return nil }
        return operation.withUnsafeBytes { UInt64(littleEndian: $0.loadUnaligned(fromByteOffset: 2, as: UInt64.self)) }
    }
}
