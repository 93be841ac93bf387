import CRocksDB

/// RocksDB's option objects for one store. They outlive the open call because statistics read the cache.
struct RocksDBNativeOptions: ~Copyable {
    let database: OpaquePointer
    /// One per column family, in the order of the families given.
    let families: [OpaquePointer]
    let blockCache: OpaquePointer

    init(_ options: RocksDBOptions, families: [ColumnFamily]) {
        let blockCache = rocksdb_cache_create_lru(options.blockCacheBytes).unsafelyUnwrapped
        let database = rocksdb_options_create().unsafelyUnwrapped
        self.blockCache = blockCache
        self.database = database
        Self.configureDatabase(database, options)
        Self.configureTables(database, options, blockCache: blockCache)
        self.families = families.map { family in
            let copy = rocksdb_options_create_copy(database).unsafelyUnwrapped
            if family.holdsLargeValues { Self.configureBlobs(copy, options, blockCache: blockCache) }
            return copy
        }
    }

    deinit {
        for family in families { rocksdb_options_destroy(family) }
        rocksdb_options_destroy(database)
        rocksdb_cache_destroy(blockCache)
    }

    private static func configureDatabase(_ native: OpaquePointer, _ options: RocksDBOptions) {
        rocksdb_options_set_create_if_missing(native, 1)
        rocksdb_options_set_create_missing_column_families(native, 1)
        rocksdb_options_set_paranoid_checks(native, 1)
        // A torn last record is what a crash leaves and was never acknowledged. Anything else in the log must not be
        // guessed about: point-in-time recovery would silently drop acknowledged commits behind a damaged record.
        rocksdb_options_set_wal_recovery_mode(native, CInt(rocksdb_tolerate_corrupted_tail_records_recovery))
        rocksdb_options_set_max_total_wal_size(native, options.writeAheadLogBytesMax)
        rocksdb_options_set_atomic_flush(native, options.usesWriteAheadLog ? 0 : 1)
        rocksdb_options_set_write_buffer_size(native, options.writeBufferBytes)
        rocksdb_options_set_db_write_buffer_size(native, options.writeBuffersBytesMax)
        // Most keys that a write looks up are new: the filter spares the search of the memtable.
        rocksdb_options_set_memtable_prefix_bloom_size_ratio(native, options.memtableBloomRatio)
        rocksdb_options_set_memtable_whole_key_filtering(native, 1)
        rocksdb_options_set_max_background_jobs(native, CInt(clamping: options.backgroundJobs))
        rocksdb_options_set_max_open_files(native, CInt(clamping: options.openFilesMax))
        // Readers on event loops release iterators and snapshots: deleting what those held is left to background threads.
        rocksdb_options_set_avoid_unnecessary_blocking_io(native, 1)
        rocksdb_options_set_bytes_per_sync(native, 1 << 20)
        rocksdb_options_set_level_compaction_dynamic_level_bytes(native, 1)
        rocksdb_options_set_compression(native, CInt(rocksdb_lz4_compression))
        RocksDBLog.install(options.log, in: native)
        rocksdb_options_set_stats_dump_period_sec(native, 0)
        rocksdb_options_set_stats_persist_period_sec(native, 0)
    }

    private static func configureTables(
        _ native: OpaquePointer, _ options: RocksDBOptions, blockCache: OpaquePointer
    ) {
        let tables = rocksdb_block_based_options_create()
        defer { rocksdb_block_based_options_destroy(tables) }
        rocksdb_block_based_options_set_block_cache(tables, blockCache)
        rocksdb_block_based_options_set_block_size(tables, options.blockBytes)
        rocksdb_block_based_options_set_cache_index_and_filter_blocks(tables, 1)
        rocksdb_block_based_options_set_cache_index_and_filter_blocks_with_high_priority(tables, 1)
        rocksdb_block_based_options_set_pin_l0_filter_and_index_blocks_in_cache(tables, 1)
        // Fixed, because the check of table files before opening knows the footer of this version.
        rocksdb_block_based_options_set_format_version(tables, 5)
        rocksdb_block_based_options_set_data_block_index_type(
            tables, CInt(rocksdb_block_based_table_data_block_index_type_binary_search_and_hash))
        // The table options take ownership of the filter policy.
        rocksdb_block_based_options_set_filter_policy(
            tables, rocksdb_filterpolicy_create_bloom_full(options.bloomBitsPerKey))
        rocksdb_options_set_block_based_table_factory(native, tables)
    }

    private static func configureBlobs(_ native: OpaquePointer, _ options: RocksDBOptions, blockCache: OpaquePointer) {
        rocksdb_options_set_enable_blob_files(native, 1)
        rocksdb_options_set_min_blob_size(native, options.blobBytesMin)
        rocksdb_options_set_blob_file_size(native, 64 << 20)
        rocksdb_options_set_enable_blob_gc(native, 1)
        // Without a cache for them, a `.memory` read could never return a large value.
        rocksdb_options_set_blob_cache(native, blockCache)
    }
}
