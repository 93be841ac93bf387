import Raft
import Replication
import Testing

@Suite("Every node knows how all nodes are")
struct ReplicationManagerTests {
    /// How each node that runs sees all others, of those that it sees as something else than healthy.
    private func troubles(_ cluster: TestCluster) -> [String] {
        cluster.nodes.filter(\.isRunning).flatMap { node in
            cluster.nodes.compactMap { other in
                guard let status = node.replica?.status(of: other.node, at: cluster.now), status != .healthy else { return nil }
                return "\(node.node): \(other.node) \(status)"
            }
        }
    }

    /// The story: a follower told its status to the leader alone, so that followers called each other unreachable.
    @Test("All are healthy on all nodes, and what they have applied is known", arguments: [3, 5])
    func healthy(count: Int) throws {
        let cluster = try TestCluster.ready(count)
        let index = try cluster.putAndWait("k", 1, on: cluster.nodes[0])
        for _ in 0..<10 {
            cluster.run(milliseconds: 300)
            #expect(troubles(cluster) == [])
            for node in cluster.nodes {
                for other in cluster.nodes {
                    let applied = try #require(node.replica?.appliedIndex(of: other.node), "\(node.node) of \(other.node)")
                    #expect(applied >= index)
                    #expect(node.replica?.entriesBehind(other.node) == 0)
                }
            }
        }
    }

    @Test("A learner is told of, and tells, like any member")
    func learner() throws {
        let cluster = try TestCluster.ready(3)
        let learner = try cluster.add(
            TestNode(NodeID(4), incarnation: 104, configured: TestCluster.configured(3), settings: TestCluster.settings))
        learner.holdsInstall = true
        _ = cluster.command(.add(NodeID(4), address: []), on: try #require(cluster.leader))
        try cluster.run {
            cluster.nodes.allSatisfy { $0 === learner || $0.replica?.core.configuration.learners == [NodeID(4)] }
        }
        for _ in 0..<4 {
            cluster.run(milliseconds: 300)
            #expect(troubles(cluster) == [], "while it waits for the state")
        }
        learner.releaseInstall(at: cluster.now)
        try cluster.settle()
        cluster.run(milliseconds: 300)
        #expect(troubles(cluster) == [])
    }

    @Test("Who is cut off is unreachable for all, and calls all unreachable, until it is heard again")
    func cutOff() throws {
        let cluster = try TestCluster.ready(3)
        let alone = try #require(cluster.followers.first)
        let others = cluster.nodes.filter { $0 !== alone }
        cluster.isolated = [alone.node]
        cluster.run(milliseconds: 1000)
        let expected =
            others.map { "\($0.node): \(alone.node) unreachable" } + others.map { "\(alone.node): \($0.node) unreachable" }
        #expect(troubles(cluster).sorted() == expected.sorted())
        cluster.isolated = []
        cluster.run(milliseconds: 500)
        #expect(troubles(cluster) == [])
    }

    @Test("A connection that is lost says so at once, and another leader brings nobody back")
    func lostConnection() throws {
        let cluster = try TestCluster.ready(3)
        let old = try #require(cluster.leader)
        let others = cluster.nodes.filter { $0 !== old }
        old.crash()
        for node in others { node.handle(.connectionLost(old.node), at: cluster.now) }
        let expected = others.map { "\($0.node): \(old.node) unreachable" }
        #expect(troubles(cluster) == expected)
        try cluster.awaitLeader()
        #expect(troubles(cluster) == expected)
        try old.begin(at: cluster.now)
        cluster.run(milliseconds: 500)
        #expect(troubles(cluster) == [])
    }

    @Test("Who lacks much is lagging, on the leader and on the others")
    func lagging() throws {
        let cluster = try TestCluster.ready(3)
        let leader = try #require(cluster.leader)
        let slow = try #require(cluster.followers.first)
        let third = try #require(cluster.followers.last)
        slow.holdsLog = true
        for number in 0..<1200 { try cluster.putAndWait("k\(number % 10)", 1, on: leader) }
        cluster.run(milliseconds: 300)
        for node in [leader, third] {
            guard case .lagging(let behind)? = node.replica?.status(of: slow.node, at: cluster.now) else {
                Issue.record("\(String(describing: node.replica?.status(of: slow.node, at: cluster.now)))")
                continue
            }
            #expect((1200...1300).contains(behind))
        }
        slow.releaseLog(at: cluster.now)
        try cluster.settle()
        cluster.run(milliseconds: 300)
        #expect(troubles(cluster) == [])
    }

    @Test("Another disk under a member's id is failed, until the member's own is heard")
    func otherDisk() throws {
        let cluster = try TestCluster.ready(3)
        let node = try #require(cluster.followers.first)
        let others = cluster.nodes.filter { $0 !== node }
        node.crash()
        for other in others {
            other.handle(.refused(NodeIdentity(node.node, Incarnation(999))), at: cluster.now)
            #expect(other.replica?.status(of: node.node, at: cluster.now) == .failed)
        }
        cluster.run(milliseconds: 2000)
        #expect(troubles(cluster) == others.map { "\($0.node): \(node.node) failed" })
        try node.begin(at: cluster.now)
        cluster.run(milliseconds: 500)
        #expect(troubles(cluster) == [])
    }
}
