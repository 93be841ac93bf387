package import KeyValueStore
package import Metadata
import NIOCore
package import Raft

/// Applies the log: what `MetadataStateMachine` does with an operation, once for each (session, serial), together with the sessions,
/// members and rules that the log also changes. All of it, and the applied index, are in one transaction.
///
///     apply(entries 8…12, in: transaction) ─► store.commit ─► report to the replica, effects
///
/// Pure over the transaction, like the state machine of the metadata: the same entries give the same bytes on each replica. One thread
/// owns it. If `apply` throws or the commit fails, nothing of the batch is in the store, but it is in this value: load another one.
package struct ReplicatedStateMachine {
    private var metadata: MetadataStateMachine
    private var sessions: SessionTable
    private var genesis: Genesis?
    private var cluster: ClusterRecord?
    private var clusterContribution: StateDigest?
    private var term: Term
    /// The newest rules that this build knows.
    private let supportedVersion: ClusterVersion
    let mutations: ReplicationMutations
    /// What the state says of replacements of itself.
    package internal(set) var restore = RestoreState()
    private var restoreContribution: StateDigest?
    /// Under `delaysAppliedIndex` only.
    private var lastPosition: PositionRecord

    /// - Throws: where the store cannot be read or its records contradict one another.
    package init(
        loading reader: some KeyValueReader, supporting version: ClusterVersion = .newest, mutations: ReplicationMutations = []
    ) throws(MetadataStoreFailure) {
        let metadata = try MetadataStateMachine(loading: reader)
        self.metadata = metadata
        sessions = try SessionTable(loading: reader)
        supportedVersion = version
        self.mutations = mutations
        if let value = try StoredReplication.read(reader, ReplicationKeys.cluster) {
            cluster = try StoredReplication.decoded("cluster", value, ClusterRecord.decode)
            clusterContribution = RecordHash.contribution(KeySchema.system, ReplicationKeys.cluster, value)
        }
        if let value = try StoredReplication.read(reader, ReplicationKeys.genesis) {
            genesis = try StoredReplication.decoded("genesis", value, GenesisRecord.decode).genesis
        }
        if let value = try StoredReplication.read(reader, ReplicationKeys.restore) {
            restore = try StoredReplication.decoded("restore", value, RestoreState.decode)
            restoreContribution = RecordHash.contribution(KeySchema.system, ReplicationKeys.restore, value)
        }
        var position: PositionRecord?
        if let value = try StoredReplication.read(reader, ReplicationKeys.position) {
            position = try StoredReplication.decoded("position", value, PositionRecord.decode)
        }
        guard (position == nil) == (cluster == nil), (genesis == nil) == (cluster == nil),
            position.map({ $0.index.rawValue == metadata.appliedIndex }) ?? true
        else { throw .damaged(RecordDamage("position", "it is not that of the applied index, or records are missing")) }
        term = position?.term ?? .zero
        lastPosition = position ?? PositionRecord(index: LogIndex(metadata.appliedIndex), term: .zero)
    }

    package var appliedIndex: LogIndex { LogIndex(metadata.appliedIndex) }
    package var appliedTerm: Term { term }
    package var configuration: Configuration { cluster?.configuration ?? Configuration() }
    /// Of the whole replicated state. Complete between batches.
    package var digest: StateDigest { metadata.digest }

    package var state: ReplicatedState {
        var state = ReplicatedState()
        state.applied = appliedIndex
        state.term = term
        state.sessions = sessions.open
        if let cluster {
            state.configuration = cluster.configuration
            state.members = cluster.members
            state.version = cluster.version
        }
        state.genesis = genesis
        state.restore = restore
        return state
    }

    /// The results that the session of a node keeps, in order: what a replica whose state was replaced learns of its operations from.
    package func results(of node: NodeID) throws(MetadataStoreFailure) -> [SessionResult] {
        guard let place = sessions.place(of: node) else { return [] }
        let mark = sessions[place].record.mark
        var results: [SessionResult] = []
        for page in sessions[place].pages {
            results += try Self.results(of: page).filter { $0.serial >= mark }.sorted { $0.serial < $1.serial }
        }
        return results
    }

    private static func results(of page: ResultPage) throws(MetadataStoreFailure) -> [SessionResult] {
        do throws(DecodingFault) { return try page.decode() } catch {
            throw .damaged(RecordDamage("result", error.description))
        }
    }

    private func result(_ serial: Serial, _ place: Int) throws(MetadataStoreFailure) -> SessionResult {
        let page = sessions[place].pages[sessions[place].place(ofPage: ResultPage.number(of: serial))]
        guard let result = try Self.results(of: page).first(where: { $0.serial == serial }) else {
            throw .damaged(RecordDamage("result", "it is missing"))
        }
        return result
    }

    // MARK: Founding

    /// Makes the state that a cluster's log begins behind. The commit must follow, synced.
    ///
    /// - Precondition: the state belongs to no cluster; the genesis lies at the applied index, or is 1 on an empty state.
    package mutating func found(_ genesis: Genesis, in transaction: some KeyValueTransaction) {
        precondition(cluster == nil, "the state belongs to a cluster already")
        if genesis.index != appliedIndex {
            precondition(appliedIndex == .zero && genesis.index == LogIndex(1), "a genesis that is not where the state is")
            metadata.skip(to: genesis.index.rawValue)
        }
        term = Genesis.term
        self.genesis = genesis
        _ = metadata.putReplicationRecord(
            GenesisRecord(genesis: genesis).encode(), for: ReplicationKeys.genesis, replacing: nil, in: transaction)
        write(
            ClusterRecord(version: .first, configuration: genesis.configuration, members: genesis.members), in: transaction)
        lastPosition = PositionRecord(index: appliedIndex, term: term)
        finishBatch(in: transaction)
    }

    // MARK: Applying

    /// Applies entries that follow the applied index. The commit of the transaction must follow.
    ///
    /// - Precondition: there is at least one, and no gap.
    /// - Throws: the batch is lost, and so is this value.
    package mutating func apply(
        _ entries: [Entry], in transaction: some KeyValueTransaction
    ) throws(ApplyFailure) -> ApplyReport {
        precondition(!entries.isEmpty, "a batch of nothing")
        var report = ApplyReport(index: appliedIndex, term: term)
        for entry in entries {
            precondition(entry.index == appliedIndex.next && entry.term >= term, "the log is applied in order, without gaps")
            try apply(entry, in: transaction, &report)
            pass(entry)
        }
        finish(entries[entries.count - 1], in: transaction, &report)
        return report
    }

    private mutating func pass(_ entry: Entry) {
        if metadata.appliedIndex < entry.index.rawValue { metadata.skip(to: entry.index.rawValue) }
        term = entry.term
    }

    /// Writes what is written once a batch.
    private mutating func finish(
        _ last: Entry, in transaction: some KeyValueTransaction, _ report: inout ApplyReport
    ) {
        for place in sessions.sessions.indices {
            if sessions[place].isChanged { writeSession(place, in: transaction) }
            writeResults(place, in: transaction)
        }
        finishBatch(in: transaction)
        report.index = appliedIndex
        report.term = term
        if last.marksDigest { report.mark = DigestMark(index: appliedIndex, digest: digest) }
    }

    // MARK: Another state

    /// The metadata of another store, in which nothing of what replication keeps is written yet.
    mutating func adopt(_ metadata: MetadataStateMachine) {
        self.metadata = metadata
        clusterContribution = nil
        restoreContribution = nil
        sessions.forgetStored()
        if mutations.contains(.forgetsSessionsAtRestore) { sessions.forgetResults() }
    }

    /// Writes all that replication keeps to the store that was adopted, with the result of the entry that asked for it.
    mutating func finishReplacement(
        at entry: Entry, in transaction: some KeyValueTransaction, _ report: inout ApplyReport
    ) throws(ApplyFailure) {
        guard let genesis, let cluster else { preconditionFailure("a log without a genesis") }
        _ = metadata.putReplicationRecord(
            GenesisRecord(genesis: genesis).encode(), for: ReplicationKeys.genesis, replacing: nil, in: transaction)
        write(cluster, in: transaction)
        writeRestore(in: transaction, &report)
        guard case .operation(let operation)? = try? Command(decoding: entry.payload),
            let place = openPlace(of: operation.session)
        else { preconditionFailure("a replacement of the state outside of a session") }
        advance(place, to: operation.mark, in: transaction)
        let outcome = MetadataOutcome.change(.success(.done))
        sessions[place].keep(SessionResult(serial: operation.serial, index: entry.index, outcome: outcome))
        report.operations.append(
            AppliedOperation(
                index: entry.index, session: operation.session, serial: operation.serial, result: .applied(outcome)))
        pass(entry)
        finish(entry, in: transaction, &report)
    }

    private mutating func finishBatch(in transaction: some KeyValueTransaction) {
        metadata.finishBatch(in: transaction)
        let position = PositionRecord(index: appliedIndex, term: term)
        var written = position
        if mutations.contains(.delaysAppliedIndex) {
            written = lastPosition
            transaction.put(
                AppliedRecord(index: written.index.rawValue, digest: digest).encode(), for: KeySchema.applied,
                in: KeySchema.system)
        }
        // No part of the state that the digest covers: it goes with the applied index.
        transaction.put(written.encode(), for: ReplicationKeys.position, in: KeySchema.system)
        lastPosition = position
    }

    private mutating func apply(
        _ entry: Entry, in transaction: some KeyValueTransaction, _ report: inout ApplyReport
    ) throws(ApplyFailure) {
        switch entry.type {
        case .configurationChange: changeMembers(entry, in: transaction, &report)
        case .normal:
            // What a leader's term begins with.
            guard !entry.payload.isEmpty else { return }
            let command: Command
            do throws(DecodingFault) { command = try Command(decoding: entry.payload) } catch {
                throw .unknownEntry(entry.index, entry.term, reason: error.description)
            }
            switch command {
            case .openSession(let session): open(session, in: transaction, &report)
            case .expireSession(let session): expire(session, in: transaction, &report)
            case .raiseVersion(let version): try raise(version, entry, in: transaction, &report)
            case .settleRestores(let index): settleRestores(upTo: index, in: transaction, &report)
            case .operation(let operation):
                let result = try apply(operation, entry, in: transaction, &report)
                report.operations.append(
                    AppliedOperation(
                        index: entry.index, session: operation.session, serial: operation.serial, result: result))
            }
        }
    }

    // MARK: Operations

    private mutating func apply(
        _ operation: SessionOperation, _ entry: Entry, in transaction: some KeyValueTransaction, _ report: inout ApplyReport
    ) throws(ApplyFailure) -> OperationResult {
        guard let place = openPlace(of: operation.session) else { return .sessionExpired }
        advance(place, to: operation.mark, in: transaction)
        let mark = sessions[place].record.mark
        let serial = operation.serial
        if !mutations.contains(.appliesRetriesTwice) {
            guard serial >= mark else { return .acknowledged }
            if sessions[place].has(serial) {
                do throws(MetadataStoreFailure) {
                    let result = try result(serial, place)
                    return .repeated(result.index, result.outcome)
                } catch { throw .store(error) }
            }
        }
        guard serial.rawValue - min(mark, serial).rawValue < SessionLimits.windowCount else { return .beyondWindow }
        let outcome: MetadataOutcome
        switch operation.kind {
        case .metadata: outcome = try perform(operation, entry, in: transaction, &report)
        case .restore:
            outcome = try perform(operation.operation, of: operation.session, entry, in: transaction, &report)
        }
        if !mutations.contains(.dropsResults), !sessions[place].has(serial) {
            sessions[place].keep(SessionResult(serial: serial, index: entry.index, outcome: outcome))
        }
        return .applied(outcome)
    }

    /// The open session of that name.
    private func openPlace(of session: SessionID) -> Int? {
        guard let place = sessions.place(of: session.node), sessions[place].record.isOpen,
            sessions[place].record.session == session
        else { return nil }
        return place
    }

    /// Whether the operation would take effect if it were applied now.
    func isDue(_ operation: SessionOperation) -> Bool {
        guard let place = openPlace(of: operation.session) else { return false }
        let mark = max(sessions[place].record.mark, operation.mark)
        let serial = operation.serial
        return serial >= mark && !sessions[place].has(serial)
            && serial.rawValue - mark.rawValue < SessionLimits.windowCount
    }

    private mutating func perform(
        _ operation: SessionOperation, _ entry: Entry, in transaction: some KeyValueTransaction, _ report: inout ApplyReport
    ) throws(ApplyFailure) -> MetadataOutcome {
        let decoded: MetadataOperation
        do throws(MetadataOperation.DecodingError) {
            decoded = try MetadataOperation(decoding: ByteBuffer(bytes: operation.operation))
        } catch { throw .unknownEntry(entry.index, entry.term, reason: error.reason) }
        do throws(MetadataStoreFailure) {
            if decoded.payload.namesBody, !isQuorum(decoded.bodyHolders), !mutations.contains(.ignoresHolders) {
                // The body stays where it is: who proposed it may find it on more members now, and name it again.
                if case .change = decoded.payload, state.version >= .offersAgain {
                    return .change(.failure(.tooFewHolders))
                }
                return try metadata.refuse(
                    decoded, at: entry.index.rawValue, .tooFewHolders, in: transaction, effects: &report.effects)
            }
            if let refusal = refusalToAbandon(decoded) {
                return try metadata.refuse(
                    decoded, at: entry.index.rawValue, refusal, in: transaction, effects: &report.effects)
            }
            return try metadata.apply(decoded, at: entry.index.rawValue, in: transaction, effects: &report.effects)
        } catch { throw .store(error) }
    }

    /// Whether the members of now can lose a minority and still have the body: they may be others than when it was written.
    private func isQuorum(_ holders: [UInt64]) -> Bool {
        configuration.quorum.vote { holders.contains($0.rawValue) } == .won
    }

    /// Results below the mark have been answered: they go.
    private mutating func advance(_ place: Int, to mark: Serial, in transaction: some KeyValueTransaction) {
        guard mark > sessions[place].record.mark else { return }
        sessions[place].record.mark = mark
        sessions[place].isChanged = true
        dropResults(place, below: mark, in: transaction)
    }

    private mutating func dropResults(_ place: Int, below mark: Serial, in transaction: some KeyValueTransaction) {
        let node = sessions[place].record.session.node
        let kept = sessions[place].pages.firstIndex { $0.end > mark } ?? sessions[place].pages.count
        for page in sessions[place].pages[..<kept] {
            guard let contribution = page.contribution else { continue }
            metadata.deleteReplicationRecord(
                ReplicationKeys.results(node, page: page.number), removing: contribution, in: transaction)
        }
        sessions[place].pages.removeFirst(kept)
    }

    // MARK: Sessions

    private mutating func open(
        _ session: SessionID, in transaction: some KeyValueTransaction, _ report: inout ApplyReport
    ) {
        guard configuration.members.hasSorted(session.node) else {
            report.sessions.append(.notOpened(session))
            return
        }
        guard let place = sessions.place(of: session.node) else {
            let record = SessionRecord(session: session, isOpen: true, mark: Serial(1))
            sessions.add(SessionTable.Session(record: record, isChanged: true))
            report.sessions.append(.opened(session))
            return
        }
        let known = sessions[place].record
        if known.session == session, known.isOpen {
            report.sessions.append(.opened(session))
            return
        }
        // One that has ended, or an earlier one, would forget what took effect in it.
        guard session > known.session || mutations.contains(.reopensSessions) else {
            report.sessions.append(.notOpened(session))
            return
        }
        end(place, in: transaction, &report)
        sessions[place].record = SessionRecord(session: session, isOpen: true, mark: Serial(1))
        sessions[place].isChanged = true
        report.sessions.append(.opened(session))
    }

    private mutating func expire(
        _ session: SessionID, in transaction: some KeyValueTransaction, _ report: inout ApplyReport
    ) {
        guard let place = sessions.place(of: session.node), sessions[place].record.session == session else { return }
        end(place, in: transaction, &report)
    }

    private mutating func end(_ place: Int, in transaction: some KeyValueTransaction, _ report: inout ApplyReport) {
        guard sessions[place].record.isOpen else { return }
        dropResults(place, below: Serial(.max), in: transaction)
        sessions[place].record.isOpen = false
        sessions[place].isChanged = true
        report.sessions.append(.ended(sessions[place].record.session))
        endPreparation(of: sessions[place].record.session, in: transaction, &report)
    }

    private mutating func writeSession(_ place: Int, in transaction: some KeyValueTransaction) {
        let record = sessions[place].record
        sessions[place].contribution = metadata.putReplicationRecord(
            record.encode(), for: ReplicationKeys.session(record.session.node), replacing: sessions[place].contribution,
            in: transaction)
        sessions[place].isChanged = false
    }

    private mutating func writeResults(_ place: Int, in transaction: some KeyValueTransaction) {
        let node = sessions[place].record.session.node
        for number in sessions[place].pages.indices where sessions[place].pages[number].isChanged {
            let page = sessions[place].pages[number]
            let contribution = metadata.putReplicationRecord(
                page.bytes, for: ReplicationKeys.results(node, page: page.number), replacing: page.contribution,
                in: transaction)
            sessions[place].pages[number].stored(contribution)
        }
    }

    // MARK: The cluster

    private mutating func write(_ record: ClusterRecord, in transaction: some KeyValueTransaction) {
        cluster = record
        clusterContribution = metadata.putReplicationRecord(
            record.encode(), for: ReplicationKeys.cluster, replacing: clusterContribution, in: transaction)
    }

    mutating func writeRestore(in transaction: some KeyValueTransaction, _ report: inout ApplyReport) {
        restoreContribution = metadata.putReplicationRecord(
            restore.encode(), for: ReplicationKeys.restore, replacing: restoreContribution, in: transaction)
        report.restore = restore
    }

    /// As the cores do it on every node. A change that cannot be made changes nothing, alike everywhere.
    private mutating func changeMembers(
        _ entry: Entry, in transaction: some KeyValueTransaction, _ report: inout ApplyReport
    ) {
        guard var record = cluster else { preconditionFailure("a log without a genesis") }
        let change: ConfigurationChange
        do {
            change = try ConfigurationChange(decoding: entry.payload)
            record.configuration = try ConfigurationChanger(restoring: record.configuration).changed(by: change)
        } catch { return }
        if record.members.take(MemberContext(decoding: change.context).members) { report.members = record.members }
        for place in sessions.sessions.indices {
            let node = sessions[place].record.session.node
            if !record.configuration.members.hasSorted(node) { end(place, in: transaction, &report) }
        }
        write(record, in: transaction)
    }

    private mutating func raise(
        _ version: ClusterVersion, _ entry: Entry, in transaction: some KeyValueTransaction, _ report: inout ApplyReport
    ) throws(ApplyFailure) {
        guard version <= supportedVersion else { throw .unknownVersion(entry.index, version) }
        guard var record = cluster, version > record.version else { return }
        record.version = version
        write(record, in: transaction)
        report.version = version
    }
}

extension MetadataError {
    /// The members that hold a body are no quorum of those at the operation's place in the log.
    static let tooFewHolders = MetadataError(.unavailable, "too few of the members hold the body")
}
