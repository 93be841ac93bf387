/// An ordered, transactional key-value store with column families: the ground that the metadata engine stands on.
///
/// Keys and values are byte strings; the order of keys is the unsigned lexicographic order of their bytes.
/// There is one writer at a time (the apply thread); any number of threads read concurrently.
/// No call reads a clock or depends on hash order, so the in-memory implementation can stand in for RocksDB under simulation.
package protocol KeyValueStore: Sendable {
    associatedtype Snapshot: KeyValueSnapshot
    associatedtype Transaction: KeyValueTransaction

    /// A consistent view of everything committed so far. Cheap; released when the last reference to it goes.
    func makeSnapshot() -> Snapshot

    /// A batch of writes that reads its own writes on top of the committed state. Used by one thread at a time;
    /// dropped without `commit`, it leaves no trace. There must be no other commit between making and committing it.
    func makeTransaction() -> Transaction

    /// Makes the transaction's writes visible, atomically over all column families. Blocking: never call it on an event loop.
    /// - Throws: `KeyValueStoreError`; nothing of the transaction is visible then, and the store refuses further writes
    ///   when it cannot say what reached the disk.
    func commit(_ transaction: Transaction, durability: WriteDurability) throws(KeyValueStoreError)

    /// Writes a copy of the committed state to a new directory on the same file system (hard links where possible).
    func createCheckpoint(at path: String) throws(KeyValueStoreError)

    /// Writes everything that is only in memory to files and syncs them.
    func flush() throws(KeyValueStoreError)

    /// Named figures of the store (bytes in memtables, live SST bytes, pending compaction bytes, block cache usage …), for metrics.
    func statistics() -> [KeyValueStoreStatistic]

    /// Closes the store; later calls throw `.closed`. Waits for nothing but the store's own background work.
    func close()
}

/// How far a commit must have gone before `commit` returns.
package enum WriteDurability: Sendable {
    /// On disk: survives power loss.
    case synced
    /// Handed to the store; a crash of the machine may lose it (the caller has another log).
    case buffered
}

/// A column family: a key space of its own, committed atomically with the others.
package struct ColumnFamily: Hashable, Sendable {
    /// The position in the list that the store was opened with.
    package let index: Int
    package let name: String
    /// Values are large (bodies): keep them out of the LSM tree's levels (RocksDB: blob files).
    package let holdsLargeValues: Bool

    package init(index: Int, name: String, holdsLargeValues: Bool = false) {
        self.index = index
        self.name = name
        self.holdsLargeValues = holdsLargeValues
    }
}

/// Where a read may look.
package enum ReadTier: Sendable {
    /// Memory and disk. May block.
    case all
    /// Memtables and the block cache only: throws `.incomplete` where the answer needs the disk. For event loops.
    case memory
}

/// Point reads and bounded ordered iteration over one consistent state.
package protocol KeyValueReader {
    associatedtype Cursor: KeyValueCursor

    /// Calls `body` with the value's bytes, in place, and returns its result; `nil` when the key is absent.
    func withValue<Result>(
        _ key: [UInt8], in family: ColumnFamily, tier: ReadTier, _ body: (RawSpan) -> Result
    ) throws(KeyValueStoreError) -> Result?

    /// A cursor over keys in `lowerBound ..< upperBound` (`nil`: no bound), positioned nowhere until it is told to seek.
    ///
    /// It shows the state of the moment when it was made: a cursor of a transaction shows the writes gathered so far, not
    /// the later ones.
    /// - Throws: `.closed`, `.invalidArgument` for an unknown column family.
    func makeCursor(
        in family: ColumnFamily, from lowerBound: [UInt8]?, to upperBound: [UInt8]?, tier: ReadTier
    ) throws(KeyValueStoreError) -> Cursor
}

/// A position in the ordered keys of one column family.
///
/// After `seek…` or `next`, `isValid` says whether it stands on a record; a failed read (damage, `.incomplete`) throws
/// and is never reported as the end of the data. A cursor that threw must be told to seek before it moves again.
///
/// `next` and `previous` on a cursor that ran off one end: further out stays there, back in stands on the last (first)
/// record. So `seek(to: key)` and `previous()` find the greatest key below `key`, whatever is at or after it.
/// A cursor is used by one thread at a time.
package protocol KeyValueCursor {
    var isValid: Bool { get }
    /// To the first key at or after `key` (within the bounds).
    mutating func seek(to key: [UInt8]) throws(KeyValueStoreError)
    mutating func seekToFirst() throws(KeyValueStoreError)
    mutating func seekToLast() throws(KeyValueStoreError)
    mutating func next() throws(KeyValueStoreError)
    mutating func previous() throws(KeyValueStoreError)
    /// The bytes of the key under the cursor, in place. Precondition: `isValid`.
    func withKey<Result>(_ body: (RawSpan) -> Result) -> Result
    /// The bytes of the value under the cursor, in place. Precondition: `isValid`.
    func withValue<Result>(_ body: (RawSpan) -> Result) -> Result
}

/// A consistent view; may be used from any thread.
package protocol KeyValueSnapshot: KeyValueReader, Sendable {}

/// Writes gathered for one atomic commit, over a view that already shows them.
package protocol KeyValueTransaction: KeyValueReader {
    func put(_ value: [UInt8], for key: [UInt8], in family: ColumnFamily)
    /// As above, from memory that the caller keeps alive only during the call (a body in a `ByteBuffer`).
    func put(copying value: UnsafeRawBufferPointer, for key: [UInt8], in family: ColumnFamily)
    func delete(_ key: [UInt8], in family: ColumnFamily)
    /// Bytes gathered so far, for bounding a batch.
    var byteCount: Int { get }
}

/// One named figure of a store.
package struct KeyValueStoreStatistic: Sendable, Equatable {
    package var name: String
    package var value: Double

    package init(name: String, value: Double) {
        self.name = name
        self.value = value
    }
}

/// What can go wrong in a store. Absence of a key is not an error; it is `nil`.
package struct KeyValueStoreError: Error, Sendable, Equatable, CustomStringConvertible {
    package enum Code: Sendable, Equatable {
        /// Files are damaged or missing: what was asked for cannot be trusted. `detail` names the file.
        case corruption
        /// The operating system refused (I/O error, permissions).
        case ioError
        /// The disk is full.
        case noSpace
        /// Another process holds the store.
        case locked
        /// The answer needs the disk and the caller asked for memory only.
        case incomplete
        /// The store was closed.
        case closed
        /// The caller's request makes no sense (unknown column family, bad option).
        case invalidArgument
    }

    package var code: Code
    /// What happened and where, for the operator.
    package var detail: String

    package init(_ code: Code, _ detail: String) {
        self.code = code
        self.detail = detail
    }

    package var description: String { "\(code): \(detail)" }
}
