import Backup
import FileSystem
package import KeyValueStore
package import Raft
import Synchronization

/// Putting the state of a snapshot file in the place of the state.
extension StateStorage {
    /// Where the file is to be, for `restore`: the beginning of a snapshot file, up to the end of the store in it.
    package var restoringPath: String { paths.restoring }

    /// Makes the state of the file at `restoringPath` the state, durably, and opens it. The file is gone then.
    ///
    /// Whatever reads the old store may go on, as after `install`. After an error it may have happened or not: nothing may be written to the old
    /// state any more, and the next start tells: a state that ends before the entry lets it be applied again.
    ///
    /// - Parameters:
    ///   - file: the id of the whole snapshot file.
    ///   - change: makes of the store what the entry asks for, in a commit that is synced.
    /// - Throws: `BackupError`, `StateStorageError`, and what `change` throws.
    package func restore(
        _ file: UInt128, at index: LogIndex, _ term: Term, change: (RocksDBStore) throws -> Void
    ) throws -> RocksDBStore {
        try? removeClosedStores()
        let replaced = stores.withLock { $0.pointer }
        let pointer = StorePointer(.restored, index: index, term: term, number: (replaced?.number ?? 0) + 1)
        let path = storePath(pointer)
        try StateStorageError.files { () throws(FileSystemError) in
            // What a failed attempt left.
            try fileSystem.removeAll(path)
            try fileSystem.makeDirectory(path)
        }
        let opened = try OpenedBackup(openingStateOf: restoringPath, id: file, fileSystem: fileSystem)
        var sections = BackupSections(of: opened)
        _ = try sections.unpackStore(into: path, fileSystem)
        let store = try openStore(at: path)
        do {
            try change(store)
            try StateStorageError.files { () throws(FileSystemError) in
                try fileSystem.synchronizeDirectory(path)
                try fileSystem.synchronizeDirectory(paths.keyValue)
            }
            try pointer.store(in: paths.keyValue, fileSystem)
        } catch {
            store.close()
            throw error
        }
        stores.withLock { stores in
            stores.pointer = pointer
            stores.replaced.append(storePath(replaced))
        }
        // What cannot be removed now goes at the next start.
        try? fileSystem.removeAll(restoringPath)
        return store
    }
}
