package import FileSystem
package import KeyValueStore
import Metadata
package import Raft
import Synchronization

/// Where a replica's state lives, and its snapshots.
///
/// ```
/// <kv_path>/             the store, until one is installed
///   STORE                which directory is the store since then
///   installed-9-2-1/     the store that was installed at entry 9 of term 2
///   restored-9-2-1/      the store that entry 9 of term 2 has made of a snapshot file
/// <snapshots>/
///   9-2/                 this node's snapshot at entry 9 of term 2: files of RocksDB, linked, and `manifest`
///   taking/              one that is being made
///   incoming/            one that is being received
///   restoring            the state of a snapshot file that is about to be restored
/// ```
///
/// Nothing is where it counts before it is whole and durable: a directory is filled under another name and renamed, or named by a pointer
/// that is renamed. So a crash between any two steps leaves the old or the new (docs/formats/snapshot.md has the cases), and the next
/// `open` removes the rest. The directories are this process's alone (`DataDirectoryLock`), and only one `StateStorage` uses them.
///
/// All calls block: not for event loops. Any thread may make them; taking a snapshot, what belongs to a reception, and reading chunks do
/// not wait for each other.
package final class StateStorage: Sendable {
    package struct Paths: Sendable {
        /// `kv_path` of the configuration.
        package var keyValue: String
        /// `snapshot_dir` of the configuration. On the file system of `keyValue`, or files are copied where they could be linked.
        package var snapshots: String

        package init(keyValue: String, snapshots: String) {
            self.keyValue = keyValue
            self.snapshots = snapshots
        }

        var taking: String { "\(snapshots)/taking" }
        var incoming: String { "\(snapshots)/incoming" }
        var restoring: String { "\(snapshots)/restoring" }
    }

    /// What the state's directory is now, and those it was before that somebody may still read.
    struct Stores: Sendable {
        /// Nil: `kv_path` itself.
        var pointer: StorePointer?
        /// Of the store when it was opened; nil: it was not, or belongs to no cluster.
        var opened: (genesis: Genesis, applied: LogIndex)?
        var isOpen = false
        /// Replaced ones of this process whose files are still there.
        var replaced: [String] = []
    }

    let paths: Paths
    let options: RocksDBOptions
    let fileSystem: any FileSystem
    let stores: Mutex<Stores>
    let closedStores = ClosedStores()
    /// This node's, sorted by index.
    let snapshots = Mutex<[StoredSnapshot]>([])
    /// Held while a snapshot is taken.
    let checksums = Mutex(ChecksumCache())
    /// Held during what belongs to a reception, and during an installation.
    let reception = Mutex<Reception?>(nil)

    /// - Parameter options: the write-ahead log is switched off: the Raft log is the only one.
    package init(
        paths: Paths, options: RocksDBOptions = RocksDBOptions(), fileSystem: any FileSystem
    ) throws(StateStorageError) {
        self.paths = paths
        var options = options
        options.usesWriteAheadLog = false
        self.options = options
        self.fileSystem = fileSystem
        try StateStorageError.files { () throws(FileSystemError) in
            for path in [paths.keyValue, paths.snapshots, paths.incoming] { try fileSystem.makeDirectories(path) }
        }
        stores = Mutex(Stores(pointer: try StorePointer.load(in: paths.keyValue, fileSystem)))
    }

    /// Where the state was installed last (for `ReplicaStart.repair`); nil: never.
    package var installedIndex: LogIndex? {
        stores.withLock { stores in stores.pointer.flatMap { $0.origin == .installed ? $0.index : nil } }
    }

    /// Opens the store that the pointer names, or makes an empty one, and clears away what interrupted installations left.
    ///
    /// - Precondition: the first call.
    /// - Throws: `.damaged` also where the pointer is lost though there are installed stores: which one counts only the operator can say.
    package func open() throws(StateStorageError) -> RocksDBStore {
        let pointer = stores.withLock { stores in
            precondition(!stores.isOpen, "the state is open")
            stores.isOpen = true
            return stores.pointer
        }
        try removeLeftovers(pointer)
        let path = storePath(pointer)
        let store = try openStore(at: path)
        let state: ReplicatedState
        do throws(MetadataStoreFailure) {
            state = try ReplicatedStateMachine(loading: store.makeSnapshot()).state
            stores.withLock { $0.opened = state.genesis.map { ($0, state.applied) } }
        } catch { throw StateStorageError(error, path: path) }
        try removeReceptions { $0 > state.applied }
        return store
    }

    func storePath(_ pointer: StorePointer?) -> String {
        pointer.map { "\(paths.keyValue)/\($0.directoryName)" } ?? paths.keyValue
    }

    func openStore(at path: String) throws(StateStorageError) -> RocksDBStore {
        let closedStores = closedStores
        closedStores.remove(path)
        return try StateStorageError.store { () throws(KeyValueStoreError) in
            try RocksDBStore(path: path, families: KeySchema.families, options: options) { closedStores.add(path) }
        }
    }

    // MARK: Stores that were replaced

    /// Stores of no use any more: those that an installation did not come to name, and those that it replaced.
    private func removeLeftovers(_ pointer: StorePointer?) throws(StateStorageError) {
        let directory = paths.keyValue
        let names = try StateStorageError.files { () throws(FileSystemError) in try fileSystem.list(directory).sorted() }
        let installed = names.filter { StorePointer(directoryName: $0) != nil }
        if let pointer {
            guard installed.contains(pointer.directoryName) else {
                throw .damaged(
                    path: "\(directory)/\(StorePointer.fileName)",
                    reason: "there is no \(pointer.directoryName), which it names")
            }
            try removeFiles(ofStoreAt: directory)
        } else if let first = installed.first, !names.contains("CURRENT") {
            // An installation never begins before there is a store.
            throw .damaged(
                path: "\(directory)/\(StorePointer.fileName)",
                reason: "it is missing, though there is an installed store \(first)")
        }
        try StateStorageError.files { () throws(FileSystemError) in
            for name in installed where name != pointer?.directoryName { try fileSystem.removeAll("\(directory)/\(name)") }
            for path in [paths.taking, "\(paths.taking).tmp", paths.restoring] { try fileSystem.removeAll(path) }
            try ExportedCheckpoints.removeAll(in: directory, fileSystem: fileSystem)
        }
    }

    /// - Parameter listener: called when the last reader of a store has gone, on whichever thread that is: the time for
    ///   `removeClosedStores` on another one.
    package func whenStoreCloses(_ listener: @escaping @Sendable () -> Void) { closedStores.listen(listener) }

    /// Removes the files of replaced stores that nobody reads any more. What cannot be removed now is removed later.
    package func removeClosedStores() throws(StateStorageError) {
        let replaced = stores.withLock { $0.replaced }
        for path in replaced where closedStores.contains(path) {
            if path == paths.keyValue {
                try removeFiles(ofStoreAt: path)
            } else {
                try StateStorageError.files { () throws(FileSystemError) in try fileSystem.removeAll(path) }
            }
            stores.withLock { $0.replaced.removeAll { $0 == path } }
        }
    }

    /// Only what RocksDB calls its files: there is more in that directory.
    private func removeFiles(ofStoreAt path: String) throws(StateStorageError) {
        try StateStorageError.files { () throws(FileSystemError) in
            for name in try fileSystem.list(path) where Self.isStoreFile(name) { try fileSystem.removeAll("\(path)/\(name)") }
        }
    }

    private static func isStoreFile(_ name: String) -> Bool {
        RocksDBFileName(name) != nil || ["IDENTITY", "LOCK", "LOG"].contains(name) || name.hasPrefix("LOG.old.")
            || name.hasSuffix(".dbtmp")
    }
}

/// Paths of stores whose last reader has gone, in this process.
final class ClosedStores: Sendable {
    private struct State {
        var paths: [String] = []
        var listener: (@Sendable () -> Void)?
    }

    private let state = Mutex(State())

    func listen(_ listener: @escaping @Sendable () -> Void) { state.withLock { $0.listener = listener } }
    func remove(_ path: String) { state.withLock { $0.paths.removeAll { $0 == path } } }
    func contains(_ path: String) -> Bool { state.withLock { $0.paths.contains(path) } }

    func add(_ path: String) {
        let listener = state.withLock { state in
            state.paths.append(path)
            return state.listener
        }
        listener?()
    }
}
