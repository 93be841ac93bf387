import Raft
import Replication
import Testing

@Suite("Writes that wait for more than a majority, or for less")
struct WriteLevelTests {
    @Test(
        "write_quorum all: the answer waits until every voter has the entry, wherever the call came", arguments: [true, false])
    func all(onLeader: Bool) throws {
        let cluster = try TestCluster.ready(3)
        let node = try #require(onLeader ? cluster.leader : cluster.followers.first)
        let slow = try #require(cluster.followers.last)
        slow.holdsLog = true
        let token = try cluster.put("all", 1, on: node, level: .all)
        let majority = try cluster.put("majority", 1, on: node)
        cluster.run(milliseconds: 500)
        #expect(node.outcomes[token] == nil, "one voter lacks it")
        guard case .committed? = node.outcomes[majority] else {
            Issue.record("a slow follower slows a majority")
            return
        }
        slow.releaseLog(at: cluster.now)
        try cluster.run { node.outcomes[token] != nil }
        guard case .committed? = node.outcomes[token] else {
            Issue.record("\(String(describing: node.outcomes[token]))")
            return
        }
    }

    @Test("write_quorum all: with a voter down the call ends as committed but not everywhere, which is no success")
    func allWithVoterDown() throws {
        let cluster = try TestCluster.ready(3)
        let node = try #require(cluster.followers.first)
        let down = try #require(cluster.followers.last)
        down.crash()
        let token = try cluster.put("all", 1, on: node, level: .all, within: 1000)
        try cluster.run { node.outcomes[token] != nil }
        let index = try #require(node.replica?.applied)
        #expect(node.outcomes[token] == .unknown(.notOnEveryVoter(index)))
    }

    @Test("write_quorum all: the wait outlives its leader")
    func allAcrossLeaders() throws {
        let cluster = try TestCluster.ready(3)
        let leader = try #require(cluster.leader)
        let node = try #require(cluster.followers.first)
        let slow = try #require(cluster.followers.last)
        slow.holdsLog = true
        let token = try cluster.put("all", 1, on: node, level: .all)
        try cluster.run { (node.replica?.applied ?? .zero) == leader.replica?.core.lastIndex }
        leader.crash()
        slow.releaseLog(at: cluster.now)
        try cluster.awaitLeader()
        try leader.begin(at: cluster.now)
        try cluster.run { node.outcomes[token] != nil }
        guard case .committed? = node.outcomes[token] else {
            Issue.record("\(String(describing: node.outcomes[token]))")
            return
        }
    }

    @Test("An eventual write is answered when the leader has it durably, before any follower", arguments: [true, false])
    func eventual(onLeader: Bool) throws {
        let cluster = try TestCluster.ready(3)
        let leader = try #require(cluster.leader)
        let node = try #require(onLeader ? leader : cluster.followers.first)
        for follower in cluster.followers { follower.holdsLog = true }
        leader.holdsLog = true
        let token = try cluster.put("eventual", 1, on: node, level: .eventual)
        cluster.run(milliseconds: 50)
        #expect(node.outcomes[token] == nil, "the leader's own disk has not got it")
        leader.releaseLog(at: cluster.now)
        cluster.run(milliseconds: 50)
        #expect(node.outcomes[token] == .accepted(leader.replica?.core.lastIndex ?? .zero))
        for follower in cluster.followers { follower.releaseLog(at: cluster.now) }
        try cluster.settle()
        #expect(try node.versionCount() == 1)
        try cluster.expectSound()
    }
}
