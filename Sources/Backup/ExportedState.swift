package import FileSystem
import KeyValueStore
import Metadata
package import ObjectDataStore

/// A state beside the live one, open for reading, in a directory of its own that goes with it: a checkpoint, or what is in a backup file.
package struct ExportedState: Sendable {
    let directory: String
    let snapshot: RocksDBSnapshot
    private let store: RocksDBStore
    private let fileSystem: any FileSystem

    /// Bodies that are asked for at once.
    static let pageCount = 1000

    /// Blocks.
    init(_ source: BackupSource) throws(BackupError) {
        directory = ExportedCheckpoints.makePath(in: source.keyValuePath)
        fileSystem = source.fileSystem
        let live: RocksDBStore
        do throws(MetadataError) { live = try source.store() } catch { throw .stopped }
        do throws(BackupError) {
            let directory = directory
            try BackupError.store { () throws(KeyValueStoreError) in try live.createCheckpoint(at: directory) }
            store = try Self.open(directory)
            snapshot = store.makeSnapshot()
        } catch {
            try? fileSystem.removeAll(directory)
            throw error
        }
    }

    /// The state in a backup file, of which every record has been read. Blocks.
    ///
    /// - Parameter keyValuePath: of the live store, beside which it is made.
    /// - Throws: `.damaged`: the file was made of something else than it says.
    package init(
        of file: OpenedBackup, besideStoreAt keyValuePath: String, fileSystem: any FileSystem
    ) throws(BackupError) {
        directory = ExportedCheckpoints.makePath(in: keyValuePath)
        self.fileSystem = fileSystem
        do throws(BackupError) {
            let directory = directory
            try BackupError.files { () throws(FileSystemError) in try fileSystem.makeDirectory(directory) }
            var sections = BackupSections(of: file)
            _ = try sections.unpackStore(into: directory, fileSystem)
            store = try Self.open(directory, cacheByteCount: nil)
            snapshot = store.makeSnapshot()
        } catch {
            try? fileSystem.removeAll(directory)
            throw error
        }
        do throws(BackupError) { try file.check(snapshot) } catch {
            remove()
            throw error
        }
    }

    /// A store that is read once, and stays as it is.
    ///
    /// - Parameter cacheByteCount: of blocks; nil: as a server has it, for point reads all over the store, which need its filters again and again.
    static func open(_ path: String, cacheByteCount: Int? = 8 << 20) throws(BackupError) -> RocksDBStore {
        var options = RocksDBOptions()
        if let cacheByteCount { options.blockCacheBytes = cacheByteCount }
        options.backgroundJobs = 1
        return try BackupError.store { () throws(KeyValueStoreError) in
            try RocksDBStore(reading: path, families: KeySchema.families, options: options)
        }
    }

    /// Blocks.
    package func remove() {
        store.close()
        try? fileSystem.removeAll(directory)
    }

    // MARK: What is in it

    /// Blocks for as long as it takes to read the names of all bodies.
    func makeHeader(
        _ request: BackupRequest, _ source: BackupSource, program: String, created: UInt64
    ) throws(BackupError) -> BackupHeader {
        let snapshot = snapshot
        let machine = try BackupError.records { () throws(MetadataStoreFailure) in try MetadataStateMachine(loading: snapshot) }
        let cluster = try BackupError.records { () throws(MetadataStoreFailure) in try source.cluster(snapshot) }
        let figures = try BackupFigures(of: snapshot)
        let files = try BackupError.files { () throws(FileSystemError) in
            var files: [BackupHeader.StoreFile] = []
            for name in try fileSystem.list(directory).compactMap({ RocksDBFileName($0) }).sorted() {
                let byteCount = try fileSystem.status("\(directory)/\(name)").byteCount
                files.append(BackupHeader.StoreFile(name: name, byteCount: byteCount))
            }
            return files
        }
        return BackupHeader(
            created: created, program: program, cluster: cluster, schemaVersion: KeySchema.schemaVersion,
            index: machine.appliedIndex, digest: machine.digest, figures: figures, hasBodies: request.withData, files: files)
    }

    /// The bodies that the state names, in order, behind one; empty at the end.
    package func bodies(after last: BodyID?) throws(BackupError) -> [StoredBody] {
        var bodies: [StoredBody] = []
        let start = last.map { KeySchema.body($0) + [0] } ?? []
        try StoredReferences.forEach(in: snapshot, from: start) { body in
            bodies.append(body)
            return bodies.count < Self.pageCount
        }
        return bodies
    }
}

/// The family `bodies`, in order.
enum StoredReferences {
    /// Visits the bodies that a state names, until `visit` returns false.
    ///
    /// - Throws: `.state`, `.store`.
    static func forEach(
        in snapshot: RocksDBSnapshot, from start: [UInt8] = [], _ visit: (StoredBody) -> Bool
    ) throws(BackupError) {
        let cursor = try BackupError.store { () throws(KeyValueStoreError) in
            let cursor = try snapshot.makeCursor(in: KeySchema.bodies, from: start, to: nil, tier: .all)
            try cursor.seekToFirst()
            return cursor
        }
        while cursor.isValid {
            let id = cursor.withKey { KeySchema.bodyID(in: $0) }
            let decoded: Result<BodyReference, RecordDamage> = cursor.withValue { value in
                Result { () throws(RecordDamage) in try BodyReference.decode(value) }
            }
            guard let id, case .success(let reference) = decoded else {
                throw .state(.damaged(RecordDamage("BodyReference", "its key or value is not one")))
            }
            guard visit(StoredBody(id: id, length: reference.length)) else { return }
            try BackupError.store { () throws(KeyValueStoreError) in try cursor.next() }
        }
    }
}

extension BackupFigures {
    /// Counts what a state has. Reads each bucket's counters and the name of each stored body. Blocks.
    init(of snapshot: RocksDBSnapshot) throws(BackupError) {
        self.init()
        let upperBound = KeySchema.countersPrefix + [UInt8](repeating: 0xFF, count: KeySchema.bucketIDByteCount + 1)
        let cursor = try BackupError.store { () throws(KeyValueStoreError) in
            let cursor = try snapshot.makeCursor(
                in: KeySchema.system, from: KeySchema.countersPrefix, to: upperBound, tier: .all)
            try cursor.seekToFirst()
            return cursor
        }
        while cursor.isValid {
            let decoded: Result<BucketCounters, RecordDamage> = cursor.withValue { value in
                Result { () throws(RecordDamage) in try BucketCounters.decode(value) }
            }
            let counters = try BackupError.records { () throws(MetadataStoreFailure) in
                do throws(RecordDamage) { return try decoded.get() } catch { throw .damaged(error) }
            }
            buckets += 1
            objects += counters.objects
            versions += counters.versions
            bytes += counters.bytes
            try BackupError.store { () throws(KeyValueStoreError) in try cursor.next() }
        }
        var (count, contentByteCount, framedByteCount): (UInt64, UInt64, UInt64) = (0, 0, 0)
        try StoredReferences.forEach(in: snapshot) { body in
            count += 1
            contentByteCount += body.length
            framedByteCount +=
                UInt64(BackupFormat.bodyHeadByteCount + BackupFormat.checksumByteCount) + body.length
                + UInt64(BackupFormat.checksumByteCount) * BodyFormat.blockCount(length: body.length)
            return true
        }
        (bodies, bodyBytes, framedBodyByteCount) = (count, contentByteCount, framedByteCount)
    }
}
