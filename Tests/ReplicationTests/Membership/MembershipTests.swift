import Metadata
import Raft
import Replication
import Testing

@Suite("Changes of members, each as one operation")
struct MembershipTests {
    static func newcomer(_ id: UInt64, settings: ReplicaSettings = TestCluster.settings) -> TestNode {
        TestNode(NodeID(id), incarnation: 100 + id, configured: [], settings: settings)
    }

    static func outcome(_ cluster: TestCluster, _ token: RequestToken) -> CommandOutcome? {
        cluster.nodes.compactMap { $0.commands[token] }.first
    }

    private func finished(_ token: RequestToken, _ cluster: TestCluster, upTo milliseconds: UInt64 = 20_000) throws
        -> CommandOutcome
    {
        try cluster.run(upTo: milliseconds) { Self.outcome(cluster, token) != nil }
        return try #require(Self.outcome(cluster, token))
    }

    @Test("A node is added: it learns, catches up, and votes, while writes go on")
    func add() throws {
        let cluster = try TestCluster.ready(3)
        let leader = try #require(cluster.leader)
        for number in 0..<30 { try cluster.putAndWait("k\(number)", 1, on: leader) }
        let node = try cluster.add(Self.newcomer(4))
        let token = cluster.command(.add(NodeID(4), address: Array("node-4".utf8)), on: leader)
        try cluster.putAndWait("meanwhile", 1, on: leader)
        let outcome = try finished(token, cluster)
        #expect(outcome == .done)
        try cluster.settle()
        #expect(node.replica?.core.configuration.voters.count == 4)
        #expect(node.replica?.members.last?.identity == node.identity)
        try cluster.putAndWait("here", 1, on: node)
        let read = cluster.read(.linearizable, on: node)
        try cluster.run { node.reads[read] != nil }
        try cluster.expectSound()
    }

    @Test("A node that does not answer is not added: a dead voter would cost the quorum")
    func deadNode() throws {
        let cluster = try TestCluster.ready(3)
        let leader = try #require(cluster.leader)
        let token = cluster.command(.add(NodeID(4), address: []), on: leader)
        #expect(try finished(token, cluster) == .refused(.unreachable(NodeID(4))))
        #expect(leader.replica?.core.configuration.members.count == 3)
    }

    @Test("A learner that does not catch up is taken back, and the outcome says how far it was behind")
    func tooSlow() throws {
        let cluster = try TestCluster.ready(3)
        let leader = try #require(cluster.leader)
        let node = try cluster.add(Self.newcomer(4))
        node.holdsInstall = true
        let token = cluster.command(.add(NodeID(4), address: []), on: leader)
        guard case .refused(.didNotCatchUp(NodeID(4), let behind)) = try finished(token, cluster) else {
            Issue.record("\(String(describing: Self.outcome(cluster, token)))")
            return
        }
        #expect(behind > 0)
        #expect(leader.replica?.core.configuration.members.count == 3)
    }

    @Test("A learner is promoted only when share and gap are small enough")
    func caughtUp() throws {
        var settings = TestCluster.settings
        settings.membership.gapCountMax = 5
        settings.membership.catchUpMilliseconds = 60_000
        let cluster = try TestCluster.ready(3, settings: settings)
        let leader = try #require(cluster.leader)
        let node = try cluster.add(Self.newcomer(4, settings: settings))
        let token = cluster.command(.add(NodeID(4), address: []), on: leader)
        try cluster.run { node.installCount == 1 && leader.replica?.core.configuration.learners == [NodeID(4)] }
        node.holdsLog = true
        for number in 0..<2000 { _ = try cluster.put("k\(number)", 1, on: leader) }
        cluster.run(milliseconds: 3000)
        #expect(Self.outcome(cluster, token) == nil)
        #expect(leader.replica?.core.configuration.learners == [NodeID(4)], "too far behind to vote")
        node.releaseLog(at: cluster.now)
        let outcome = try finished(token, cluster)
        #expect(outcome == .done)
        try cluster.settle()
        try cluster.expectSound()
    }

    @Test("A learner is promoted only when it has every body; as long as it gets more of them it is not too slow")
    func lackingBodies() throws {
        var settings = TestCluster.settings
        settings.membership.catchUpMilliseconds = 4_000
        let cluster = try TestCluster.ready(3, settings: settings)
        let leader = try #require(cluster.leader)
        let node = try cluster.add(Self.newcomer(4, settings: settings))
        node.handle(.bodies(.unknown), at: cluster.now)
        let token = cluster.command(.add(NodeID(4), address: []), on: leader)
        for lacking: UInt64 in [3, 2, 1] {
            cluster.run(milliseconds: 3_000)
            node.handle(
                .bodies(BodyReport(lackingCount: lacking, lackingByteCount: lacking * 100, index: LogIndex(.max))),
                at: cluster.now)
            #expect(Self.outcome(cluster, token) == nil)
            #expect(leader.replica?.core.configuration.learners == [NodeID(4)])
        }
        cluster.run(milliseconds: 3_000)
        node.handle(.bodies(.whole), at: cluster.now)
        let outcome = try finished(token, cluster)
        #expect(outcome == .done)
        #expect(leader.replica?.core.configuration.voters.count == 4)
    }

    @Test("A node is removed only when a quorum of the others has every body, unless that is forced")
    func removedThoughNeeded() throws {
        let cluster = try TestCluster.ready(3)
        let leader = try #require(cluster.leader)
        let (gone, poor) = (cluster.followers[0], cluster.followers[1])
        poor.handle(.bodies(BodyReport(lackingCount: 7, lackingByteCount: 700, index: LogIndex(.max))), at: cluster.now)
        cluster.run(milliseconds: 2_000)
        let token = cluster.command(.remove(gone.node, isForced: false), on: leader)
        let outcome = try finished(token, cluster)
        #expect(outcome == .refused(.bodiesLacking(7)))
        #expect(leader.replica?.core.configuration.voters.count == 3)
        let forced = cluster.command(.remove(gone.node, isForced: true), on: leader)
        let forcedOutcome = try finished(forced, cluster)
        #expect(forcedOutcome == .done)
    }

    @Test("A node is removed: it stops, its session ends, and the others go on", arguments: [true, false])
    func remove(isLeader: Bool) throws {
        let cluster = try TestCluster.ready(3)
        let leader = try #require(cluster.leader)
        let gone = try #require(isLeader ? leader : cluster.followers.first)
        let token = cluster.command(.remove(gone.node, isForced: false), on: leader)
        let outcome = try finished(token, cluster)
        #expect(outcome == .done)
        try cluster.run { gone.stopReason == .removed }
        let late = try cluster.put("late", 1, on: gone)
        #expect(gone.outcomes[late] == .refused(.stopped(.removed)))
        let rest = cluster.nodes.filter { $0 !== gone }
        try cluster.run { rest.contains(where: \.isLeader) }
        try cluster.putAndWait("k", 1, on: rest[0])
        #expect(rest.allSatisfy { $0.replica?.core.configuration.voters.count == 2 })
    }

    @Test("A node that was removed while it was cut off learns of it, does not campaign, and stops")
    func removedWhileAway() throws {
        let cluster = try TestCluster.ready(3)
        let leader = try #require(cluster.leader)
        let gone = try #require(cluster.followers.first)
        cluster.isolated = [gone.node]
        let token = cluster.command(.remove(gone.node, isForced: false), on: leader)
        let outcome = try finished(token, cluster)
        #expect(outcome == .done)
        cluster.run(milliseconds: 2000)
        let term = leader.replica?.core.term
        cluster.isolated = []
        try cluster.run { gone.stopReason == .removed }
        #expect(leader.replica?.core.term == term, "it disturbed nobody")
    }

    @Test("Two nodes are exchanged in one joint change")
    func replace() throws {
        let cluster = try TestCluster.ready(3)
        let leader = try #require(cluster.leader)
        let old = try #require(cluster.followers.first)
        let node = try cluster.add(Self.newcomer(4))
        let token = cluster.command(.replace(old.node, with: NodeID(4), address: []), on: leader)
        let outcome = try finished(token, cluster)
        #expect(outcome == .done)
        let voters = try #require(leader.replica?.core.configuration.voters)
        #expect(voters.contains(NodeID(4)) && !voters.contains(old.node) && voters.count == 3)
        try cluster.run { old.stopReason == .removed }
        try cluster.putAndWait("k", 1, on: node)
        try cluster.expectSound()
    }

    @Test("A removal that would leave a dead majority is refused, unless it is forced")
    func livingQuorum() throws {
        let cluster = try TestCluster.ready(3)
        let leader = try #require(cluster.leader)
        let dead = cluster.followers[0]
        let alive = cluster.followers[1]
        dead.crash()
        // Long enough that the leader misses it, and hears the other.
        cluster.run(milliseconds: 1000)
        let token = cluster.command(.remove(alive.node, isForced: false), on: leader)
        #expect(try finished(token, cluster) == .refused(.change(.losesQuorum(active: 1, needed: 2))))
        // The dead one may go.
        let removal = cluster.command(.remove(dead.node, isForced: false), on: leader)
        #expect(try finished(removal, cluster) == .done)
    }

    @Test("Only the leader changes members, one operation at a time, and refuses what makes no sense by name")
    func refusals() throws {
        let cluster = try TestCluster.ready(3)
        let leader = try #require(cluster.leader)
        let follower = try #require(cluster.followers.first)
        let elsewhere = cluster.command(.add(NodeID(4), address: []), on: follower)
        #expect(follower.commands[elsewhere] == .refused(.notLeader(leader.node)))
        let voter = cluster.command(.add(follower.node, address: []), on: leader)
        #expect(leader.commands[voter] == .refused(.alreadyVoter(follower.node)))
        let stranger = cluster.command(.remove(NodeID(77), isForced: false), on: leader)
        #expect(leader.commands[stranger] == .refused(.notMember(NodeID(77))))
        let long = cluster.command(.add(NodeID(4), address: [UInt8](repeating: 65, count: 256)), on: leader)
        #expect(leader.commands[long] == .refused(.invalidAddress))
        let first = cluster.command(.add(NodeID(4), address: []), on: leader)
        let second = cluster.command(.add(NodeID(5), address: []), on: leader)
        #expect(leader.commands[second] == .refused(.busy))
        #expect(try finished(first, cluster) == .refused(.unreachable(NodeID(4))))
    }

    @Test("An id stays with its disk: another disk under it is refused for ever, the same one may come back")
    func identity() throws {
        let cluster = try TestCluster.ready(3)
        let leader = try #require(cluster.leader)
        let gone = try #require(cluster.followers.first)
        let removal = cluster.command(.remove(gone.node, isForced: false), on: leader)
        #expect(try finished(removal, cluster) == .done)
        try cluster.run { gone.stopReason == .removed }
        gone.crash()
        let id = gone.node.rawValue
        try cluster.replace(
            id, by: TestNode(NodeID(id), incarnation: 555, configured: [], settings: TestCluster.settings))
        cluster.run(milliseconds: 200)
        let wiped = cluster.command(.add(NodeID(id), address: []), on: leader)
        let refusal = try finished(wiped, cluster)
        #expect(refusal == .refused(.identityTaken(NodeID(id), gone.identity.incarnation)))
        cluster[id].crash()
        try cluster.replace(id, by: gone)
        let back = cluster.command(.add(NodeID(id), address: []), on: leader)
        #expect(try finished(back, cluster) == .done)
        try cluster.settle()
        try cluster.expectSound()
    }

    /// The story: a voter's disk was replaced, and the node came back under its id with nothing. It voted again in terms in which it had voted,
    /// and acknowledged in the place of the disk that was gone.
    @Test("A wiped disk under a member's id counts for nothing: no vote, no acknowledgement")
    func wipedDisk() throws {
        let cluster = try TestCluster.ready(3)
        let leader = try #require(cluster.leader)
        let (wiped, other) = (cluster.followers[0], cluster.followers[1])
        wiped.crash()
        try cluster.replace(
            wiped.node.rawValue,
            by: TestNode(wiped.node, incarnation: 999, configured: [], settings: TestCluster.settings))
        other.crash()
        let token = try cluster.put("k", 1, on: leader, within: 2000)
        try cluster.run { leader.outcomes[token] != nil }
        if case .committed? = leader.outcomes[token] { Issue.record("committed with a disk that has promised nothing") }
        // The quorum that the disks make goes on.
        try other.begin(at: cluster.now)
        try cluster.run { cluster.nodes.contains(where: \.isLeader) }
        try cluster.putAndWait("l", 1, on: other)
        #expect(cluster[wiped.node.rawValue].isLeader == false)
    }

    @Test("A leader that loses office in the middle leaves the outcome open, and asking again completes it")
    func leaderLost() throws {
        var settings = TestCluster.settings
        settings.membership.catchUpMilliseconds = 60_000
        let cluster = try TestCluster.ready(3, settings: settings)
        let leader = try #require(cluster.leader)
        let node = try cluster.add(Self.newcomer(4, settings: settings))
        node.holdsInstall = true
        let token = cluster.command(.add(NodeID(4), address: []), on: leader)
        try cluster.run { leader.replica?.core.configuration.learners == [NodeID(4)] }
        cluster.isolated = [leader.node]
        try cluster.run { cluster.nodes.contains { $0 !== leader && $0.isLeader } }
        cluster.isolated = []
        #expect(try finished(token, cluster) == .unknown(.leadershipLost))
        node.releaseInstall(at: cluster.now)
        let next = try cluster.awaitLeader()
        let again = cluster.command(.add(NodeID(4), address: []), on: next)
        #expect(try finished(again, cluster) == .done)
        try cluster.settle()
        try cluster.expectSound()
    }

    @Test("Leadership is handed over on command; to a dead or unknown node it is refused, and the leader leads on")
    func transfer() throws {
        let cluster = try TestCluster.ready(3)
        let leader = try #require(cluster.leader)
        let target = try #require(cluster.followers.first)
        let token = cluster.command(.transferLeadership(to: target.node), on: leader)
        let outcome = try finished(token, cluster)
        #expect(outcome == .done)
        try cluster.awaitLeader()
        #expect(cluster.leader === target)
        let stranger = cluster.command(.transferLeadership(to: NodeID(9)), on: target)
        #expect(target.commands[stranger] == .refused(.transfer(.notVoter(NodeID(9)))))
        let dead = try #require(cluster.followers.first)
        dead.crash()
        let late = cluster.command(.transferLeadership(to: dead.node), on: target)
        #expect(try finished(late, cluster) == .refused(.notTakenOver))
        try cluster.putAndWait("k", 1, on: target)
    }
}
