import AdminDocuments
import NIOHTTP1
import Raft
import Replication

extension AdminRoute {
    static let replaceNode = AdminRoute(.POST, "/metadata/nodes/{id}/replace", action: "replace-node", hasBody: true) {
        call throws(AdminError) in
        let old = try call.nodeID()
        let node = try NewNodeRequest(call)
        guard node.id != old else {
            throw .malformed("Node \(old) cannot be replaced by a node with the same id: the id belongs to its disk for ever.")
        }
        return try await call.done(.replace(NodeID(old), with: NodeID(node.id), address: Array(node.address.utf8)))
    }
}
