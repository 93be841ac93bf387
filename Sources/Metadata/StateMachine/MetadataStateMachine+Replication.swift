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
}
