import AdminAPI
import AdminDocuments
import Backup
import NIOHTTP1

/// Has snapshots written to files, as the administration interface asks.
struct SnapshotRequests: SnapshotAdministration {
    let exporter: BackupExporter

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
