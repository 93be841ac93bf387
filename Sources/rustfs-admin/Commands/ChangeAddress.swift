import AdminDocuments
import ArgumentParser
import NIOHTTP1

struct ChangeAddress: AdminCommand {
    static let configuration = CommandConfiguration(
        abstract: "Tell the cluster where a member is reached from now on; it stays the same node with the same disk.")

    @OptionGroup var connection: ConnectionOptions

    @Option(help: ArgumentHelp("The node.", valueName: "number"))
    var id: NodeNumber

    @Option(help: ArgumentHelp("Where the other nodes reach it.", valueName: "host:port"))
    var address: NodeAddress

    func carryOut(with client: AdminClient) async throws(AdminFailure) {
        try await command(
            client, .PUT, "/metadata/nodes/\(id.rawValue)/address",
            body: AdminJSON.encode(AddressRequest(address: address.text)), seconds: seconds(),
            sentence: "Node \(id.rawValue) is reached at \(address.text).")
    }
}
