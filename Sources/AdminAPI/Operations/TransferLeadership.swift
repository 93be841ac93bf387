import NIOHTTP1
import Raft
import Replication

extension AdminRoute {
    static let transferLeadership = AdminRoute(
        .POST, "/metadata/leadership", action: "transfer-leadership", hasBody: true
    ) { call throws(AdminError) in
        let target = try RequestFields(call.body, known: ["to"]).nodeID("to")
        return try await call.done(.transferLeadership(to: NodeID(target)))
    }
}
