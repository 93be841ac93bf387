package import KeyValueStore

/// What replication keeps in the same batches as the data: sessions with their results, members. Only the prefix of the keys is known here.
extension MetadataStateMachine {
    /// Writes a record of the replication layer within the transaction of the batch in progress; the digest counts it.
    ///
    /// - Parameter old: what the record counted before, as returned then or from `RecordHash`; `nil`: it was absent.
    /// - Precondition: the key begins with `KeySchema.replicationPrefix`.
    @specialized(where Transaction == RocksDBTransaction)
    package mutating func putReplicationRecord<Transaction: KeyValueTransaction>(
        _ value: [UInt8], for key: [UInt8], replacing old: StateDigest?, in transaction: Transaction
    ) -> StateDigest {
        precondition(key.starts(with: KeySchema.replicationPrefix), "a record of the replication layer under another's key")
        var writer = DigestingTransaction(transaction, digest: digest)
        let new = writer.put(value, for: key, in: KeySchema.system, replacing: old)
        digest = writer.digest
        return new
    }

    @specialized(where Transaction == RocksDBTransaction)
    package mutating func deleteReplicationRecord<Transaction: KeyValueTransaction>(
        _ key: [UInt8], removing old: StateDigest, in transaction: Transaction
    ) {
        precondition(key.starts(with: KeySchema.replicationPrefix), "a record of the replication layer under another's key")
        var writer = DigestingTransaction(transaction, digest: digest)
        writer.delete(key, in: KeySchema.system, removing: old)
        digest = writer.digest
    }

    /// Removes all that replication keeps: what is left is the state of a single node, at the same index. The commit must follow, synced.
    ///
    /// - Precondition: no batch is in progress.
    package mutating func leaveCluster<Transaction: KeyValueTransaction>(
        in transaction: Transaction
    ) throws(MetadataStoreFailure) {
        let prefix = KeySchema.replicationPrefix
        var records: [(key: [UInt8], contribution: StateDigest)] = []
        do throws(KeyValueStoreError) {
            var cursor = try transaction.makeCursor(in: KeySchema.system, from: prefix, to: nil, tier: .all)
            try cursor.seekToFirst()
            while cursor.isValid {
                let key = cursor.withKey { $0.copy(0..<$0.byteCount) }
                guard key.starts(with: prefix) else { break }
                let contribution = cursor.withValue { RecordHash.contribution(KeySchema.system, key, $0) }
                records.append((key, contribution))
                try cursor.next()
            }
        } catch { throw .store(error) }
        for (key, contribution) in records {
            if RecordHash.counts(KeySchema.system, key) {
                deleteReplicationRecord(key, removing: contribution, in: transaction)
            } else {
                transaction.delete(key, in: KeySchema.system)
            }
        }
        finishBatch(in: transaction)
    }
}
