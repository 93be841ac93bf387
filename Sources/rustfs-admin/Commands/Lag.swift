import AdminDocuments
import ArgumentParser
import NIOHTTP1

struct Lag: AdminCommand {
    static let configuration = CommandConfiguration(abstract: "Show how far every member is.")

    @OptionGroup var connection: ConnectionOptions

    func carryOut(with client: AdminClient) async throws(AdminFailure) {
        let bytes = try await client.ask(.GET, "/metadata/lag", seconds: seconds())
        let document = try AdminClient.decode(LagDocument.self, bytes)
        guard connection.output == .table else { return Console.write(bytes: bytes) }
        Console.write("Node \(document.nodeId) answers: committed \(document.commitIndex)")
        Console.write("")
        var table = TextTable([
            ("ID", .right), ("ROLE", .left), ("STATUS", .left), ("APPLIED", .right), ("LAG", .right), ("LAG MS", .right),
        ])
        for node in document.nodes {
            table.add([
                "\(node.id)", node.role, node.status, Amount.orUnknown(node.appliedIndex), Amount.orUnknown(node.lagEntries),
                Amount.orUnknown(node.lagMs),
            ])
        }
        for line in table.lines { Console.write(line) }
    }
}
