import NIOHTTP1
import Raft
import Replication

extension AdminRoute {
    static let changeAddress = AdminRoute(
        .PUT, "/metadata/nodes/{id}/address", action: "change-address", hasBody: true
    ) { call throws(AdminError) in
        let address = try RequestFields(call.body, known: ["address"]).address()
        return try await call.done(.changeAddress(NodeID(try call.nodeID()), address: Array(address.utf8)))
    }
}
