package import FileSystem
package import Logging
package import NIOPosix
import Synchronization

/// Keeps the bodies of large objects, each in a file of checksummed blocks.
///
/// A body is either whole and durable or not there: it is written under a temporary name and takes its own when every byte is
/// on the disk. Its content never changes after that, and its id is never used for another one, so readers need no locks and a deletion
/// cannot hit another body. What rots is put right from another node's copy: a block in place, the file by replacing it. All file work runs on the thread pool; calls may come from any executor and suspend.
package final class ObjectDataStore: Sendable {
    let layout: StoreLayout
    let fileSystem: any FileSystem
    let logger: Logger
    /// The origin of every body that this start of the store writes.
    package let origin: UInt64

    private let threads: NIOThreadPool
    private let nextSequence = Atomic<UInt64>(0)
    private let nextWriter = Atomic<UInt64>(0)
    private let isClosed = Atomic<Bool>(false)
    /// Directories whose own names are known to be durable.
    private let durableDirectories = Mutex<Set<Directory>>([])
    private let publications = Publications()

    /// Opens the store, creates it if `root` is missing or empty, and counts this start durably. Blocks: not for event loops.
    ///
    /// - Parameters:
    ///   - root: an absolute path, this store's alone. The caller holds the data directory's lock.
    ///   - node: becomes part of each id, so that ids of different nodes differ.
    ///   - threads: running, and running until after `close`. The store does not stop it.
    ///   - beginning: the upper 32 of the 48 bits that count starts, for a store that is new; tests give it, so that ids repeat.
    /// - Throws: `.damaged` if the start counter is unreadable (going on could use ids twice), `.noSpace`, `.failed`.
    package init(
        root: String, fileSystem: any FileSystem, node: UInt16, threads: NIOThreadPool, logger: Logger,
        beginning: UInt32 = .random(in: .min ... .max)
    ) throws(ObjectDataStoreError) {
        layout = StoreLayout(root: root)
        self.fileSystem = fileSystem
        self.threads = threads
        self.logger = logger
        let start = try StartCounter(layout: layout, fileSystem: fileSystem, beginning: beginning).countStart()
        origin = UInt64(node) << 48 | start
    }

    /// A writer of a new body. - Throws: `.noSpace`, `.tooManyOpenFiles`, `.failed`, `.closed`.
    package func makeWriter() async throws(ObjectDataStoreError) -> ObjectDataWriter {
        let sequence = nextSequence.add(1, ordering: .relaxed).oldValue
        return try await makeWriter(for: BodyID(origin: origin, sequence: sequence))
    }

    /// A writer of a body that another node has named: one that is received, or put in the place of a damaged one. Several may write
    /// one body at the same time; each replaces what there is when it finishes. The caller knows that all of them write the same.
    /// - Throws: `.noSpace`, `.tooManyOpenFiles`, `.failed`, `.closed`.
    package func makeWriter(for id: BodyID) async throws(ObjectDataStoreError) -> ObjectDataWriter {
        let writer = BodyID(origin: origin, sequence: nextWriter.add(1, ordering: .relaxed).oldValue)
        return try await perform { () throws(ObjectDataStoreError) in
            try ObjectDataWriter(TemporaryName(body: id, writer: writer), store: self)
        }
    }

    /// A reader of a body, which holds the file: the bytes stay readable whatever is deleted meanwhile.
    /// - Throws: `.missing`, `.damaged` if the file's frame is wrong or of another length, `.tooManyOpenFiles`, `.failed`, `.closed`.
    package func openReader(_ body: StoredBody) async throws(ObjectDataStoreError) -> ObjectDataReader {
        try await perform { () throws(ObjectDataStoreError) in
            try ObjectDataReader(body.id, length: body.length, store: self)
        }
    }

    /// As above, for who does not know the length: the file says it, and the reader's `body` has it.
    /// - Throws: `.missing`, `.damaged` if the file's frame is wrong, `.tooManyOpenFiles`, `.failed`, `.closed`.
    package func openReader(id: BodyID) async throws(ObjectDataStoreError) -> ObjectDataReader {
        try await perform { () throws(ObjectDataStoreError) in
            try ObjectDataReader(id, length: nil, store: self)
        }
    }

    /// Deletes bodies that nothing refers to, and nothing that is being written. Does not wait for the disk: what a crash brings back, the next sweep deletes.
    /// Failures are logged; a body that is not there is none.
    package func delete(_ bodies: [BodyID]) async {
        let outcome = await attempt { [self] () throws(ObjectDataStoreError) in
            for id in bodies { removeLogged(layout.body(id)) }
        }
        if case .failure(let error) = outcome {
            logger.warning("bodies were not deleted", metadata: ["error": "\(error)", "count": "\(bodies.count)"])
        }
    }

    /// Refuses further work. What has begun goes on.
    package func close() {
        isClosed.store(true, ordering: .relaxed)
    }

    // MARK: For the writer, the reader and the sweep

    /// Runs blocking work on the pool.
    func perform<Value: Sendable>(
        _ work: @escaping @Sendable () throws(ObjectDataStoreError) -> Value
    ) async throws(ObjectDataStoreError) -> Value {
        guard !isClosed.load(ordering: .relaxed) else { throw .closed }
        return try await attempt(work).get()
    }

    /// As `perform`, also when the store is closed: for cleaning up.
    func attempt<Value: Sendable>(
        _ work: @escaping @Sendable () throws(ObjectDataStoreError) -> Value
    ) async -> Result<Value, ObjectDataStoreError> {
        await withCheckedContinuation { continuation in
            submit { isActive in
                guard isActive else { return continuation.resume(returning: .failure(.closed)) }
                do throws(ObjectDataStoreError) {
                    continuation.resume(returning: .success(try work()))
                } catch {
                    continuation.resume(returning: .failure(error))
                }
            }
        }
    }

    /// Queues work; it is told if the pool has stopped and it may not block.
    func submit(_ work: @escaping @Sendable (_ isActive: Bool) -> Void) {
        threads.submit { state in
            switch state {
            case .active: work(true)
            case .cancelled: work(false)
            }
        }
    }

    /// Opens a body's file. - Throws: `.missing`, `.tooManyOpenFiles`, `.failed`.
    func openBody(_ id: BodyID, _ mode: OpenMode) throws(ObjectDataStoreError) -> any File {
        do throws(FileSystemError) {
            return try fileSystem.open(layout.body(id), mode)
        } catch {
            throw error.code == .notFound ? .missing(id) : ObjectDataStoreError(error)
        }
    }

    /// Gives a whole, durable file its name, durably.
    func publish(_ temporary: String, as id: BodyID) throws(FileSystemError) {
        let directory = Directory(of: id)
        try makeDirectory(directory)
        try publications.withTurn(of: id) { () throws(FileSystemError) in
            let path = layout.body(id)
            let isReplacement = try fileSystem.exists(path)
            if !isReplacement { publications.begin(id) }
            defer { publications.end(id) }
            do throws(FileSystemError) {
                try fileSystem.rename(temporary, to: path)
                try fileSystem.synchronizeDirectory(layout.directory(directory))
            } catch {
                // It may have its name already, though not durably: nobody is to find a body whose writer was told that it failed. One
                // that was there before was found already, and may be what another writer has promised: whichever of the two the
                // name leads to after a crash, it is whole.
                if !isReplacement { removeLogged(path) }
                throw error
            }
        }
    }

    /// Whether a name that was found just now is no promise yet.
    func isBeingPublished(_ id: BodyID) -> Bool { publications.isUnderWay(id) }

    /// Removes a file; true if it was there and is gone.
    @discardableResult
    func removeLogged(_ path: String) -> Bool {
        do {
            try fileSystem.unlink(path)
            return true
        } catch {
            if error.code != .notFound {
                logger.warning("a file was not deleted", metadata: ["error": "\(error)"])
            }
            return false
        }
    }

    /// Both levels, and their names durable. That a directory exists does not say so: another thread may have made it just now.
    private func makeDirectory(_ directory: Directory) throws(FileSystemError) {
        if durableDirectories.withLock({ $0.contains(directory) }) { return }
        let parent = "\(layout.root)/\(directory.parent)"
        try makeIfMissing(parent)
        try fileSystem.synchronizeDirectory(layout.root)
        try makeIfMissing(layout.directory(directory))
        try fileSystem.synchronizeDirectory(parent)
        durableDirectories.withLock { _ = $0.insert(directory) }
    }

    private func makeIfMissing(_ path: String) throws(FileSystemError) {
        do {
            try fileSystem.makeDirectory(path)
        } catch {
            if error.code != .exists { throw error }
        }
    }
}
