package import FileSystem
package import KeyValueStore
package import Metadata
package import ObjectDataStore

/// Why a backup was not made, read or restored; each says to the operator what is wrong and what to do about it.
package enum BackupError: Error, Sendable, CustomStringConvertible {
    // The file.

    /// It is no backup file at all.
    case foreign(path: String, reason: String)
    /// It was made by a newer release.
    case unknownVersion(path: String, UInt32)
    /// Its metadata have another schema than this release's.
    case unknownSchema(path: String, UInt32)
    /// It ends too early.
    case cutShort(path: String, byteCount: UInt64, expected: UInt64?)
    /// It is not what was written.
    case damaged(path: String, reason: String)

    // Making one.

    case badPath(path: String, reason: String)
    /// There is a file of that name, which is never overwritten.
    case exists(path: String)
    /// One is being made on this node.
    case busy(path: String)
    /// A body that the state names cannot be read.
    case body(StoredBody, MetadataError)
    /// A record of the state is damaged.
    case state(MetadataStoreFailure)

    // Restoring.

    /// So many bodies are named, and are not in the file.
    case withoutBodies(path: String, bodies: UInt64, bytes: UInt64)
    case notEmpty(directory: String, name: String)
    /// A restore into this directory did not come to its end.
    case interrupted(directory: String, marker: String)
    case inUse(DataDirectoryLockError)
    case bodyStore(ObjectDataStoreError)

    // Anywhere.

    case spaceMissing(path: String, needed: UInt64, available: UInt64)
    case fileSystem(FileSystemError)
    case store(KeyValueStoreError)
    /// The server is stopping.
    case stopped

    /// The file is at fault, and not the disk, the directory or the moment.
    package var isOfFile: Bool {
        switch self {
        case .foreign, .unknownVersion, .unknownSchema, .cutShort, .damaged, .withoutBodies: true
        case .badPath, .exists, .busy, .body, .state, .notEmpty, .interrupted, .inUse, .bodyStore, .spaceMissing, .fileSystem,
            .store, .stopped:
            false
        }
    }

    package var description: String {
        switch self {
        case .foreign(let path, let reason):
            return
                "\(path) is not a snapshot file of rustfs-metadata: \(reason). Give the path of a file that `snapshot create` made."
        case .unknownVersion(let path, let version):
            return
                "\(path) has the format version \(version), and this release knows \(BackupFormat.version). Use the release that made it, or a newer one."
        case .unknownSchema(let path, let version):
            return
                "\(path) has metadata of schema \(version), and this release knows \(KeySchema.schemaVersion). Use the release that made it."
        case .cutShort(let path, let byteCount, let expected):
            let whole = expected.map { " instead of \($0)" } ?? ""
            return
                "\(path) is cut short: it has \(byteCount) bytes\(whole). Copy it again from where it was made, or take another one."
        case .damaged(let path, let reason):
            return "\(path) is damaged: \(reason). Copy it again from where it was made, or take another one."
        case .badPath(let path, let reason): return "a snapshot cannot be written to \(path): \(reason)."
        case .exists(let path):
            return "\(path) exists already and is never overwritten. Choose another name, or remove it first."
        case .busy(let path): return "a snapshot is being written to \(path). Wait until it is done: one is made at a time."
        case .body(let body, let error):
            return
                "the body \(body.id), which the state names, cannot be read (\(error)). Try again; if that does not help, the status page and the log tell which bodies are missing."
        case .state(let failure): return "the state cannot be read: \(failure). See docs/operations/damaged-store.md."
        case .withoutBodies(let path, let bodies, let bytes):
            return
                "\(path) names \(bodies) bodies (\(bytes) bytes) that are not in it: their objects could not be read. Restore from a snapshot that was made with data."
        case .notEmpty(let directory, let name):
            return "\(directory) is not empty (\(name) is in it). Choose an empty directory, or move away what is there."
        case .interrupted(let directory, let marker):
            return
                "a restore into \(directory) was interrupted (\(marker) is there), and what is in it is incomplete. Remove what is in the directory, and restore again."
        case .inUse(let error): return "\(error). Stop it first, or choose another directory."
        case .bodyStore(let error): return Self.advice(on: error)
        case .spaceMissing(let path, let needed, let available):
            return "\(path) needs \(needed) bytes, and \(available) are available. Make room, or choose another place."
        case .fileSystem(let error): return Self.advice(on: error)
        case .store(let error):
            let advice = error.code == .noSpace ? " Make room, and try again." : ""
            return "the key-value store: \(error)\(advice)"
        case .stopped: return "the server is stopping: no snapshot was made."
        }
    }

    private static func advice(on error: FileSystemError) -> String {
        switch error.code {
        case .noSpace: "\(error): the disk is full. Make room, or choose another place."
        case .permission, .readOnly: "\(error). Choose a place that this user may use."
        case .notFound: "\(error). Look at the path."
        case .exists, .io, .tooManyOpenFiles, .locked, .notDirectory, .isDirectory, .cannotLink, .other: "\(error)."
        }
    }

    private static func advice(on error: ObjectDataStoreError) -> String {
        switch error {
        case .noSpace(let error), .tooManyOpenFiles(let error), .failed(let error): advice(on: error)
        case .missing, .damaged, .closed, .writerEnded: "\(error)."
        }
    }
}

extension BackupError {
    /// Runs a body that touches files only.
    static func files<Result>(_ body: () throws(FileSystemError) -> Result) throws(BackupError) -> Result {
        do throws(FileSystemError) { return try body() } catch { throw .fileSystem(error) }
    }

    /// Runs a body that touches a store only.
    static func store<Result>(_ body: () throws(KeyValueStoreError) -> Result) throws(BackupError) -> Result {
        do throws(KeyValueStoreError) { return try body() } catch { throw .store(error) }
    }

    /// Runs a body that reads records.
    static func records<Result>(_ body: () throws(MetadataStoreFailure) -> Result) throws(BackupError) -> Result {
        do throws(MetadataStoreFailure) { return try body() } catch { throw .state(error) }
    }
}
