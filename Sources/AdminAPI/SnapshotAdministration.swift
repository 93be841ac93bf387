package import AdminDocuments

/// Has a node write its state to a file: a backup.
package protocol SnapshotAdministration: Sendable {
    /// How far the file is that was asked for last; nil: none was.
    var export: SnapshotExportDocument? { get }

    /// Begins to write. - Throws: why not.
    func begin(_ request: SnapshotFileRequest) async throws(AdminError) -> SnapshotExportDocument
}
