package import AdminDocuments
package import Replication

/// What the administration interface asks of a node of a cluster.
package protocol ClusterAdministration: Sendable {
    /// The cluster as this node sees it.
    func clusterStatus() async -> ClusterStatusDocument
    /// Has the leader carry it out. Returns at the latest when the time is over.
    func perform(_ command: OperatorCommand, timeoutMilliseconds: UInt64) async -> CommandOutcome
}
