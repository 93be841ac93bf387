import AdminDocuments
import NIOHTTP1

extension AdminRoute {
    static let lag = AdminRoute(.GET, "/metadata/lag", action: "lag") { call throws(AdminError) in
        let status = try await call.cluster.clusterStatus()
        return AdminJSON.encode(
            LagDocument(
                nodeId: status.nodeId, leaderId: status.leaderId, commitIndex: status.commitIndex,
                nodes: status.nodes.map { node in
                    LagDocument.Node(
                        id: node.id, role: node.role, status: node.status, appliedIndex: node.appliedIndex,
                        lagEntries: node.lagEntries, lagMs: node.lagMs)
                }))
    }
}
