import KeyValueStore
import Metadata
import ObjectDataStore

/// The store that was unpacked from a backup file, on its way to be a single node's.
struct RestoredStore: Sendable {
    private let store: RocksDBStore
    private let snapshot: RocksDBSnapshot
    private let file: OpenedBackup

    /// Opens it, and looks whether it is what the file says: every record is read, and the digest computed anew. Blocks.
    ///
    /// - Throws: `.damaged`: the file was made of something else than it says.
    init(at path: String, expecting file: OpenedBackup) throws(BackupError) {
        self.file = file
        let opened = try BackupError.store { () throws(KeyValueStoreError) in
            try RocksDBStore(path: path, families: KeySchema.families)
        }
        store = opened
        snapshot = opened.makeSnapshot()
        do throws(BackupError) { try file.check(snapshot) } catch {
            opened.close()
            throw error
        }
    }

    /// - Throws: `.damaged` where the state does not name that body. As many are in the file as the state names, each once, so that none is
    ///   missing if none is too many.
    func expect(_ body: StoredBody) throws(BackupError) {
        let snapshot = snapshot
        let reference = try BackupError.records { () throws(MetadataStoreFailure) in
            try StoredRecords.read(snapshot, KeySchema.body(body.id), in: KeySchema.bodies, BodyReference.decode)
        }
        guard reference?.length == body.length else {
            throw .damaged(path: file.path, reason: "the state in it does not name the body \(body.id)")
        }
    }

    /// Drops what replication keeps, makes everything durable, and closes the store. Blocks.
    func finish() throws(BackupError) {
        let (store, snapshot) = (store, snapshot)
        var machine = try BackupError.records { () throws(MetadataStoreFailure) in try MetadataStateMachine(loading: snapshot) }
        let transaction = store.makeTransaction()
        try BackupError.records { () throws(MetadataStoreFailure) in try machine.leaveCluster(in: transaction) }
        try BackupError.store { () throws(KeyValueStoreError) in
            try store.commit(transaction, durability: .synced)
            try store.flush()
        }
        close()
    }

    func close() { store.close() }
}

extension OpenedBackup {
    /// Looks whether a state is the one that the file tells of, and whole. Blocks for as long as it takes to read every record.
    ///
    /// - Throws: `.damaged`: the file was made of something else than it says.
    func check(_ snapshot: RocksDBSnapshot) throws(BackupError) {
        let report = try BackupError.records { () throws(MetadataStoreFailure) in try StateChecker.check(snapshot) }
        if let problem = report.problems.first {
            throw .damaged(path: path, reason: "the state in it contradicts itself (\(problem))")
        }
        guard report.appliedIndex == header.index, report.digest == header.digest,
            try BackupFigures(of: snapshot) == header.figures
        else { throw .damaged(path: path, reason: "the state in it is not the one that its header tells of") }
    }
}
