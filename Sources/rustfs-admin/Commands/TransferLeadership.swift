import AdminDocuments
import ArgumentParser
import NIOHTTP1

struct TransferLeadership: AdminCommand {
    static let configuration = CommandConfiguration(abstract: "Have another node lead.")

    @OptionGroup var connection: ConnectionOptions

    @Option(help: ArgumentHelp("The node that is to lead.", valueName: "number"))
    var to: NodeNumber

    func carryOut(with client: AdminClient) async throws(AdminFailure) {
        try await command(
            client, .POST, "/metadata/leadership", body: AdminJSON.encode(LeadershipRequest(to: to.rawValue)),
            seconds: seconds(), sentence: "Node \(to.rawValue) leads.")
    }
}
