import Metadata
import Raft
import Replication
import Testing

@Suite("Reads of bounded staleness, by this node's own clock")
struct StalenessTests {
    @Test("The first read has an index confirmed, and later ones within the bound need no round")
    func shared() throws {
        let cluster = try TestCluster.ready(3)
        let reader = try #require(cluster.followers.first)
        let first = cluster.read(.boundedStaleness(maxStalenessMilliseconds: 1000), on: reader)
        try cluster.run(upTo: 100) { reader.reads[first] != nil }
        cluster.recordsSent = true
        cluster.run(milliseconds: 200)
        let second = cluster.read(.boundedStaleness(maxStalenessMilliseconds: 1000), on: reader)
        guard case .ready? = reader.reads[second] else {
            Issue.record("it was served at once")
            return
        }
        let rounds = cluster.sent.filter { if case .raft(_, .readIndex) = $0.message { true } else { false } }
        #expect(rounds.isEmpty)
    }

    /// The story: the index was confirmed a moment ago, but what it stands for is not applied here.
    @Test("Staleness is judged by what is applied, not by what is confirmed")
    func appliedCounts() throws {
        let cluster = try TestCluster.ready(3)
        let reader = try #require(cluster.followers.first)
        let writer = try #require(cluster.leader)
        let warm = cluster.read(.boundedStaleness(maxStalenessMilliseconds: 100), on: reader)
        try cluster.run(upTo: 100) { reader.reads[warm] != nil }
        reader.holdsApply = true
        try cluster.putAndWait("k", 1, on: writer)
        cluster.run(milliseconds: 200)
        let token = cluster.read(.boundedStaleness(maxStalenessMilliseconds: 100), on: reader)
        cluster.deliver()
        #expect(reader.reads[token] == nil, "the confirmed index is not applied here")
        cluster.run(milliseconds: 50)
        #expect(reader.reads[token] == nil)
        reader.releaseApply(at: cluster.now)
        guard case .ready? = reader.reads[token] else {
            Issue.record("\(String(describing: reader.reads[token]))")
            return
        }
        #expect(try reader.value("k") == 1)
    }

    @Test("Cut off from its leader a node serves bounded reads until the bound is over, then refuses with the age")
    func cutOff() throws {
        let cluster = try TestCluster.ready(3)
        let reader = try #require(cluster.followers.first)
        let warm = cluster.read(.boundedStaleness(maxStalenessMilliseconds: 500), on: reader)
        try cluster.run(upTo: 100) { reader.reads[warm] != nil }
        cluster.isolated = [reader.node]
        cluster.run(milliseconds: 400)
        let young = cluster.read(.boundedStaleness(maxStalenessMilliseconds: 500), on: reader)
        guard case .ready? = reader.reads[young] else {
            Issue.record("\(String(describing: reader.reads[young]))")
            return
        }
        cluster.run(milliseconds: 200)
        let old = cluster.read(.boundedStaleness(maxStalenessMilliseconds: 500), on: reader)
        #expect(reader.reads[old] == nil, "it waits for catching up, up to the bound")
        cluster.run(milliseconds: 510)
        guard case .failed(.tooStale(let age?))? = reader.reads[old] else {
            Issue.record("\(String(describing: reader.reads[old]))")
            return
        }
        #expect(age > 1000)
    }

    @Test("A clock that has jumped, as after a suspend, makes the state old at once")
    func suspended() throws {
        let cluster = try TestCluster.ready(3)
        let reader = try #require(cluster.followers.first)
        let bound = ReadConsistency.boundedStaleness(maxStalenessMilliseconds: 1000)
        let warm = cluster.read(bound, on: reader)
        try cluster.run(upTo: 100) { reader.reads[warm] != nil }
        let later = cluster.now.adding(milliseconds: 60_000)
        let token = cluster.token()
        reader.handle(
            .read(ReadRequest(token: token, consistency: bound, deadline: later.adding(milliseconds: 5000))), at: later)
        #expect(reader.reads[token] == nil)
    }

    @Test("On the leader too")
    func leader() throws {
        let cluster = try TestCluster.ready(3)
        let leader = try #require(cluster.leader)
        let token = cluster.read(.boundedStaleness(maxStalenessMilliseconds: 200), on: leader)
        #expect(leader.reads[token] == nil, "nothing was confirmed yet")
        cluster.deliver()
        guard case .ready? = leader.reads[token] else {
            Issue.record("\(String(describing: leader.reads[token]))")
            return
        }
    }
}
