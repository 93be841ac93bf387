import AdminAPI
import AdminDocuments
import Backup
import NIOHTTP1
import Replication

/// Has snapshots written to files, and restored from them, as the administration interface asks.
struct SnapshotRequests: SnapshotAdministration {
    let exporter: BackupExporter
    /// Nil: there is no cluster.
    let restorer: SnapshotRestorer?

    var export: SnapshotExportDocument? { exporter.progress.map { SnapshotExportDocument($0) } }

    func begin(_ request: SnapshotFileRequest) async throws(AdminError) -> SnapshotExportDocument {
        var backup = BackupRequest(path: request.path, withData: request.withData ?? false)
        if let rate = request.rateMib { backup.bytesPerSecond = rate << 20 }
        do throws(BackupError) {
            try await exporter.start(backup)
        } catch {
            let (status, code) = Self.status(of: error)
            throw AdminError(status, code, "\(error)")
        }
        guard let export else { throw AdminError(.internalServerError, "Failed", "The snapshot was not begun.") }
        return export
    }

    var restore: RestoreDocument? { restorer?.progress.map { RestoreDocument($0) } }

    func begin(_ request: RestoreRequest) async throws(AdminError) -> RestoreDocument {
        guard let restorer else {
            throw AdminError(
                .notFound, "NotFound",
                "This node belongs to no cluster (engine_type: local): make a new data directory of the file with `rustfs-metadata restore`."
            )
        }
        guard request.path.hasPrefix("/") else {
            throw AdminError(
                .badRequest, "InvalidPath", "The snapshot cannot be at '\(request.path)': it must be an absolute path.")
        }
        do throws(RestoreError) { try restorer.start(request.path) } catch {
            let status: HTTPResponseStatus = if case .busy = error { .conflict } else { .serviceUnavailable }
            throw AdminError(status, error.code, "\(error)")
        }
        guard let restore else { throw AdminError(.internalServerError, "Failed", "The restore was not begun.") }
        return restore
    }

    private static func status(of error: BackupError) -> (HTTPResponseStatus, String) {
        switch error {
        case .badPath: (.badRequest, "InvalidPath")
        case .exists: (.conflict, "Exists")
        case .busy: (.conflict, "Busy")
        case .stopped: (.serviceUnavailable, "Stopping")
        case .spaceMissing: (.insufficientStorage, "NoSpace")
        case .foreign, .unknownVersion, .unknownSchema, .cutShort, .damaged, .body, .state, .withoutBodies, .notEmpty,
            .interrupted,
            .inUse, .bodyStore, .fileSystem, .store:
            (.internalServerError, "Failed")
        }
    }
}

extension SnapshotExportDocument {
    init(_ progress: BackupProgress) {
        var (state, done, id, failure): (State, UInt64, String?, String?) = (.running, progress.writtenByteCount, nil, nil)
        switch progress.state {
        case .running: break
        case .done(let name): (state, done, id) = (.done, progress.fileByteCount, name)
        case .failed(let error): (state, failure) = (.failed, "\(error)")
        }
        self.init(
            path: progress.request.path, withData: progress.request.withData, state: state, index: progress.index,
            bytesDone: done, bytesTotal: progress.fileByteCount, id: id, error: failure)
    }
}

extension RestoreDocument {
    init(_ progress: RestoreProgress) {
        var (state, phase, entry, failure): (State, String?, UInt64?, RestoreError?) = (.running, nil, nil, nil)
        switch progress.state {
        case .running(let current): phase = current.rawValue
        case .done(let index): (state, entry) = (.done, index)
        case .failed(let error): (state, failure) = (.failed, error)
        }
        self.init(
            path: progress.path, state: state, phase: phase, id: progress.id, bytesDone: progress.doneByteCount,
            bytesTotal: progress.byteCount, entry: entry, errorCode: failure?.code, error: failure.map { "\($0)" })
    }
}

extension RestoreError {
    /// What docs/admin-api.yaml calls it.
    fileprivate var code: String {
        switch self {
        case .file(.spaceMissing): "NoSpace"
        case .file(let error): error.isOfFile ? "InvalidFile" : "Failed"
        case .busy: "Busy"
        case .version: "ClusterVersion"
        case .younger: "YoungerCluster"
        case .absent: "BodiesMissing"
        case .refused: "Refused"
        case .unknown: AdminErrorDocument.unknownOutcome
        case .stopped: "Stopping"
        }
    }
}
