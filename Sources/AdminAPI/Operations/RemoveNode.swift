import NIOHTTP1
import Raft
import Replication

extension AdminRoute {
    static let removeNode = AdminRoute(.DELETE, "/metadata/nodes/{id}", action: "remove-node", parameters: ["force"]) {
        call throws(AdminError) in
        try await call.done(.remove(NodeID(try call.nodeID()), isForced: try call.flag("force")))
    }
}
