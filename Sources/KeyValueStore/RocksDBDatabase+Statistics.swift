import CRocksDB

extension RocksDBDatabase {
    /// RocksDB's figures of one family that make sense as a sum over all.
    private static var summed: [(name: String, property: String)] {
        [
            ("memtable_bytes", "rocksdb.cur-size-all-mem-tables"),
            ("immutable_memtables", "rocksdb.num-immutable-mem-table"),
            ("keys_estimate", "rocksdb.estimate-num-keys"),
            ("table_readers_bytes", "rocksdb.estimate-table-readers-mem"),
            ("sst_live_bytes", "rocksdb.live-sst-files-size"),
            ("sst_total_bytes", "rocksdb.total-sst-files-size"),
            ("blob_live_bytes", "rocksdb.live-blob-file-size"),
            ("blob_garbage_bytes", "rocksdb.live-blob-file-garbage-size"),
            ("pending_compaction_bytes", "rocksdb.estimate-pending-compaction-bytes"),
            ("level0_files", "rocksdb.num-files-at-level0"),
        ]
    }

    /// Figures of the whole database, whichever family is asked.
    private static var global: [(name: String, property: String)] {
        [
            ("running_compactions", "rocksdb.num-running-compactions"),
            ("running_flushes", "rocksdb.num-running-flushes"),
            ("background_errors", "rocksdb.background-errors"),
            ("snapshots", "rocksdb.num-snapshots"),
            ("oldest_snapshot_unix_seconds", "rocksdb.oldest-snapshot-time"),
            ("write_stopped", "rocksdb.is-write-stopped"),
            ("delayed_write_bytes_per_second", "rocksdb.actual-delayed-write-rate"),
        ]
    }

    func statistics() -> [KeyValueStoreStatistic] {
        var statistics = Self.summed.map { name, property in
            let sum = families.reduce(UInt64(0)) { $0 &+ self.property(property, of: $1) }
            return KeyValueStoreStatistic(name: name, value: Double(sum))
        }
        for (name, property) in Self.global {
            statistics.append(
                KeyValueStoreStatistic(name: name, value: Double(self.property(property, of: defaultFamily))))
        }
        statistics.append(
            KeyValueStoreStatistic(name: "block_cache_bytes", value: Double(rocksdb_cache_get_usage(blockCache))))
        statistics.append(
            KeyValueStoreStatistic(
                name: "block_cache_pinned_bytes", value: Double(rocksdb_cache_get_pinned_usage(blockCache))))
        return statistics
    }

    /// An integer property, or 0 where the family has none of that name.
    func property(_ name: String, of family: OpaquePointer) -> UInt64 {
        var value: UInt64 = 0
        return rocksdb_property_int_cf(handle, family, name, &value) == 0 ? value : 0
    }
}
