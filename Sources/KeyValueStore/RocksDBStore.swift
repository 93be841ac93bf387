import CRocksDB
import Synchronization

/// The key-value store on disk: RocksDB by its C interface.
///
/// What a crash leaves:
///
/// - With the write-ahead log (the default): every commit that returned. `.synced` survives power loss, and so does every
///   commit before it; `.buffered` survives a crash of the process, and power loss takes at most the newest of them. A
///   record torn by the crash is cut off at the next opening; damage anywhere else refuses the opening with `.corruption`.
/// - Without it: one point in the order of commits, the same for all families, no older than the last `flush()`, `.synced`
///   commit (which flushes) or orderly `close()`.
///
/// A failed write makes the store read-only: nobody can say how much of it reached the disk, so every later write throws
/// the same error until the store is opened anew. Reads go on.
///
/// Any thread may call any method. `commit`, `flush`, `createCheckpoint` and `close` block and have no place on event loops;
/// commits and flushes exclude each other.
package final class RocksDBStore: KeyValueStore {
    private struct Writer: ~Copyable {
        /// Why the store is read-only.
        var failure: KeyValueStoreError?
    }

    package let path: String
    private let familyCount: Int
    /// `nil` once closed. Held for no longer than it takes to copy the reference.
    private let database: Mutex<RocksDBDatabase?>
    /// Held during a write.
    private let writer = Mutex(Writer())

    /// Opens the store at `path`, or makes it (the parent directory must exist).
    /// - Parameter families: in the order of their indexes; those that the store does not have yet are created, and one that
    ///   it has and the list lacks is an error.
    /// - Throws: `.locked` when the store is open already, here or in another process; `.corruption` with the damaged or
    ///   missing file; `.ioError`, `.noSpace`; `.invalidArgument` for names or indexes that make no sense.
    /// - Parameter onClosed: called once when the files are no longer in use: the store is closed or released, and so are all
    ///   snapshots, cursors and transactions of it. On whichever thread that happens, so it must not block.
    package init(
        path: String, families: [ColumnFamily], options: RocksDBOptions = RocksDBOptions(),
        onClosed: (@Sendable () -> Void)? = nil
    ) throws(KeyValueStoreError) {
        self.path = path
        self.familyCount = families.count
        database = Mutex(
            try RocksDBDatabase(path: path, families: families, options: options, access: .all, onClosed: onClosed))
    }

    /// Opens the store at `path` for reading: nothing in its directory changes, and nobody else is kept out, so that nobody must be
    /// writing there. Writes throw `.invalidArgument`.
    package init(
        reading path: String, families: [ColumnFamily], options: RocksDBOptions = RocksDBOptions()
    ) throws(KeyValueStoreError) {
        self.path = path
        self.familyCount = families.count
        database = Mutex(
            try RocksDBDatabase(path: path, families: families, options: options, access: .reading, onClosed: nil))
    }

    package func makeSnapshot() -> RocksDBSnapshot {
        RocksDBSnapshot(currentDatabase, pinned: true)
    }

    package func makeTransaction() -> RocksDBTransaction {
        RocksDBTransaction(currentDatabase, familyCount: familyCount)
    }

    package func commit(
        _ transaction: RocksDBTransaction, durability: WriteDurability
    ) throws(KeyValueStoreError) {
        try write { database throws(KeyValueStoreError) in
            try database.write(transaction.overlay, synced: durability == .synced)
        }
    }

    package func flush() throws(KeyValueStoreError) {
        try write { database throws(KeyValueStoreError) in try database.flush() }
    }

    package func createCheckpoint(at path: String) throws(KeyValueStoreError) {
        guard let database = currentDatabase else { throw .storeIsClosed }
        try database.createCheckpoint(at: path)
    }

    package func statistics() -> [KeyValueStoreStatistic] {
        currentDatabase?.statistics() ?? []
    }

    /// Waits for a write that is under way and for background work. The files stay locked until the snapshots, cursors and
    /// transactions that others still hold are released; their reads throw `.closed` from now on.
    package func close() {
        let last = database.withLock { database in
            defer { database = nil }
            return database
        }
        guard let last else { return }
        writer.withLock { _ in last.close() }
    }

    private var currentDatabase: RocksDBDatabase? { database.withLock { $0 } }

    /// Runs `body` as the only writer, and remembers its failure.
    private func write(
        _ body: (RocksDBDatabase) throws(KeyValueStoreError) -> Void
    ) throws(KeyValueStoreError) {
        guard let database = currentDatabase else { throw .storeIsClosed }
        try writer.withLock { writer throws(KeyValueStoreError) in
            if database.isClosed { throw .storeIsClosed }
            guard database.access == .all else {
                throw KeyValueStoreError(.invalidArgument, "the store at \(path) is open for reading only")
            }
            if let failure = writer.failure {
                throw KeyValueStoreError(failure.code, "the store is read-only after a failed write: \(failure.detail)")
            }
            do throws(KeyValueStoreError) {
                try body(database)
            } catch {
                writer.failure = error
                throw error
            }
        }
    }
}
