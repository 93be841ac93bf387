import AdminDocuments
import ArgumentParser
import NIOHTTP1

struct ReplaceNode: AdminCommand {
    static let configuration = CommandConfiguration(
        abstract: "Exchange a node for a new one in one change, so that at no time one is missing.",
        discussion:
            "The new node runs already, with an empty data directory and metadata.replication.join: true. For a node that is dead or whose disk was lost."
    )

    @OptionGroup var connection: ConnectionOptions

    @Option(help: ArgumentHelp("The node that leaves.", valueName: "number"))
    var id: NodeNumber

    @Option(help: ArgumentHelp("The id of the new one: one that no node has ever had.", valueName: "number"))
    var newId: NodeNumber

    @Option(help: ArgumentHelp("Where the other nodes reach the new one.", valueName: "host:port"))
    var address: NodeAddress

    @Flag(help: "Do not ask.")
    var yes = false

    func validate() throws {
        if id.rawValue == newId.rawValue {
            throw ValidationError("--new-id must be another one: an id belongs to its disk for ever.")
        }
    }

    func carryOut(with client: AdminClient) async throws(AdminFailure) {
        try Console.confirm(
            "Replace node \(id.rawValue) by node \(newId.rawValue)? The data directory of node \(id.rawValue) cannot be used in this cluster again.",
            isGiven: yes)
        try await showingProgress(of: newId.rawValue, client) { () async throws(AdminFailure) in
            try await command(
                client, .POST, "/metadata/nodes/\(id.rawValue)/replace",
                body: AdminJSON.encode(NewNodeRequest(id: newId.rawValue, address: address.text)),
                seconds: seconds(otherwise: 3600),
                sentence: "Node \(newId.rawValue) is a member in the place of node \(id.rawValue).")
        }
    }
}
