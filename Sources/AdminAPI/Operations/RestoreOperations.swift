import AdminDocuments
import NIOHTTP1

extension AdminRoute {
    static let restore = AdminRoute(.GET, "/metadata/restores", action: "restore-progress") { call throws(AdminError) in
        guard let restore = try call.snapshots.restore else {
            throw AdminError(
                .notFound, "NoRestore", "No restore was asked for since this node started: POST here asks for one.")
        }
        return AdminJSON.encode(restore)
    }

    /// Begins; how far it is `GET` tells.
    static let restoreSnapshot = AdminRoute(
        .POST, "/metadata/restores", action: "restore-snapshot", hasBody: true
    ) { call throws(AdminError) in
        let fields = try RequestFields(call.body, known: ["path"])
        return AdminJSON.encode(try await call.snapshots.begin(RestoreRequest(path: try fields.text("path"))))
    }
}
