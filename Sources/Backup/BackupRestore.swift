package import FileSystem
import KeyValueStore
package import Logging
import Metadata
import NIOCore
import NIOPosix
import ObjectDataStore

/// Makes the data directory of a new node out of a backup file, while no server runs on it.
///
/// The node is alone: sessions, members and cluster of the state are dropped, whatever it was taken of, and a server with
/// `engine_type: replicated` founds a new cluster with it. Everything is compared with its checksums twice: before the first byte is
/// written, and as it is.
///
/// ```
///   verify ─► marker ─► store: unpack, open, check, leave the cluster ─► bodies ─► remove the marker
/// ```
///
/// As long as the marker is there no server starts on the directory (`refuseInterrupted`): a crash leaves nothing that looks whole.
package struct BackupRestore: Sendable {
    /// Where a server will look.
    package struct Target: Sendable {
        package var dataDirectory: String
        package var keyValuePath: String
        package var objectDataPath: String
        /// What else must be empty: the Raft log and snapshots of an earlier life would contradict the state.
        package var otherPaths: [String]

        package init(dataDirectory: String, keyValuePath: String, objectDataPath: String, otherPaths: [String] = []) {
            self.dataDirectory = dataDirectory
            self.keyValuePath = keyValuePath
            self.objectDataPath = objectDataPath
            self.otherPaths = otherPaths
        }

        var marker: String { "\(dataDirectory)/\(BackupRestore.markerName)" }
    }

    package static let markerName = "RESTORING"
    /// What file systems put into a directory.
    private static let foreignName = "lost+found"
    /// What an empty directory may have in it besides empty ones.
    private static let harmlessNames: Set<String> = ["LOCK", foreignName]

    private let target: Target
    private let fileSystem: any FileSystem
    private let logger: Logger

    package init(to target: Target, fileSystem: any FileSystem = POSIXFileSystem(), logger: Logger) {
        self.target = target
        self.fileSystem = fileSystem
        self.logger = logger
    }

    /// For a server that starts. - Throws: `.interrupted`, `.fileSystem`.
    package static func refuseInterrupted(_ dataDirectory: String, fileSystem: any FileSystem) throws(BackupError) {
        let marker = "\(dataDirectory)/\(markerName)"
        let isThere = try BackupError.files { () throws(FileSystemError) in try fileSystem.exists(marker) }
        if isThere { throw .interrupted(directory: dataDirectory, marker: marker) }
    }

    /// Blocks its thread as well as suspending: for a program that does nothing else.
    ///
    /// - Returns: what was restored.
    /// - Throws: `BackupError`; nothing is left then but empty directories, or, where not even that is possible, the marker.
    package func run(_ path: String) async throws(BackupError) -> BackupFile {
        let file = try OpenedBackup(opening: path, fileSystem: fileSystem)
        let figures = file.header.figures
        if figures.bodies > 0, !file.header.hasBodies {
            throw .withoutBodies(path: path, bodies: figures.bodies, bytes: figures.bodyBytes)
        }
        try file.verify()
        try Self.refuseInterrupted(target.dataDirectory, fileSystem: fileSystem)
        for directory in [target.dataDirectory, target.keyValuePath, target.objectDataPath] + target.otherPaths {
            let name = try BackupError.files { () throws(FileSystemError) in try firstFile(in: directory) }
            if let name { throw .notEmpty(directory: directory, name: name) }
        }
        try BackupError.files { () throws(FileSystemError) in try fileSystem.makeDirectories(target.dataDirectory) }
        let lock: DataDirectoryLock
        do throws(DataDirectoryLockError) {
            lock = try DataDirectoryLock(directory: target.dataDirectory, fileSystem: fileSystem)
        } catch { throw .inUse(error) }
        do throws(BackupError) {
            try BackupError.files { () throws(FileSystemError) in try prepare() }
            try ensureSpace(for: file.header)
            try await write(file)
        } catch {
            withExtendedLifetime(lock) { tidyUp() }
            throw error
        }
        // It is whole. If this fails, the marker is there or not; nothing is taken back without it.
        try BackupError.files { () throws(FileSystemError) in
            try fileSystem.unlink(target.marker)
            try fileSystem.synchronizeDirectory(target.dataDirectory)
        }
        withExtendedLifetime(lock) {}
        return file.summary
    }

    /// - Returns: its path from there; nil: there is nothing but directories.
    private func firstFile(in directory: String) throws(FileSystemError) -> String? {
        var rest = [directory]
        while let path = rest.popLast() {
            let names: [String]
            do throws(FileSystemError) { names = try fileSystem.list(path) } catch {
                if error.code == .notFound { continue }
                throw error
            }
            for name in names.sorted() where !Self.harmlessNames.contains(name) {
                let child = "\(path)/\(name)"
                guard try fileSystem.status(child).isDirectory else { return String(child.dropFirst(directory.count + 1)) }
                rest.append(child)
            }
        }
        return nil
    }

    /// The marker is durable before anything else is written.
    private func prepare() throws(FileSystemError) {
        let text = "A restore has begun and has not ended: what is in this directory is incomplete.\n"
        let marker = try fileSystem.open(target.marker, .createNew)
        try marker.write(Array(text.utf8))
        try marker.synchronize()
        try fileSystem.synchronizeDirectory(target.dataDirectory)
        for path in [target.keyValuePath, target.objectDataPath] { try fileSystem.makeDirectories(path) }
    }

    private func ensureSpace(for header: BackupHeader) throws(BackupError) {
        let needs = [(target.keyValuePath, header.storeByteCount), (target.objectDataPath, header.figures.framedBodyByteCount)]
        for (path, needed) in needs {
            let available = try BackupError.files { () throws(FileSystemError) in
                try fileSystem.availableByteCount(at: path)
            }
            guard needed <= available else { throw .spaceMissing(path: path, needed: needed, available: available) }
        }
    }

    /// The marker goes last, and stays where anything else does.
    private func tidyUp() {
        do throws(FileSystemError) {
            for directory in [target.keyValuePath, target.objectDataPath] { try removeContent(of: directory) }
            try fileSystem.removeAll(target.marker)
            try fileSystem.synchronizeDirectory(target.dataDirectory)
        } catch {
            logger.error("What was written cannot be removed", metadata: ["error": "\(error)"])
        }
    }

    /// The directory itself may be where a disk is mounted.
    private func removeContent(of directory: String) throws(FileSystemError) {
        do throws(FileSystemError) {
            for name in try fileSystem.list(directory) where name != Self.foreignName {
                try fileSystem.removeAll("\(directory)/\(name)")
            }
            try fileSystem.synchronizeDirectory(directory)
        } catch {
            if error.code != .notFound { throw error }
        }
    }

    // MARK: Writing

    private func write(_ file: OpenedBackup) async throws(BackupError) {
        var sections = BackupSections(of: file)
        let first = try sections.unpackStore(into: target.keyValuePath, fileSystem)
        try BackupError.files { () throws(FileSystemError) in try fileSystem.synchronizeDirectory(target.keyValuePath) }
        let store = try RestoredStore(at: target.keyValuePath, expecting: file)
        do throws(BackupError) {
            if let first { try await writeBodies(first, &sections, store) }
            try store.finish()
        } catch {
            store.close()
            throw error
        }
    }

    private func writeBodies(
        _ first: BackupSections.Section, _ sections: inout BackupSections, _ store: RestoredStore
    ) async throws(BackupError) {
        let threads = NIOThreadPool(numberOfThreads: 1)
        threads.start()
        let outcome: Result<Void, BackupError>
        do throws(BackupError) {
            let bodies: ObjectDataStore
            do throws(ObjectDataStoreError) {
                bodies = try ObjectDataStore(
                    root: target.objectDataPath, fileSystem: fileSystem, node: 0, threads: threads, logger: logger)
            } catch { throw BackupError.bodyStore(error) }
            var next: BackupSections.Section? = first
            while case .body(let body)? = next {
                try store.expect(body)
                try await write(body, &sections, to: bodies)
                next = try sections.next()
            }
            outcome = .success(())
        } catch { outcome = .failure(error) }
        try? await threads.shutdownGracefully()
        try outcome.get()
    }

    private func write(
        _ body: StoredBody, _ sections: inout BackupSections, to bodies: ObjectDataStore
    ) async throws(BackupError) {
        let writer: ObjectDataWriter
        do throws(ObjectDataStoreError) { writer = try await bodies.makeWriter(for: body.id) } catch {
            throw .bodyStore(error)
        }
        while let bytes = try sections.read() {
            do throws(ObjectDataStoreError) { try await writer.write(ByteBuffer(bytes: bytes)) } catch {
                throw .bodyStore(error)
            }
        }
        do throws(ObjectDataStoreError) {
            _ = try await writer.finish(expectingTableChecksum: sections.tableChecksum)
        } catch { throw .bodyStore(error) }
    }
}
