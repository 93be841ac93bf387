import FileSystem
import KeyValueStore
import Metadata
import Raft

/// A whole snapshot in its directory.
struct StoredSnapshot: Sendable {
    let path: String
    let archive: SnapshotArchive
    /// Reading it failed.
    var isUnreadable = false

    init(path: String, archive: SnapshotArchive) {
        self.path = path
        self.archive = archive
    }

    /// - Returns: nil where it is not whole. - Throws: where the disk does not say.
    static func load(_ path: String, _ fileSystem: any FileSystem) throws(StateStorageError) -> StoredSnapshot? {
        do throws(StateStorageError) {
            let archive = try StateStorageError.files { () throws(FileSystemError) in
                try fileSystem.open("\(path)/\(SnapshotManifest.fileName)", .read)
            }
            let snapshot = StoredSnapshot(path: path, archive: try SnapshotArchive(readingHeadOf: archive))
            for file in snapshot.archive.manifest.files {
                let status = try StateStorageError.files { () throws(FileSystemError) in
                    try fileSystem.status("\(path)/\(file.name)")
                }
                guard status == FileStatus(isDirectory: false, byteCount: file.byteCount) else { return nil }
            }
            return snapshot
        } catch {
            switch error {
            case .damaged: return nil
            case .fileSystem(let error) where error.code == .notFound || error.code == .notDirectory: return nil
            case .fileSystem, .store, .spaceMissing, .stateOfNoCluster, .unknownSnapshot, .unknownChunk: throw error
            }
        }
    }

    func precedes(_ other: StoredSnapshot) -> Bool {
        let (mine, theirs) = (archive.manifest.mark, other.archive.manifest.mark)
        return (mine.index, mine.term) < (theirs.index, theirs.term)
    }

    static func directoryName(_ mark: SnapshotMark) -> String { "\(mark.index.rawValue)-\(mark.term.rawValue)" }

    static func isDirectoryName(_ name: String) -> Bool {
        let parts = name.split(separator: "-", omittingEmptySubsequences: false)
        return parts.count == 2 && parts.allSatisfy { part in UInt64(part).map { "\($0)" == part } ?? false }
    }
}

/// The checksums of the files of one store that never change, so that each is read once and not with every snapshot.
struct ChecksumCache: Sendable {
    private(set) var store = ""
    private var files: [RocksDBFileName: SnapshotFile] = [:]
    /// Files that did not have their checksum when they were looked at again, as they should be.
    private var damaged: [RocksDBFileName: SnapshotFile] = [:]

    /// Another store's files are others, whatever their names.
    mutating func begin(_ store: String) {
        if store != self.store { (files, damaged) = ([:], [:]) }
        self.store = store
    }

    func checksum(_ name: RocksDBFileName, _ byteCount: UInt64) -> UInt32? {
        guard let file = files[name], file.byteCount == byteCount else { return nil }
        return file.checksum
    }

    /// It is read again for each snapshot from now on.
    mutating func distrust(_ file: SnapshotFile) {
        // The same name and size may be another file's, of a store before.
        guard files[file.name] == file else { return }
        files[file.name] = nil
        damaged[file.name] = file
    }

    /// - Returns: false for a file that was found damaged, and still is.
    func accepts(_ file: SnapshotFile) -> Bool {
        guard let known = damaged[file.name], known.byteCount == file.byteCount else { return true }
        return known.checksum == file.checksum
    }

    /// Those of the newest snapshot are all that the next one can share.
    mutating func end(_ files: [SnapshotFile]) {
        self.files = [:]
        damaged = [:]
        for file in files where file.name.isImmutable { self.files[file.name] = file }
    }
}

extension SnapshotState {
    /// Reads a checkpoint or a received store, which stays as it is.
    ///
    /// - Throws: `.stateOfNoCluster`, `.store`, `.damaged`.
    init(readingStoreAt path: String) throws(StateStorageError) {
        var options = RocksDBOptions()
        options.usesWriteAheadLog = false
        // A few records are read, once.
        options.blockCacheBytes = 8 << 20
        options.backgroundJobs = 1
        let store = try StateStorageError.store { () throws(KeyValueStoreError) in
            try RocksDBStore(reading: path, families: KeySchema.families, options: options)
        }
        defer { store.close() }
        let machine: ReplicatedStateMachine
        do throws(MetadataStoreFailure) {
            machine = try ReplicatedStateMachine(loading: store.makeSnapshot())
        } catch { throw StateStorageError(error, path: path) }
        let state = machine.state
        guard let genesis = state.genesis else { throw .stateOfNoCluster }
        self.init(mark: state.mark, version: state.version, digest: machine.digest, genesis: genesis)
    }
}
