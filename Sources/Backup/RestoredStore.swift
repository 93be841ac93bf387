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
        do throws(BackupError) { try check() } catch {
            opened.close()
            throw error
        }
    }

    private func check() throws(BackupError) {
        let snapshot = snapshot
        let report = try BackupError.records { () throws(MetadataStoreFailure) in try StateChecker.check(snapshot) }
        if let problem = report.problems.first {
            throw .damaged(path: file.path, reason: "the state in it contradicts itself (\(problem))")
        }
        guard report.appliedIndex == file.header.index, report.digest == file.header.digest,
            try BackupFigures(of: snapshot) == file.header.figures
        else { throw .damaged(path: file.path, reason: "the state in it is not the one that its header tells of") }
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
