import CRocksDB

/// A consistent view of a `RocksDBStore`.
///
/// It keeps the database open: after `close()` of the store its reads throw `.closed`, and the database's memory and lock go
/// when the last snapshot, cursor and transaction do. Reads of one key copy nothing.
///
/// `@unchecked Sendable`: RocksDB's snapshots and read options may be used by any number of threads as long as nobody
/// changes them, and nothing here does after `init`.
package final class RocksDBSnapshot: KeyValueSnapshot, @unchecked Sendable {
    /// `nil` when the store was closed before the snapshot was made.
    private let database: RocksDBDatabase?
    /// `nil` for the view of a transaction, which reads the newest state (there is no other writer).
    private let snapshot: OpaquePointer?
    private let optionsForAll: OpaquePointer?
    private let optionsForMemory: OpaquePointer?

    init(_ database: RocksDBDatabase?, pinned: Bool) {
        self.database = database
        guard let database else {
            (snapshot, optionsForAll, optionsForMemory) = (nil, nil, nil)
            return
        }
        snapshot = pinned ? rocksdb_create_snapshot(database.handle) : nil
        optionsForAll = Self.makeReadOptions(.all, snapshot: snapshot)
        optionsForMemory = Self.makeReadOptions(.memory, snapshot: snapshot)
    }

    deinit {
        if let optionsForAll { rocksdb_readoptions_destroy(optionsForAll) }
        if let optionsForMemory { rocksdb_readoptions_destroy(optionsForMemory) }
        if let database, let snapshot { rocksdb_release_snapshot(database.handle, snapshot) }
    }

    package func withValue<Result>(
        _ key: [UInt8], in family: ColumnFamily, tier: ReadTier, _ body: (RawSpan) -> Result
    ) throws(KeyValueStoreError) -> Result? {
        guard let database else { throw .storeIsClosed }
        let familyHandle = try database.family(family)
        var message: UnsafeMutablePointer<CChar>?
        let options = tier == .all ? optionsForAll : optionsForMemory
        let pinned = key.withCBytes { start, count in
            rocksdb_get_pinned_cf(database.handle, options, familyHandle, start, count, &message)
        }
        if let message { throw takeRocksDBError(message, path: database.path) }
        guard let pinned else { return nil }
        defer { rocksdb_pinnableslice_destroy(pinned) }
        var count = 0
        let start = rocksdb_pinnableslice_value(pinned, &count)
        // RocksDB before 9.1 answers a read from memory with success and no bytes when the table file that may hold the key
        // is not open (its pull request 12443): an empty value may be none.
        if count == 0, tier == .memory {
            throw KeyValueStoreError(.incomplete, "a table file of the store at \(database.path) is not open")
        }
        return body(UnsafeRawBufferPointer(start: start, count: count).bytes)
    }

    package func makeCursor(
        in family: ColumnFamily, from lowerBound: [UInt8]?, to upperBound: [UInt8]?, tier: ReadTier
    ) throws(KeyValueStoreError) -> RocksDBCursor {
        guard let database else { throw .storeIsClosed }
        let familyHandle = try database.family(family)
        return RocksDBCursor(
            database, family: familyHandle, readOptions: Self.makeReadOptions(tier, snapshot: snapshot),
            from: lowerBound, to: upperBound)
    }

    private static func makeReadOptions(_ tier: ReadTier, snapshot: OpaquePointer?) -> OpaquePointer {
        let options = rocksdb_readoptions_create().unsafelyUnwrapped
        if let snapshot { rocksdb_readoptions_set_snapshot(options, snapshot) }
        let blockCacheTier: CInt = 1
        if tier == .memory { rocksdb_readoptions_set_read_tier(options, blockCacheTier) }
        return options
    }
}
