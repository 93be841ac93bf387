import AdminDocuments
import NIOHTTP1
import Raft
import Replication

extension AdminRoute {
    static let addNode = AdminRoute(.POST, "/metadata/nodes", action: "add-node", hasBody: true) { call throws(AdminError) in
        let node = try NewNodeRequest(call)
        return try await call.done(.add(NodeID(node.id), address: Array(node.address.utf8)))
    }
}

extension NewNodeRequest {
    init(_ call: AdminCall) throws(AdminError) {
        let fields = try RequestFields(call.body, known: ["id", "address"])
        self.init(id: try fields.nodeID("id"), address: try fields.address())
    }
}

extension RequestFields {
    func address() throws(AdminError) -> String {
        let address = try text("address")
        if let problem = PeerAddress.problem(address) {
            throw .malformed("The address '\(address.prefix(PeerAddress.byteCountMax))' \(problem).")
        }
        return address
    }
}
