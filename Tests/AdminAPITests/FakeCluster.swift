import AdminAPI
import AdminDocuments
import Replication
import Synchronization

/// A cluster that answers as it is told, and remembers what was asked of it.
final class FakeCluster: ClusterAdministration {
    static let status = ClusterStatusDocument(
        clusterId: "77", nodeId: 1, state: "ready", reason: nil, leaderId: 1, term: 3, commitIndex: 9, appliedIndex: 8,
        lastIndex: 10,
        version: 1, supportedVersion: 1, digest: "00",
        nodes: [
            ClusterStatusDocument.Node(
                id: 1, address: "one:7000", role: "leader", status: "healthy", appliedIndex: 8, lagEntries: 1, lagMs: 2,
                bodiesMissing: 0, bodiesMissingBytes: 0),
            ClusterStatusDocument.Node(
                id: 2, address: "two:7000", role: "follower", status: "unreachable", appliedIndex: nil, lagEntries: nil,
                lagMs: nil, bodiesMissing: nil, bodiesMissingBytes: nil),
        ],
        operation: nil,
        bodies: ClusterStatusDocument.Bodies(
            missing: 0, missingBytes: 0, unnamed: 0, repaired: 0, repairedBytes: 0, damagedBlocks: 0, repairedBlocks: 0,
            abandoned: 0, scrub: nil))

    private let outcome: CommandOutcome
    private let asked = Mutex<[(command: OperatorCommand, timeoutMilliseconds: UInt64)]>([])

    init(_ outcome: CommandOutcome = .done) {
        self.outcome = outcome
    }

    var commands: [OperatorCommand] { asked.withLock { $0.map(\.command) } }
    var timeouts: [UInt64] { asked.withLock { $0.map(\.timeoutMilliseconds) } }

    func clusterStatus() async -> ClusterStatusDocument { Self.status }

    func perform(_ command: OperatorCommand, timeoutMilliseconds: UInt64) async -> CommandOutcome {
        asked.withLock { $0.append((command, timeoutMilliseconds)) }
        return outcome
    }
}
