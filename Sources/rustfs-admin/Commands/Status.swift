import AdminDocuments
import ArgumentParser

struct Status: AdminCommand {
    static let configuration = CommandConfiguration(abstract: "Show the cluster as a node sees it.")

    @OptionGroup var connection: ConnectionOptions

    func carryOut(with client: AdminClient) async throws(AdminFailure) {
        let (bytes, status) = try await client.status(seconds: seconds())
        switch connection.output {
        case .json: Console.write(bytes: bytes)
        case .table: for line in Self.lines(status) { Console.write(line) }
        }
    }

    static func lines(_ status: ClusterStatusDocument) -> [String] {
        var lines = [
            "Cluster \(Amount.orUnknown(status.clusterId)): leader \(status.leaderId.map { "node \($0)" } ?? "none"), term \(status.term), version \(status.version)",
            "Node \(status.nodeId) answers: \(status.state)\(status.reason.map { " (\($0))" } ?? ""), applied \(status.appliedIndex) of \(status.commitIndex) committed",
        ]
        if let operation = status.operation {
            let exchanged = operation.newNode.map { " by node \($0)" } ?? ""
            lines.append(
                "Under way: \(operation.kind) node \(operation.node)\(exchanged), \(operation.step) for \(operation.stepMs) ms")
        }
        lines.append("")
        var table = TextTable([
            ("ID", .right), ("ADDRESS", .left), ("ROLE", .left), ("STATUS", .left), ("APPLIED", .right), ("LAG", .right),
            ("LAG MS", .right), ("BODIES MISSING", .right),
        ])
        for node in status.nodes {
            let missing = node.bodiesMissing.map { "\($0) (\(Amount.bytes(node.bodiesMissingBytes ?? 0)))" }
            table.add([
                "\(node.id)", node.address, node.role, node.status, Amount.orUnknown(node.appliedIndex),
                Amount.orUnknown(node.lagEntries), Amount.orUnknown(node.lagMs), Amount.orUnknown(missing),
            ])
        }
        lines += table.lines
        let bodies = status.bodies
        lines += [
            "",
            "Large objects of node \(status.nodeId): \(bodies.missing) missing (\(Amount.bytes(bodies.missingBytes))), \(bodies.unnamed) unnamed, \(bodies.repaired) repaired (\(Amount.bytes(bodies.repairedBytes))), \(bodies.damagedBlocks) blocks damaged, \(bodies.repairedBlocks) of them repaired",
        ]
        return lines
    }
}
