package import FileSystem
package import KeyValueStore
import Metadata

/// Why state or snapshots could not be read or written. Each says where.
package enum StateStorageError: Error, Sendable, CustomStringConvertible {
    /// The disk, or the system before it, refused; `FileSystemError.code` says whether it is full.
    case fileSystem(FileSystemError)
    /// The store refused; `KeyValueStoreError.code` says whether the disk is full or files are damaged.
    case store(KeyValueStoreError)
    /// What is there is not what was written.
    case damaged(path: String, reason: String)
    /// The disk has not the bytes left that will be needed.
    case spaceMissing(path: String, needed: UInt64, available: UInt64)
    /// There is nothing to make a snapshot of: the state belongs to no cluster.
    case stateOfNoCluster
    /// It was released, never taken, or not wholly received.
    case unknownSnapshot(SnapshotID)
    /// Beyond the snapshot's end.
    case unknownChunk(SnapshotID, number: UInt64)

    /// Space may make it succeed.
    package var isOutOfSpace: Bool {
        switch self {
        case .fileSystem(let error): error.code == .noSpace
        case .store(let error): error.code == .noSpace
        case .spaceMissing: true
        case .damaged, .stateOfNoCluster, .unknownSnapshot, .unknownChunk: false
        }
    }

    package var description: String {
        switch self {
        case .fileSystem(let error): error.description
        case .store(let error): error.description
        case .damaged(let path, let reason): "\(path) is damaged: \(reason)"
        case .spaceMissing(let path, let needed, let available):
            "\(path) needs \(needed) bytes, and \(available) are available"
        case .stateOfNoCluster: "the state belongs to no cluster"
        case .unknownSnapshot(let id): "there is no snapshot of entry \(id.index) with the fingerprint \(id.fingerprint)"
        case .unknownChunk(let id, let number): "the snapshot of entry \(id.index) has no chunk \(number)"
        }
    }

    init(_ failure: MetadataStoreFailure, path: String) {
        switch failure {
        case .store(let error): self = .store(error)
        case .damaged, .unsupportedSchema: self = .damaged(path: path, reason: failure.description)
        }
    }

    /// What it means for a snapshot that is being received: `damaged` is the sender's fault.
    var receptionFailure: ReceptionFailure {
        switch self {
        case .damaged: .damaged(detail: description)
        case .store(let error) where error.code == .corruption || error.code == .invalidArgument:
            .damaged(detail: description)
        case .fileSystem, .store, .spaceMissing, .stateOfNoCluster, .unknownSnapshot, .unknownChunk:
            .storage(detail: description)
        }
    }
}

extension StateStorageError {
    /// Runs a body that touches files only.
    static func files<Result>(_ body: () throws(FileSystemError) -> Result) throws(StateStorageError) -> Result {
        do throws(FileSystemError) { return try body() } catch { throw .fileSystem(error) }
    }

    /// Runs a body that touches a store only.
    static func store<Result>(_ body: () throws(KeyValueStoreError) -> Result) throws(StateStorageError) -> Result {
        do throws(KeyValueStoreError) { return try body() } catch { throw .store(error) }
    }
}
