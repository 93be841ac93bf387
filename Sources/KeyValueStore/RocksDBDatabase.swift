import CRocksDB
import Synchronization

/// An open RocksDB and what belongs to it; closed when the last reference goes.
///
/// Store, snapshots and cursors each hold a reference, so none can outlive the database that it points into.
///
/// `@unchecked Sendable`: RocksDB's database, column family and cache objects may be used by any thread at once, the
/// option objects are not changed after `init`, and `isClosed` is atomic.
final class RocksDBDatabase: @unchecked Sendable {
    let path: String
    let handle: OpaquePointer
    /// RocksDB's mandatory family. It stays empty.
    let defaultFamily: OpaquePointer
    /// By `ColumnFamily.index`.
    let families: [OpaquePointer]
    let usesWriteAheadLog: Bool
    let access: RocksDBAccess
    /// Called when the files are no longer in use.
    private let onClosed: (@Sendable () -> Void)?
    private let native: RocksDBNativeOptions
    private let closed = Atomic(false)

    var isClosed: Bool { closed.load(ordering: .acquiring) }
    var blockCache: OpaquePointer { native.blockCache }

    static let defaultFamilyName = "default"

    /// - Throws: `.locked`, `.corruption`, `.ioError`, `.noSpace`, `.invalidArgument`.
    init(
        path: String, families: [ColumnFamily], options: RocksDBOptions, access: RocksDBAccess,
        onClosed: (@Sendable () -> Void)?
    ) throws(KeyValueStoreError) {
        try Self.check(families, path: path)
        try RocksDBDirectory.check(path)
        let isNew = !RocksDBDirectory.exists(at: path)
        if isNew, access == .all { RocksDBDirectory.make(path) }
        let all = [ColumnFamily(index: 0, name: Self.defaultFamilyName)] + families
        let native = RocksDBNativeOptions(options, families: all)
        var handles = [OpaquePointer?](repeating: nil, count: all.count)
        let handle = try Self.open(path: path, families: all, native: native, access: access, handles: &handles)
        let opened = handles.compactMap { $0 }
        self.path = path
        self.handle = handle
        self.defaultFamily = opened[0]
        self.families = Array(opened.dropFirst())
        self.usesWriteAheadLog = options.usesWriteAheadLog
        self.access = access
        self.onClosed = onClosed
        self.native = native
        if isNew, access == .all { try RocksDBDirectory.syncParent(of: path) }
    }

    deinit {
        for family in families { rocksdb_column_family_handle_destroy(family) }
        rocksdb_column_family_handle_destroy(defaultFamily)
        rocksdb_close(handle)
        onClosed?()
    }

    /// Refuses reads from now on and stops background work; without a write-ahead log, what is only in memory is written
    /// to files first. Blocking. The files stay locked until the last reference goes.
    func close() {
        guard !closed.exchange(true, ordering: .acquiringAndReleasing) else { return }
        rocksdb_cancel_all_background_work(handle, 1)
    }

    /// - Throws: `.invalidArgument` for a family that the store was not opened with, `.closed`.
    @inline(__always)
    func family(_ family: ColumnFamily) throws(KeyValueStoreError) -> OpaquePointer {
        if isClosed { throw .storeIsClosed }
        guard families.indices.contains(family.index) else {
            throw KeyValueStoreError(.invalidArgument, "the store at \(path) has no column family \(family.name)")
        }
        return families[family.index]
    }

    private static func check(_ families: [ColumnFamily], path: String) throws(KeyValueStoreError) {
        let names = Set(families.map(\.name))
        guard names.count == families.count, !names.contains(defaultFamilyName), !names.contains("") else {
            throw KeyValueStoreError(.invalidArgument, "column families need names of their own other than \"default\"")
        }
        guard families.enumerated().allSatisfy({ $0.offset == $0.element.index }) else {
            throw KeyValueStoreError(.invalidArgument, "a column family's index must be its position in the list")
        }
        guard !path.isEmpty, !path.utf8.contains(0), !names.contains(where: { $0.utf8.contains(0) }) else {
            throw KeyValueStoreError(.invalidArgument, "a path is empty, or a path or name contains a zero byte")
        }
    }

    private static func open(
        path: String, families: [ColumnFamily], native: borrowing RocksDBNativeOptions, access: RocksDBAccess,
        handles: inout [OpaquePointer?]
    ) throws(KeyValueStoreError) -> OpaquePointer {
        let names = families.map { $0.name.utf8CString }
        let joined = names.flatMap { $0 }
        let options: [OpaquePointer?] = native.families
        let database = native.database
        var message: UnsafeMutablePointer<CChar>?
        // One buffer of all names, so that their addresses hold together during the call.
        let handle = joined.withUnsafeBufferPointer { buffer in
            var offset = 0
            let starts = names.map { name in
                defer { offset += name.count }
                return buffer.baseAddress.map { $0 + offset }
            }
            switch access {
            case .all:
                return rocksdb_open_column_families(
                    database, path, CInt(families.count), starts, options, &handles, &message)
            case .reading:
                return rocksdb_open_for_read_only_column_families(
                    database, path, CInt(families.count), starts, options, &handles, 0, &message)
            }
        }
        if let message { throw takeRocksDBError(message, path: path) }
        guard let handle, !handles.contains(nil) else {
            throw KeyValueStoreError(.ioError, "RocksDB opened \(path) without saying what went wrong")
        }
        return handle
    }
}

/// What may be done with a database.
enum RocksDBAccess {
    case all
    /// Nothing in its directory changes.
    case reading
}

extension KeyValueStoreError {
    static var storeIsClosed: KeyValueStoreError { KeyValueStoreError(.closed, "the store was closed") }
}
