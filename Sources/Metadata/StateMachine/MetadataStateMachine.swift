package import KeyValueStore

/// Applies operations to the store: the one place where metadata changes, and the same on each replica.
///
/// Pure over a transaction: no clock, no randomness, no order of hashing, no I/O of its own. Ids and orders come from the position of
/// the operation in the log, times from its proposer. One thread owns it (a value; copying it copies its caches).
///
/// A batch is any number of `apply` and `skip` in one transaction, then `finishBatch`, then the commit:
///
///     apply(op, at: 8) ─ apply(op, at: 9) ─ finishBatch ─ store.commit ─ effects, replies
///                                               └ writes counters, bucket number, applied index and digest once
///
/// If `apply` throws or the commit fails, nothing of the batch is in the store, but it is in this value:
/// discard it, and load another one from the store.
package struct MetadataStateMachine {
    /// The index of the last operation applied, in this batch or before; 0: none.
    package private(set) var appliedIndex: UInt64
    /// The digest of the whole state. Complete between batches (`finishBatch` adds the counters).
    package internal(set) var digest: StateDigest

    var nextBucketID: BucketID
    private var nextBucketContribution: StateDigest?
    private var storedNextBucketID: BucketID
    var bucketCache = BucketCache()
    private var hasFormat: Bool
    private var hasFailed = false

    /// - Throws: `.unsupportedSchema` for a store of another schema; `.damaged` where the records contradict one another.
    package init(loading reader: some KeyValueReader) throws(MetadataStoreFailure) {
        let format = try StoredRecords.read(reader, KeySchema.format, in: KeySchema.system, FormatRecord.decode)
        let applied = try StoredRecords.read(reader, KeySchema.applied, in: KeySchema.system, AppliedRecord.decode)
        let nextBucket = try StoredRecords.read(reader, KeySchema.nextBucketID, in: KeySchema.system, NextBucketRecord.decode)
        if let format, format.schemaVersion != KeySchema.schemaVersion { throw .unsupportedSchema(format.schemaVersion) }
        guard (format == nil) == (applied == nil) else {
            throw .damaged(RecordDamage("AppliedRecord", "of applied index and format only one is there"))
        }
        hasFormat = format != nil
        appliedIndex = applied?.index ?? 0
        digest = applied?.digest ?? .zero
        nextBucketID = nextBucket?.id ?? BucketID(1)
        storedNextBucketID = nextBucketID
        nextBucketContribution = nextBucket.map {
            RecordHash.contribution(KeySchema.system, KeySchema.nextBucketID, $0.encode())
        }
    }

    /// Applies one operation within the transaction of the batch in progress.
    ///
    /// - Parameter index: its place in the log, greater than `appliedIndex`.
    /// - Parameter effects: to be carried out after the commit; those of the operation are added.
    /// - Throws: the batch is lost, and so is this value.
    @specialized(where Transaction == RocksDBTransaction)
    package mutating func apply<Transaction: KeyValueTransaction>(
        _ operation: MetadataOperation, at index: UInt64, in transaction: Transaction, effects: inout ApplyEffects
    ) throws(MetadataStoreFailure) -> MetadataOutcome {
        precondition(!hasFailed, "a state machine that failed must be loaded anew")
        precondition(index > appliedIndex, "an operation is applied once, and in order")
        var writer = DigestingTransaction(transaction, digest: digest)
        let outcome: MetadataOutcome
        do throws(MetadataStoreFailure) {
            switch operation.payload {
            case .change(let change):
                let context = ChangeContext(position: CommitPosition(index: index, offset: 0), timestamp: operation.timestamp)
                outcome = .change(try make(change, context, &writer, &effects))
            case .batchOps(let changes):
                outcome = .batch(try make(changes, at: index, operation.timestamp, &writer, &effects))
            }
        } catch {
            hasFailed = true
            throw error
        }
        digest = writer.digest
        appliedIndex = index
        return outcome
    }

    /// Passes an operation that is refused before it is looked at, alike on each replica. Its body will be named by nothing.
    @specialized(where Transaction == RocksDBTransaction)
    package mutating func refuse<Transaction: KeyValueTransaction>(
        _ operation: MetadataOperation, at index: UInt64, _ refusal: MetadataError, in transaction: Transaction,
        effects: inout ApplyEffects
    ) throws(MetadataStoreFailure) -> MetadataOutcome {
        precondition(!hasFailed && index > appliedIndex, "an operation is refused once, and in order")
        let writer = DigestingTransaction(transaction, digest: digest)
        appliedIndex = index
        do throws(ApplyStop) {
            switch operation.payload {
            case .change(let change):
                try releaseBody(namedBy: change, writer, &effects)
                return .change(.failure(refusal))
            case .batchOps(let changes):
                for change in changes { try releaseBody(namedBy: change, writer, &effects) }
                return .batch(changes.map { _ in .failure(refusal) })
            }
        } catch {
            hasFailed = true
            switch error {
            case .failed(let failure): throw failure
            case .refused: preconditionFailure("releasing a body is never refused")
            }
        }
    }

    /// Passes an entry of the log that is no operation.
    package mutating func skip(to index: UInt64) {
        precondition(!hasFailed && index > appliedIndex, "the log is applied in order")
        appliedIndex = index
    }

    /// Writes what is written once a batch. The commit must follow.
    @specialized(where Transaction == RocksDBTransaction)
    package mutating func finishBatch<Transaction: KeyValueTransaction>(in transaction: Transaction) {
        precondition(!hasFailed, "a state machine that failed must be loaded anew")
        var writer = DigestingTransaction(transaction, digest: digest)
        bucketCache.finishBatch { entry in
            writer.put(
                entry.counters.encode(), for: KeySchema.counters(entry.record.id), in: KeySchema.system,
                replacing: entry.countersContribution)
        }
        if nextBucketID != storedNextBucketID {
            nextBucketContribution = writer.put(
                NextBucketRecord(id: nextBucketID).encode(), for: KeySchema.nextBucketID, in: KeySchema.system,
                replacing: nextBucketContribution)
            storedNextBucketID = nextBucketID
        }
        digest = writer.digest
        // These two are no part of the state that the digest covers.
        if !hasFormat {
            transaction.put(
                FormatRecord(schemaVersion: KeySchema.schemaVersion).encode(), for: KeySchema.format, in: KeySchema.system)
            hasFormat = true
        }
        transaction.put(
            AppliedRecord(index: appliedIndex, digest: digest).encode(), for: KeySchema.applied, in: KeySchema.system)
    }

    // MARK: One change

    private mutating func make(
        _ changes: [MetadataChange], at index: UInt64, _ timestamp: UInt64,
        _ writer: inout DigestingTransaction<some KeyValueTransaction>, _ effects: inout ApplyEffects
    ) throws(MetadataStoreFailure) -> [Result<MetadataReply, MetadataError>] {
        precondition(changes.count <= MetadataOperation.batchCountMax, "proposers bound their batches")
        var results: [Result<MetadataReply, MetadataError>] = []
        results.reserveCapacity(changes.count)
        for (offset, change) in changes.enumerated() {
            let position = CommitPosition(index: index, offset: UInt32(offset))
            results.append(try make(change, ChangeContext(position: position, timestamp: timestamp), &writer, &effects))
        }
        return results
    }

    private mutating func make(
        _ change: MetadataChange, _ context: ChangeContext,
        _ writer: inout DigestingTransaction<some KeyValueTransaction>, _ effects: inout ApplyEffects
    ) throws(MetadataStoreFailure) -> Result<MetadataReply, MetadataError> {
        let writeCountBefore = writer.writeCount
        do throws(ApplyStop) {
            do throws(ApplyStop) {
                return .success(try perform(change, context, &writer, &effects))
            } catch {
                guard case .refused(let refusal) = error else { throw error }
                precondition(writer.writeCount == writeCountBefore, "a refusal is decided before the first write")
                try releaseBody(namedBy: change, writer, &effects)
                return .failure(refusal)
            }
        } catch {
            switch error {
            case .failed(let failure): throw failure
            case .refused: preconditionFailure("releasing a body is never refused")
            }
        }
    }

    private mutating func perform(
        _ change: MetadataChange, _ context: ChangeContext,
        _ writer: inout DigestingTransaction<some KeyValueTransaction>, _ effects: inout ApplyEffects
    ) throws(ApplyStop) -> MetadataReply {
        switch change {
        case .putObject(let request): try putObject(request, context, &writer, &effects)
        case .deleteObject(let request): try deleteObject(request, context, &writer, &effects)
        case .updateMetadata(let request): try updateMetadata(request, context, &writer)
        case .createBucket(let request): try createBucket(request, context, &writer, &effects)
        case .deleteBucket(let request): try deleteBucket(request, &writer, &effects)
        case .setBucketVersioning(let request): try setBucketVersioning(request, &writer, &effects)
        case .createMultipartUpload(let request): try createMultipartUpload(request, context, &writer)
        case .putPart(let request): try putPart(request, context, &writer, &effects)
        case .completeMultipartUpload(let request): try completeMultipartUpload(request, context, &writer, &effects)
        case .abortMultipartUpload(let request): try abortMultipartUpload(request, &writer, &effects)
        case .setObjectTagging(let request): try setObjectTagging(request, &writer)
        case .setBucketTagging(let request): try setBucketTagging(request, &writer)
        case .abandonBodies(let ids): try abandonBodies(ids, context, &writer, &effects)
        }
    }
}

/// What a change takes from the operation that carries it.
struct ChangeContext {
    /// Its place in the order of all changes: the version id, upload id or order that it gives out.
    let position: CommitPosition
    /// Milliseconds UTC.
    let timestamp: UInt64
}

/// Reading records where there is no transaction.
package enum StoredRecords {
    package static func read<Record>(
        _ reader: some KeyValueReader, _ key: [UInt8], in family: ColumnFamily, tier: ReadTier = .all,
        _ decode: (RawSpan) throws(RecordDamage) -> Record
    ) throws(MetadataStoreFailure) -> Record? {
        let outcome: Result<Record, RecordDamage>?
        do {
            outcome = try reader.withValue(key, in: family, tier: tier) { value in
                do throws(RecordDamage) { return .success(try decode(value)) } catch { return .failure(error) }
            }
        } catch { throw .store(error) }
        switch outcome {
        case nil: return nil
        case .success(let record)?: return record
        case .failure(let damage)?: throw .damaged(damage)
        }
    }
}
