import FileSystem
package import KeyValueStore
import Raft
import Synchronization

/// Putting a received snapshot in the place of the state.
extension StateStorage {
    /// Makes the received snapshot the state, durably, and opens it.
    ///
    /// Whatever reads the old store may go on; its files are removed when nobody does any more (`removeClosedStores`, which taking a
    /// snapshot and installing also do) or at the next start. The received snapshot is gone then.
    ///
    /// After an error it may have happened or not: nothing may be written to the old state any more, and the next start tells.
    ///
    /// - Throws: `.unknownSnapshot` where `finishReception` has not said yes.
    package func install(_ id: SnapshotID) throws(StateStorageError) -> RocksDBStore {
        try? removeClosedStores()
        return try reception.withLock { current throws(StateStorageError) in
            guard let reception = current, reception.offer.id == id, reception.isFinished else { throw .unknownSnapshot(id) }
            let replaced = stores.withLock { stores in
                precondition(stores.isOpen, "an installation before the state was opened")
                return stores.pointer
            }
            let pointer = StorePointer(
                .installed, index: id.index, term: id.term, number: (replaced?.number ?? 0) + 1)
            let path = storePath(pointer)
            try link(paths.received(id), into: path)
            // Before it is the state: what cannot be opened does not become it.
            let store = try openStore(at: path)
            try StateStorageError.files { () throws(FileSystemError) in
                try fileSystem.synchronizeDirectory(path)
                try fileSystem.synchronizeDirectory(paths.keyValue)
            }
            try pointer.store(in: paths.keyValue, fileSystem)
            stores.withLock { stores in
                stores.pointer = pointer
                stores.replaced.append(storePath(replaced))
            }
            current = nil
            // What cannot be removed now goes at the next start.
            removeReception(id)
            try? removeReceptions { $0 > id.index }
            return store
        }
    }

    /// Makes a store of a received snapshot, which stays as it is: files that never change are shared, the others copied.
    private func link(_ source: String, into target: String) throws(StateStorageError) {
        guard let snapshot = try StoredSnapshot.load(source, fileSystem) else {
            throw .damaged(path: source, reason: "it is not whole")
        }
        try StateStorageError.files { () throws(FileSystemError) in
            // What a failed attempt left.
            try fileSystem.removeAll(target)
            try fileSystem.makeDirectory(target)
        }
        for file in snapshot.archive.manifest.files {
            let (from, to) = ("\(source)/\(file.name)", "\(target)/\(file.name)")
            if file.name.isImmutable, try linked(from, to) { continue }
            let checksum = try StateStorageError.files { () throws(FileSystemError) in
                let copy = try fileSystem.open(to, .createNew)
                let checksum = try fileSystem.open(from, .read).copy(at: 0, byteCount: file.byteCount, to: copy)
                try copy.synchronize()
                return checksum
            }
            guard checksum == file.checksum else { throw .damaged(path: from, reason: "it does not have its checksum") }
        }
        try StateStorageError.files { () throws(FileSystemError) in
            try fileSystem.synchronizeDirectory(target)
            try fileSystem.synchronizeDirectory(paths.keyValue)
        }
    }

    /// - Returns: whether both names can be one file.
    private func linked(_ source: String, _ target: String) throws(StateStorageError) -> Bool {
        do throws(FileSystemError) {
            try fileSystem.link(source, to: target)
            return true
        } catch {
            guard error.code == .cannotLink else { throw .fileSystem(error) }
            return false
        }
    }
}
