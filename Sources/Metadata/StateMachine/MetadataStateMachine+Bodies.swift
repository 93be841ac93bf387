package import KeyValueStore
import ObjectDataStore

/// The `bodies` family: a stored body is needed exactly as long as it is named there.
extension MetadataStateMachine {
    func putReference(
        _ id: BodyID, _ reference: BodyReference, replacing old: BodyReference? = nil,
        _ writer: inout DigestingTransaction<some KeyValueTransaction>
    ) {
        let key = KeySchema.body(id)
        let contribution = old.map { RecordHash.contribution(KeySchema.bodies, key, $0.encode()) }
        writer.put(reference.encode(), for: key, in: KeySchema.bodies, replacing: contribution)
    }

    func release(
        _ id: BodyID, _ reference: BodyReference, _ writer: inout DigestingTransaction<some KeyValueTransaction>,
        _ effects: inout ApplyEffects
    ) {
        writer.delete(KeySchema.body(id), in: KeySchema.bodies, holding: reference.encode())
        effects.releasedBodies.append(id)
    }

    /// A body belongs to one version or part: named by two it would be deleted with the first of them.
    func requireUnreferenced(
        _ body: ObjectBody, _ writer: DigestingTransaction<some KeyValueTransaction>
    ) throws(ApplyStop) {
        guard case .stored(let stored) = body else { return }
        if try writer.contains(KeySchema.body(stored.id), in: KeySchema.bodies) {
            throw .refused(.invalidArgument, "the body belongs to an object already")
        }
        if try writer.contains(KeySchema.abandoned(stored.id), in: KeySchema.system) {
            throw .refused(.unavailable, "the body was given up, because nothing had named it for long")
        }
    }

    /// From here on no record may name these bodies; those that one names already stay as they are.
    func abandonBodies(
        _ ids: [BodyID], _ context: ChangeContext, _ writer: inout DigestingTransaction<some KeyValueTransaction>,
        _ effects: inout ApplyEffects
    ) throws(ApplyStop) -> MetadataReply {
        let record = AbandonedRecord(timestamp: context.timestamp).encode()
        for id in ids {
            if try writer.contains(KeySchema.body(id), in: KeySchema.bodies) { continue }
            effects.releasedBodies.append(id)
            let key = KeySchema.abandoned(id)
            // Each replica that has the file says so.
            if try writer.contains(key, in: KeySchema.system) { continue }
            writer.put(record, for: key, in: KeySchema.system, replacing: nil)
        }
        return .done
    }

    /// What another state has given up is given up in this one, too, unless this one names it. Within a batch, outside of operations.
    package mutating func keepAbandonedBodies<Transaction: KeyValueTransaction>(
        of other: some KeyValueReader, in transaction: Transaction
    ) throws(MetadataStoreFailure) {
        var writer = DigestingTransaction(transaction, digest: digest)
        do throws(ApplyStop) {
            for (key, record) in try Self.abandonedRecords(in: other) {
                // What follows the prefix is the body's key.
                let body = Array(key.dropFirst(KeySchema.abandonedPrefix.count))
                if try writer.contains(body, in: KeySchema.bodies) { continue }
                if try writer.contains(key, in: KeySchema.system) { continue }
                writer.put(record, for: key, in: KeySchema.system, replacing: nil)
            }
        } catch {
            switch error {
            case .failed(let failure): throw failure
            case .refused: preconditionFailure("reading is never refused")
            }
        }
        digest = writer.digest
    }

    private static func abandonedRecords(
        in reader: some KeyValueReader
    ) throws(ApplyStop) -> [(key: [UInt8], record: [UInt8])] {
        let prefix = KeySchema.abandonedPrefix
        var records: [(key: [UInt8], record: [UInt8])] = []
        do throws(KeyValueStoreError) {
            var cursor = try reader.makeCursor(in: KeySchema.system, from: prefix, to: nil, tier: .all)
            try cursor.seekToFirst()
            while cursor.isValid {
                let key = cursor.withKey { $0.copy(0..<$0.byteCount) }
                guard key.starts(with: prefix) else { break }
                records.append((key, cursor.withValue { $0.copy(0..<$0.byteCount) }))
                try cursor.next()
            }
        } catch { throw .failed(.store(error)) }
        return records
    }

    /// The body of a refused change will be named by nothing, on any replica (unless something else names it).
    func releaseBody(
        namedBy change: MetadataChange, _ writer: DigestingTransaction<some KeyValueTransaction>,
        _ effects: inout ApplyEffects
    ) throws(ApplyStop) {
        guard let stored = change.storedBody else { return }
        if try writer.contains(KeySchema.body(stored.id), in: KeySchema.bodies) { return }
        effects.releasedBodies.append(stored.id)
    }
}
