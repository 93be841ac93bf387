package import KeyValueStore
import Metadata
import ObjectDataStore
package import Raft

extension Entry {
    /// It may replace the state: such an entry is applied by itself (`ReplicatedStateMachine.replacement`).
    package var mayReplaceState: Bool {
        let step = Command.operationHeaderByteCount
        return type == .normal && payload.count > step + 1 && payload[1] == Command.restoreCode
            && payload[step + 1] == RestoreStep.replaceCode
    }
}

/// Replacing the state through the log: the same at each replica, whenever it comes to the entry.
///
///     if let replacement = try machine.replacement(at: entry) {
///         (fetch the file, make a store of it)
///         report = try machine.replaceMetadata(with: file's state, keeping: old state, at: entry, in: transaction of the new store)
///         (commit, synced; let the new store take the old one's place)
///     }
extension ReplicatedStateMachine {
    /// - Returns: the state that must take this one's place at the entry, which is the next one to be applied; nil: there is none, and
    ///   `apply` says why or does what it is for.
    /// - Throws: `.unknownEntry`.
    package func replacement(at entry: Entry) throws(ApplyFailure) -> StateReplacement? {
        guard entry.mayReplaceState else { return nil }
        precondition(entry.index == appliedIndex.next, "an entry that is not the next one")
        let step: RestoreStep
        let operation: SessionOperation
        do throws(DecodingFault) {
            guard case .operation(let decoded) = try Command(decoding: entry.payload), decoded.kind == .restore else {
                return nil
            }
            operation = decoded
            step = try RestoreStep(decoding: decoded.operation)
        } catch { throw .unknownEntry(entry.index, entry.term, reason: error.description) }
        guard case .replace(let replacement) = step, isDue(operation), refusal(of: replacement, at: entry.index) == nil else {
            return nil
        }
        return replacement
    }

    /// Applies the entry to another store: that store's metadata, and all that this machine knows of sessions, members and rules. It has the
    /// bodies' tombstones of both. `self` is the state machine of the other store then.
    ///
    /// - Parameters:
    ///   - reader: of the store that was made of the file.
    ///   - old: of the store that this machine was of until now.
    ///   - transaction: of the new store; its commit must follow, synced.
    /// - Precondition: `replacement(at:)` has asked for it.
    /// - Throws: `.store`, also where the new store is not what the entry says. The machine is of no further use then.
    package mutating func replaceMetadata(
        with reader: some KeyValueReader, keeping old: some KeyValueReader, at entry: Entry,
        in transaction: some KeyValueTransaction
    ) throws(ApplyFailure) -> ApplyReport {
        guard let replacement = try replacement(at: entry) else { preconditionFailure("nobody asked for another state") }
        var report = ApplyReport(index: entry.index, term: entry.term)
        do throws(MetadataStoreFailure) {
            var metadata = try MetadataStateMachine(loading: reader)
            guard metadata.appliedIndex == replacement.index.rawValue, metadata.digest == replacement.digest else {
                throw .damaged(RecordDamage("AppliedRecord", "it is not the state that the log asks for"))
            }
            try metadata.leaveCluster(in: transaction)
            try metadata.keepAbandonedBodies(of: old, in: transaction)
            adopt(metadata)
        } catch { throw .store(error) }
        restore.preparation = nil
        restore.unsettled.append(RestoreState.Unsettled(index: entry.index, file: replacement.file))
        report.restore = restore
        report.hasReplacedState = true
        try finishReplacement(at: entry, in: transaction, &report)
        return report
    }

    // MARK: Steps within the state

    /// A step that changes nothing but what the state says of its replacement, or a refusal.
    mutating func perform(
        _ bytes: [UInt8], of session: SessionID, _ entry: Entry, in transaction: some KeyValueTransaction,
        _ report: inout ApplyReport
    ) throws(ApplyFailure) -> MetadataOutcome {
        let step: RestoreStep
        do throws(DecodingFault) { step = try RestoreStep(decoding: bytes) } catch {
            throw .unknownEntry(entry.index, entry.term, reason: error.description)
        }
        switch step {
        case .begin(let id):
            if let refusal = refusalToBegin { return .change(.failure(refusal)) }
            restore.preparation = RestoreState.Preparation(restore: id, session: session)
            writeRestore(in: transaction, &report)
        case .cancel(let id):
            if restore.preparation?.restore == id {
                restore.preparation = nil
                writeRestore(in: transaction, &report)
            }
        case .replace(let replacement):
            guard let refusal = refusal(of: replacement, at: entry.index) else {
                preconditionFailure("a replacement of the state is applied to another store")
            }
            return .change(.failure(refusal))
        }
        return .change(.success(.done))
    }

    private var refusalToBegin: MetadataError? {
        guard state.version >= .restores else {
            return MetadataError(.unavailable, "not all members know how to replace the state: upgrade them first")
        }
        if let preparation = restore.preparation {
            return MetadataError(.unavailable, "node \(preparation.session.node.rawValue) is restoring a snapshot already")
        }
        guard restore.unsettled.count < RestoreState.unsettledCountMax else {
            return MetadataError(
                .limitExceeded, "\(restore.unsettled.count) snapshots were restored that some member has not got yet")
        }
        return nil
    }

    private func refusal(of replacement: StateReplacement, at index: LogIndex) -> MetadataError? {
        guard restore.preparation?.restore == replacement.restore || mutations.contains(.ignoresPreparation) else {
            return MetadataError(.unavailable, "the restoring of the snapshot was ended meanwhile")
        }
        guard replacement.index < index else {
            return MetadataError(
                .invalidArgument, "the snapshot has entry \(replacement.index), and this log is only at \(index)")
        }
        let hasQuorums = replacement.holders.allSatisfy { holders in configuration.quorum.vote { holders.contains($0) } == .won
        }
        guard !replacement.holders.isEmpty, hasQuorums || mutations.contains(.ignoresHolders) else {
            return MetadataError(.unavailable, "too few of the members hold all of what the snapshot needs")
        }
        return nil
    }

    /// Every member has got there: the files may go.
    mutating func settleRestores(
        upTo index: LogIndex, in transaction: some KeyValueTransaction, _ report: inout ApplyReport
    ) {
        let gone = restore.unsettled.prefix { $0.index <= index }
        guard let last = gone.last else { return }
        restore.settled = last.index
        report.effects.releasedBodies += gone.map(\.file.id)
        restore.unsettled.removeFirst(gone.count)
        writeRestore(in: transaction, &report)
    }

    /// The session of whoever prepares has ended: nobody goes on with it.
    mutating func endPreparation(
        of session: SessionID, in transaction: some KeyValueTransaction, _ report: inout ApplyReport
    ) {
        guard restore.preparation?.session == session else { return }
        restore.preparation = nil
        writeRestore(in: transaction, &report)
    }

    /// What is refused for the sake of a replacement: bodies that nothing names now may be named by the next state.
    func refusalToAbandon(_ operation: MetadataOperation) -> MetadataError? {
        guard case .change(.abandonBodies(let ids)) = operation.payload else { return nil }
        guard restore.preparation == nil, !ids.contains(where: restore.needs) else {
            return MetadataError(.unavailable, "a snapshot is being restored: no body is given up")
        }
        return nil
    }
}
