package import AdminDocuments

/// Has a node write its state to a file, a backup, and the cluster take the state of one.
package protocol SnapshotAdministration: Sendable {
    /// How far the file is that was asked for last; nil: none was.
    var export: SnapshotExportDocument? { get }

    /// Begins to write. - Throws: why not.
    func begin(_ request: SnapshotFileRequest) async throws(AdminError) -> SnapshotExportDocument

    /// How far the restore is that was asked for last; nil: none was.
    var restore: RestoreDocument? { get }

    /// Begins to replace the state of the cluster. - Throws: why not.
    func begin(_ request: RestoreRequest) async throws(AdminError) -> RestoreDocument
}
