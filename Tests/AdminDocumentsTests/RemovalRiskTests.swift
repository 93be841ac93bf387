import AdminDocuments
import Testing

@Suite("What removing a node would risk")
struct RemovalRiskTests {
    static func node(_ id: UInt64, missing: UInt64? = 0, status: String = "healthy", role: String = "follower")
        -> ClusterStatusDocument.Node
    {
        ClusterStatusDocument.Node(
            id: id, address: "n\(id):7000", role: role, status: status, appliedIndex: 5, lagEntries: 0, lagMs: nil,
            bodiesMissing: missing, bodiesMissingBytes: missing)
    }

    static func status(_ nodes: [ClusterStatusDocument.Node]) -> ClusterStatusDocument {
        ClusterStatusDocument(
            clusterId: "7", nodeId: 1, state: "ready", reason: nil, leaderId: 1, term: 2, commitIndex: 5, appliedIndex: 5,
            lastIndex: 5, version: 1, supportedVersion: 1, digest: "", nodes: nodes, operation: nil,
            bodies: ClusterStatusDocument.Bodies(
                missing: 0, missingBytes: 0, unnamed: 0, repaired: 0, repairedBytes: 0, damagedBlocks: 0, repairedBlocks: 0,
                abandoned: 0, scrub: nil))
    }

    struct Case: Sendable {
        var nodes: [ClusterStatusDocument.Node]
        var living: Int
        var majority: Int
        var losesQuorum: Bool
        var bodies: UInt64?
    }

    /// Node 3 is removed.
    static let cases = [
        Case(nodes: [node(1), node(2), node(3)], living: 2, majority: 2, losesQuorum: false, bodies: 0),
        Case(nodes: [node(1), node(2, missing: 4), node(3)], living: 2, majority: 2, losesQuorum: false, bodies: 4),
        Case(
            nodes: [node(1), node(2, missing: 4), node(3), node(4, missing: 9)], living: 3, majority: 2, losesQuorum: false,
            bodies: 4),
        Case(
            nodes: [node(1), node(2, status: "unreachable"), node(3)], living: 1, majority: 2, losesQuorum: true, bodies: nil),
        Case(nodes: [node(1), node(2, missing: nil), node(3)], living: 2, majority: 2, losesQuorum: false, bodies: nil),
        // A learner counts for nothing.
        Case(
            nodes: [node(1, role: "leader"), node(3), node(4, missing: 9, role: "learner")], living: 1, majority: 1,
            losesQuorum: false, bodies: 0),
        Case(nodes: [node(3)], living: 0, majority: 1, losesQuorum: true, bodies: nil),
    ]

    @Test("Voters that live are counted, and what the worst node lacks that a majority needs", arguments: cases)
    func counts(_ given: Case) {
        let risk = RemovalRisk(removing: 3, from: Self.status(given.nodes))
        #expect(risk.livingVoterCount == given.living)
        #expect(risk.majorityCount == given.majority)
        #expect(risk.losesQuorum == given.losesQuorum)
        #expect(risk.bodiesWithoutQuorum == given.bodies)
        #expect(risk.warnings.count == (given.losesQuorum ? 3 : 2))
    }
}
