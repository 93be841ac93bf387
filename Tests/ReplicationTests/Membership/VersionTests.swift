import Raft
import Replication
import Testing

@Suite("The rules of a cluster")
struct VersionTests {
    static func settings(_ version: UInt32) -> ReplicaSettings {
        var settings = TestCluster.settings
        settings.version = ClusterVersion(version)
        return settings
    }

    /// Takes the node down, and up again as another build.
    private func upgrade(_ cluster: TestCluster, _ id: UInt64, to version: UInt32) throws {
        cluster[id].crash()
        cluster[id].settings = Self.settings(version)
        try cluster[id].begin(at: cluster.now)
        try cluster.awaitLeader()
        try cluster.settle()
    }

    @Test("An entry raises them once every member knows the new ones, and not before")
    func raised() throws {
        let cluster = try TestCluster.ready(3, settings: Self.settings(1))
        for id: UInt64 in [1, 2] { try upgrade(cluster, id, to: 2) }
        cluster.run(milliseconds: 5000)
        #expect(cluster.nodes.allSatisfy { $0.replica?.version == .first })
        try upgrade(cluster, 3, to: 2)
        try cluster.run { cluster.nodes.allSatisfy { $0.replica?.version == ClusterVersion(2) } }
        try cluster.expectSound()
    }

    @Test("A build that does not know the rules stops its apply loudly instead of making another state of them")
    func downgraded() throws {
        let cluster = try TestCluster.ready(3, settings: Self.settings(2))
        try cluster.run { cluster.nodes.allSatisfy { $0.replica?.version == ClusterVersion(2) } }
        // A build that knows less, on a disk that has not applied the entry: it is lost with what was not flushed.
        let node = try #require(cluster.followers.first)
        node.crash(losingUnflushed: true)
        node.settings = Self.settings(1)
        try node.begin(at: cluster.now)
        try cluster.run { node.stopReason != nil }
        guard case .applyFailed(let detail)? = node.stopReason else {
            Issue.record("\(String(describing: node.stopReason))")
            return
        }
        #expect(detail.contains("version 2"))
    }

    @Test("A node whose build does not know the rules is not added")
    func notAdded() throws {
        let cluster = try TestCluster.ready(3, settings: Self.settings(2))
        try cluster.run { cluster.nodes.allSatisfy { $0.replica?.version == ClusterVersion(2) } }
        try cluster.add(MembershipTests.newcomer(4, settings: Self.settings(1)))
        let token = cluster.command(.add(NodeID(4), address: []), on: try #require(cluster.leader))
        try cluster.run { MembershipTests.outcome(cluster, token) != nil }
        #expect(
            MembershipTests.outcome(cluster, token) == .refused(.unsupportedVersion(NodeID(4), ClusterVersion(1))))
    }

    @Test("An entry that this build does not know stops apply with the place and the reason")
    func unknownEntry() throws {
        var bench = try ApplyBench()
        try bench.apply(.openSession(ApplyBench.session(1)))
        let unknown: [[UInt8]] = [
            [1, 200], [9],
            Command.operation(
                SessionOperation(session: ApplyBench.session(1), serial: Serial(1), mark: Serial(1), operation: [1, 99])
            ).encoded(),
        ]
        for payload in unknown {
            let entry = Entry(index: bench.index.next, term: Term(2), payload: payload)
            let error = #expect(throws: ApplyFailure.self) { try bench.apply([entry]) }
            guard case .unknownEntry(entry.index, Term(2), _)? = error else {
                Issue.record("\(String(describing: error))")
                continue
            }
            try bench.reload()
        }
    }
}
