import FileSystem
package import KeyValueStore
import Metadata
import Raft
import Synchronization

/// This node's own snapshots: taken, read in chunks, released.
extension StateStorage {
    /// The newest whole snapshot of this node; damaged, partial and older ones are removed. For the start, before one is taken: older ones
    /// are nobody's then.
    ///
    /// Whole means that its manifest is undamaged and that all files are there in their sizes. Their bytes are for the receiver to compare.
    ///
    /// - Precondition: the state is open.
    /// - Throws: `.damaged` also where the state does not contain the snapshot: then one of them is another node's, or an earlier life's,
    ///   and which is wanted only the operator can say.
    package func newestSnapshot() throws(StateStorageError) -> SnapshotDescription? {
        let stores = stores.withLock { $0 }
        precondition(stores.isOpen, "snapshots before the state")
        let names = try StateStorageError.files { () throws(FileSystemError) in try fileSystem.list(paths.snapshots) }
        let found = try checksums.withLock { cache throws(StateStorageError) in
            var newest: StoredSnapshot?
            for name in names.sorted() where StoredSnapshot.isDirectoryName(name) {
                let path = "\(paths.snapshots)/\(name)"
                guard let snapshot = try StoredSnapshot.load(path, fileSystem) else {
                    try remove(snapshotAt: path)
                    continue
                }
                try Self.check(snapshot, stores)
                guard newest.map({ $0.precedes(snapshot) }) ?? true else {
                    try remove(snapshotAt: path)
                    continue
                }
                if let newest { try remove(snapshotAt: newest.path) }
                newest = snapshot
            }
            // It was taken of this store, and not of one before: the next one will have files of it.
            if let newest, stores.pointer.map({ $0.index < newest.archive.manifest.mark.index }) ?? true {
                cache.begin(storePath(stores.pointer))
                cache.end(newest.archive.manifest.files)
            }
            return newest
        }
        snapshots.withLock { $0 = found.map { [$0] } ?? [] }
        return found?.archive.description
    }

    private static func check(_ snapshot: StoredSnapshot, _ stores: Stores) throws(StateStorageError) {
        let (index, genesis) = (snapshot.archive.manifest.mark.index, snapshot.archive.manifest.genesis)
        guard let opened = stores.opened, opened.genesis == genesis, index <= opened.applied else {
            let state = stores.opened.map { "which ends at entry \($0.applied)" } ?? "which belongs to no cluster"
            let reason = "it is of entry \(index) of cluster \(genesis.cluster), and not of the state, \(state)"
            throw .damaged(path: snapshot.path, reason: reason)
        }
    }

    /// Makes a snapshot of what is committed in the store, durably. While it does, the store may be written.
    ///
    /// Index, term and the rest are read from inside the checkpoint. If there is a snapshot of that entry already, that is the one.
    ///
    /// - Throws: `.stateOfNoCluster`.
    package func takeSnapshot(of store: RocksDBStore) throws(StateStorageError) -> SnapshotDescription {
        try? removeClosedStores()
        return try checksums.withLock { cache throws(StateStorageError) in
            let taking = paths.taking
            try StateStorageError.files { () throws(FileSystemError) in
                // What a failed attempt or RocksDB left.
                for path in [taking, "\(taking).tmp"] { try fileSystem.removeAll(path) }
            }
            do throws(StateStorageError) {
                return try take(store, in: taking, &cache).archive.description
            } catch {
                try? fileSystem.removeAll(taking)
                throw error
            }
        }
    }

    private func take(
        _ store: RocksDBStore, in taking: String, _ cache: inout ChecksumCache
    ) throws(StateStorageError) -> StoredSnapshot {
        try StateStorageError.store { () throws(KeyValueStoreError) in try store.createCheckpoint(at: taking) }
        let names = try StateStorageError.files { () throws(FileSystemError) in try fileSystem.list(taking) }
        let state = try SnapshotState(readingStoreAt: taking)
        let path = "\(paths.snapshots)/\(StoredSnapshot.directoryName(state.mark))"
        if let known = snapshots.withLock({ $0.first { $0.path == path && !$0.isUnreadable } }) {
            try StateStorageError.files { () throws(FileSystemError) in try fileSystem.removeAll(taking) }
            return known
        }
        var files: [SnapshotFile] = []
        cache.begin(store.path)
        for name in names.compactMap({ RocksDBFileName($0) }).sorted() {
            files.append(try describe(name, in: taking, &cache))
        }
        cache.end(files)
        let archive = SnapshotArchive(SnapshotManifest(state: state, files: files))
        try archive.writeManifest(in: taking, fileSystem)
        // One that could not be read, or that was not wholly removed.
        snapshots.withLock { $0.removeAll { $0.path == path } }
        try remove(snapshotAt: path)
        try StateStorageError.files { () throws(FileSystemError) in
            try fileSystem.rename(taking, to: path)
            try fileSystem.synchronizeDirectory(paths.snapshots)
        }
        let snapshot = StoredSnapshot(path: path, archive: archive)
        snapshots.withLock { $0.append(snapshot) }
        return snapshot
    }

    /// Makes it durable, too.
    private func describe(
        _ name: RocksDBFileName, in directory: String, _ cache: inout ChecksumCache
    ) throws(StateStorageError) -> SnapshotFile {
        let found = try StateStorageError.files { () throws(FileSystemError) in
            let file = try fileSystem.open("\(directory)/\(name)", .read)
            try file.synchronize()
            let byteCount = try file.byteCount()
            if let known = cache.checksum(name, byteCount) {
                return SnapshotFile(name: name, byteCount: byteCount, checksum: known)
            }
            return SnapshotFile(name: name, byteCount: byteCount, checksum: try file.checksum())
        }
        guard cache.accepts(found) else {
            throw .damaged(
                path: "\(cache.store)/\(name)", reason: "it does not have the checksum that it had in a snapshot before")
        }
        return found
    }

    /// Compares the files of a snapshot with their checksums, because a receiver says that they are not what they should be.
    ///
    /// A damaged file that never changes is the store's own, too. As long as the store has it no snapshot is made: a new checksum would
    /// only vouch for the damage.
    ///
    /// - Returns: the files that are damaged; none of one that is not there any more.
    package func check(_ id: SnapshotID) throws(StateStorageError) -> [String] {
        guard let snapshot = snapshots.withLock({ $0.first { $0.archive.id == id } }) else { return [] }
        var damaged: [SnapshotFile] = []
        for file in snapshot.archive.manifest.files {
            let found = try StateStorageError.files { () throws(FileSystemError) in
                let opened = try fileSystem.open("\(snapshot.path)/\(file.name)", .read)
                return (byteCount: try opened.byteCount(), checksum: try opened.checksum())
            }
            if found.byteCount != file.byteCount || found.checksum != file.checksum { damaged.append(file) }
        }
        if damaged.isEmpty { return [] }
        markUnreadable(id)
        checksums.withLock { cache in
            for file in damaged { cache.distrust(file) }
        }
        return damaged.map { "\(snapshot.path)/\($0.name)" }
    }

    /// The next snapshot of the same entry is made anew.
    private func markUnreadable(_ id: SnapshotID) {
        snapshots.withLock { snapshots in
            if let place = snapshots.firstIndex(where: { $0.archive.id == id }) { snapshots[place].isUnreadable = true }
        }
    }

    /// Nobody needs it any more: its files go. What cannot be removed goes at the next start.
    package func release(_ id: SnapshotID) {
        let path = snapshots.withLock { snapshots -> String? in
            guard let place = snapshots.firstIndex(where: { $0.archive.id == id }) else { return nil }
            return snapshots.remove(at: place).path
        }
        if let path { try? remove(snapshotAt: path) }
    }

    /// The manifest goes first: what is left of it is no snapshot.
    private func remove(snapshotAt path: String) throws(StateStorageError) {
        try StateStorageError.files { () throws(FileSystemError) in
            try fileSystem.removeAll("\(path)/\(SnapshotManifest.fileName)")
            try fileSystem.removeAll(path)
        }
    }

    // MARK: Chunks

    /// Bytes of the snapshot as they are offered to others, from `number` × `chunkByteCount` on; the last chunk may be shorter.
    ///
    /// - Throws: `.unknownSnapshot`, `.unknownChunk`, and what the disk says; then the next snapshot of the same entry is made anew.
    package func chunk(
        _ number: UInt64, of id: SnapshotID, chunkByteCount: UInt32
    ) throws(StateStorageError) -> [UInt8] {
        guard let snapshot = snapshots.withLock({ $0.first { $0.archive.id == id } }) else { throw .unknownSnapshot(id) }
        let (offset, overflows) = number.multipliedReportingOverflow(by: UInt64(chunkByteCount))
        guard chunkByteCount > 0, !overflows, offset < snapshot.archive.byteCount else {
            throw .unknownChunk(id, number: number)
        }
        let count = Int(min(UInt64(chunkByteCount), snapshot.archive.byteCount - offset))
        do throws(StateStorageError) {
            return try snapshot.archive.bytes(at: offset, byteCount: count, in: snapshot.path, fileSystem)
        } catch {
            markUnreadable(id)
            throw error
        }
    }
}
