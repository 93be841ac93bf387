import AdminDocuments
import ArgumentParser
import NIOHTTP1

struct RemoveNode: AdminCommand {
    static let configuration = CommandConfiguration(
        abstract: "Remove a node for ever: its data directory cannot be used again.",
        discussion:
            "Refused if the rest would have no living majority, or if large objects would be held by less than a majority of it."
    )

    @OptionGroup var connection: ConnectionOptions

    @Option(help: ArgumentHelp("The node.", valueName: "number"))
    var id: NodeNumber

    @Flag(help: "Even if large objects, or the majority of living nodes, may be lost; what is at risk is shown first.")
    var force = false

    @Flag(help: "Do not ask.")
    var yes = false

    func carryOut(with client: AdminClient) async throws(AdminFailure) {
        if force {
            let status = try await client.status(seconds: seconds()).document
            Console.warn("Without node \(id.rawValue):")
            for line in RemovalRisk(removing: id.rawValue, from: status).warnings { Console.warn("  \(line)") }
        }
        try Console.confirm(
            "Remove node \(id.rawValue)? Its data directory cannot be used in this cluster again.", isGiven: yes)
        try await command(
            client, .DELETE, "/metadata/nodes/\(id.rawValue)", query: force ? "force=true" : "", seconds: seconds(),
            sentence: "Node \(id.rawValue) is no member any more. Stop it, and remove its data directory.")
    }
}
