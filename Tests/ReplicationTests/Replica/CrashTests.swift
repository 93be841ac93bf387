import Metadata
import Raft
import Replication
import Testing

@Suite("Crashes and failing disks")
struct CrashTests {
    @Test(
        "After a crash that loses what the store had not flushed, the log is applied again from the stored index, and nothing twice"
    )
    func lostStore() throws {
        let cluster = try TestCluster.ready(3)
        for number in 0..<20 { try cluster.putAndWait("k\(number)", 1, on: cluster.nodes[number % 3]) }
        for node in cluster.nodes { node.crash(losingUnflushed: true) }
        for node in cluster.nodes { try node.begin(at: cluster.now) }
        try cluster.awaitLeader()
        try cluster.settle()
        #expect(try cluster.nodes.allSatisfy { try $0.versionCount() == 20 })
        for node in cluster.nodes { #expect(try node.check().isConsistent) }
        try cluster.putAndWait("after", 1, on: cluster.nodes[0])
    }

    @Test("What is applied, and up to where, reach the store together: a restart goes on behind it")
    func appliedIndexInTheSameBatch() throws {
        var bench = try ApplyBench()
        try bench.apply(.openSession(ApplyBench.session(1)))
        for number: UInt64 in 1...5 {
            try bench.operation(1, serial: number, mark: 1, try TestOperations.put("k", number))
            let index = bench.index
            try bench.reload()
            #expect(bench.index == index)
        }
        #expect(try bench.versionCount() == 5)
    }

    @Test("A node that starts again has a new session, and its old one is gone everywhere")
    func newSession() throws {
        let cluster = try TestCluster.ready(3)
        let node = try #require(cluster.followers.first)
        try cluster.putAndWait("before", 1, on: node)
        node.crash()
        try node.begin(at: cluster.now)
        try cluster.putAndWait("after", 1, on: node)
        try cluster.settle()
        for other in cluster.nodes {
            let sessions = try #require(other.machine?.state.sessions)
            #expect(sessions.filter { $0.node == node.node } == [SessionID(node: node.node, start: 2)])
        }
        try cluster.expectSound()
    }

    @Test("A leader whose disk stands still gives up, and another one is elected; when the disk is back it follows")
    func stalledDisk() throws {
        var settings = TestCluster.settings
        settings.storageStallMilliseconds = 500
        let cluster = try TestCluster.ready(3, settings: settings)
        let old = try #require(cluster.leader)
        old.holdsLog = true
        let node = try #require(cluster.followers.first)
        try cluster.putAndWait("without the leader's disk", 1, on: node)
        try cluster.run(upTo: 3000) { cluster.nodes.contains { $0 !== old && $0.isLeader } && !old.isLeader }
        #expect(old.notes.contains { if case .diskStalled = $0 { true } else { false } })
        try cluster.putAndWait("after", 1, on: node)
        old.releaseLog(at: cluster.now)
        cluster.run(milliseconds: 500)
        #expect(old.notes.contains(.diskRecovered))
        try cluster.settle()
        try cluster.expectSound()
    }

    @Test("A failed log is final: the node stops with the reason, its callers are told, and the others go on")
    func failedLog() throws {
        let cluster = try TestCluster.ready(3)
        let old = try #require(cluster.leader)
        old.holdsLog = true
        let waiting = try cluster.put("waiting", 1, on: old)
        old.handle(.logFailed(detail: "fsync: input/output error"), at: cluster.now)
        let reason = StopReason.logFailed("fsync: input/output error")
        #expect(old.stopReason == reason)
        #expect(old.outcomes[waiting] == .unknown(.stopped(reason)))
        try cluster.run { cluster.nodes.contains { $0 !== old && $0.isLeader } }
        try cluster.putAndWait("after", 1, on: cluster.followers[0])
    }

    @Test("A session that an entry ends while its node is away is opened anew, and what waited goes on in it once")
    func expiredSession() throws {
        var settings = TestCluster.settings
        settings.sessionSilenceMilliseconds = 1000
        let cluster = try TestCluster.ready(3, settings: settings)
        let node = try #require(cluster.followers.first)
        try cluster.putAndWait("before", 1, on: node)
        cluster.isolated = [node.node]
        let waiting = try cluster.put("waiting", 1, on: node, within: 20_000)
        try cluster.run { cluster.leader?.machine?.state.sessions.contains { $0.node == node.node } == false }
        cluster.isolated = []
        try cluster.run { node.outcomes[waiting] != nil }
        guard case .committed? = node.outcomes[waiting] else {
            Issue.record("\(String(describing: node.outcomes[waiting]))")
            return
        }
        try cluster.settle()
        #expect(node.machine?.state.sessions.contains(SessionID(node: node.node, start: 1, generation: 1)) == true)
        #expect(try node.versionCount() == 2)
        try cluster.expectSound()
    }
}
