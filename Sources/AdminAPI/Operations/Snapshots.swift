import AdminDocuments
import NIOHTTP1

extension AdminRoute {
    static let snapshot = AdminRoute(.GET, "/metadata/snapshots", action: "snapshot-progress") { call throws(AdminError) in
        guard let export = try call.snapshots.export else {
            throw AdminError(
                .notFound, "NoSnapshot", "No snapshot was asked for since this node started: POST here asks for one.")
        }
        return AdminJSON.encode(export)
    }

    /// Begins; how far it is `GET` tells.
    static let createSnapshot = AdminRoute(
        .POST, "/metadata/snapshots", action: "create-snapshot", hasBody: true
    ) { call throws(AdminError) in
        let fields = try RequestFields(call.body, known: ["path", "with_data", "rate_mib"])
        let request = SnapshotFileRequest(
            path: try fields.text("path"), withData: try fields.flag("with_data"),
            rateMib: try fields.number("rate_mib", in: 1...100_000))
        return AdminJSON.encode(try await call.snapshots.begin(request))
    }
}
