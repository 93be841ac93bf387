import CRocksDB

extension RocksDBDatabase {
    /// Commits the writes atomically. The caller excludes other writers.
    func write(_ overlay: TransactionOverlay, synced: Bool) throws(KeyValueStoreError) {
        let batch = rocksdb_writebatch_create()
        defer { rocksdb_writebatch_destroy(batch) }
        for (family, writes) in zip(families, overlay.families) {
            writes.forEach { key, value in
                key.withCBytes { keyStart, keyCount in
                    if let value {
                        value.withCBytes { rocksdb_writebatch_put_cf(batch, family, keyStart, keyCount, $0, $1) }
                    } else {
                        rocksdb_writebatch_delete_cf(batch, family, keyStart, keyCount)
                    }
                }
            }
        }
        try write(batch, synced: synced)
        if synced && !usesWriteAheadLog { try flush() }
    }

    private func write(_ batch: OpaquePointer?, synced: Bool) throws(KeyValueStoreError) {
        // A thread's own, and nobody reads the counters: each comparison of keys would count itself.
        rocksdb_set_perf_level(CInt(rocksdb_disable))
        let options = rocksdb_writeoptions_create()
        defer { rocksdb_writeoptions_destroy(options) }
        rocksdb_writeoptions_disable_WAL(options, usesWriteAheadLog ? 0 : 1)
        rocksdb_writeoptions_set_sync(options, usesWriteAheadLog && synced ? 1 : 0)
        try checkingRocksDB(path: path) { rocksdb_write(handle, options, batch, $0) }
    }

    /// Writes all memtables to files. The caller excludes writers.
    func flush() throws(KeyValueStoreError) {
        // With a log, the order in which the families reach their files does not matter: a crash replays the rest.
        if usesWriteAheadLog { try flushFamilies() } else { try flushAtomically() }
    }

    private func flushFamilies() throws(KeyValueStoreError) {
        let options = rocksdb_flushoptions_create()
        defer { rocksdb_flushoptions_destroy(options) }
        rocksdb_flushoptions_set_wait(options, 1)
        for family in families {
            try checkingRocksDB(path: path) { rocksdb_flush_cf(handle, options, family, $0) }
        }
    }

    /// Writes all families' memtables to files as one change of the manifest.
    ///
    /// RocksDB 7.8's C interface flushes one family only. A manual compaction over all keys of any family, under
    /// `atomic_flush`, first flushes all of them together; the default family is empty, so the compaction itself does
    /// nothing. That call reports no failure: empty memtables are the proof of success.
    private func flushAtomically() throws(KeyValueStoreError) {
        let options = rocksdb_compactoptions_create()
        defer { rocksdb_compactoptions_destroy(options) }
        // Not exclusive: else it would wait for compactions that are running.
        rocksdb_compactoptions_set_exclusive_manual_compaction(options, 0)
        rocksdb_compact_range_cf_opt(handle, defaultFamily, options, nil, 0, nil, 0)
        let unflushed = families.reduce(UInt64(0)) { count, family in
            count + property("rocksdb.num-entries-active-mem-table", of: family)
                + property("rocksdb.num-entries-imm-mem-tables", of: family)
        }
        guard unflushed > 0 else { return }
        // A write, even an empty one, is answered with the background error that stopped the flush.
        let empty = rocksdb_writebatch_create()
        defer { rocksdb_writebatch_destroy(empty) }
        try write(empty, synced: false)
        throw KeyValueStoreError(.ioError, "RocksDB did not flush \(unflushed) records of the store at \(path)")
    }

    /// Copies the committed state to `target`, which must not exist while its parent must.
    func createCheckpoint(at target: String) throws(KeyValueStoreError) {
        let checkpoint = try checkingRocksDB(path: path) { rocksdb_checkpoint_object_create(handle, $0) }
        defer { rocksdb_checkpoint_object_destroy(checkpoint) }
        // A log size of 0: flush first, so that the checkpoint needs no log.
        try checkingRocksDB(path: target) { rocksdb_checkpoint_create(checkpoint, target, 0, $0) }
    }
}
