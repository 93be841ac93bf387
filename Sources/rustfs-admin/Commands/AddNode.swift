import AdminDocuments
import ArgumentParser
import NIOHTTP1

struct AddNode: AdminCommand {
    static let configuration = CommandConfiguration(
        abstract: "Add a node: it is brought up to date, and then gets a vote.",
        discussion:
            "The node runs already, with an empty data directory and metadata.replication.join: true. If it does not catch up in time it is taken back."
    )

    @OptionGroup var connection: ConnectionOptions

    @Option(help: ArgumentHelp("An id that no node has ever had.", valueName: "number"))
    var id: NodeNumber

    @Option(help: ArgumentHelp("Where the other nodes reach it.", valueName: "host:port"))
    var address: NodeAddress

    func carryOut(with client: AdminClient) async throws(AdminFailure) {
        try await showingProgress(of: id.rawValue, client) { () async throws(AdminFailure) in
            try await command(
                client, .POST, "/metadata/nodes",
                body: AdminJSON.encode(NewNodeRequest(id: id.rawValue, address: address.text)),
                seconds: seconds(otherwise: 3600), sentence: "Node \(id.rawValue) is a member with a vote.")
        }
    }
}
