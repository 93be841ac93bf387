import Raft
import Replication
import Testing

/// The story: a leader died, an operator had another node lead, and was told that it is not heard from: the new leader had been elected an
/// instant before, and had heard nobody yet.
@Suite("A target that the leader has not heard yet is waited for, as long as two heartbeats take")
struct LeadershipTransferTests {
    /// Two heartbeats of these clusters.
    private static let waitMilliseconds = 2 * 5 * TestCluster.tickMilliseconds

    private struct Bed {
        let cluster: TestCluster
        let leader: TestNode
        let target: TestNode
        let others: [TestNode]

        /// A leader that was just elected and commits, and has not heard one of its followers since: what that answers is lost.
        init() throws {
            cluster = try TestCluster.ready(5)
            let cluster = cluster
            let old = try #require(cluster.leader)
            cluster.loses = Self.isAnswer
            old.crash()
            try cluster.run { cluster.leader != nil }
            let (leader, target) = (try #require(cluster.leader), try #require(cluster.followers.first))
            cluster.loses = { $0.from.node == target.node && Self.isAnswer($0) }
            try cluster.awaitLeader()
            self.leader = leader
            self.target = target
            others = cluster.followers.filter { $0.node != target.node }
            try #require(cluster.leader === leader && others.count == 2)
            try #require(leader.replica?.core.progress(of: target.node)?.isActive == false)
        }

        private static func isAnswer(_ envelope: PeerEnvelope) -> Bool {
            switch envelope.message {
            case .raft(_, .appendResponse), .raft(_, .heartbeatResponse): true
            default: false
            }
        }

        func hearTarget() { cluster.loses = { _ in false } }

        func ask(on node: TestNode, within milliseconds: UInt64 = 20_000) -> RequestToken {
            let token = cluster.token()
            let deadline = cluster.now.adding(milliseconds: milliseconds)
            node.handle(.ask(token, .transferLeadership(to: target.node), deadline: deadline), at: cluster.now)
            cluster.deliver()
            return token
        }

        /// What has become of it, and after how long.
        func finish(_ token: RequestToken, on node: TestNode) throws -> (outcome: CommandOutcome, milliseconds: UInt64) {
            let begin = cluster.now
            try cluster.run { node.commands[token] != nil }
            return (try #require(node.commands[token]), cluster.now.milliseconds(since: begin))
        }
    }

    @Test("It takes over as soon as it is heard, whoever was asked", arguments: [true, false])
    func heard(isAskedOfLeader: Bool) throws {
        let bed = try Bed()
        let node = isAskedOfLeader ? bed.leader : bed.others[0]
        let token = bed.ask(on: node)
        #expect(node.commands[token] == nil)
        bed.hearTarget()
        #expect(try bed.finish(token, on: node).outcome == .done)
        try bed.cluster.awaitLeader()
        #expect(bed.cluster.leader === bed.target)
        try bed.cluster.expectSound()
    }

    @Test("Silence is refused after that time, and the leader leads on", arguments: [true, false])
    func silence(isAskedOfLeader: Bool) throws {
        let bed = try Bed()
        let node = isAskedOfLeader ? bed.leader : bed.others[0]
        let (outcome, milliseconds) = try bed.finish(bed.ask(on: node), on: node)
        #expect(outcome == .refused(.transfer(.inactive(bed.target.node))))
        #expect(milliseconds == Self.waitMilliseconds)
        try bed.cluster.putAndWait("k", 1, on: bed.leader)
        #expect(bed.cluster.leader === bed.leader)
        // The next command begins anew.
        let again = bed.ask(on: node)
        bed.hearTarget()
        #expect(try bed.finish(again, on: node).outcome == .done)
    }

    @Test("A caller whose time is over sooner is refused then, and nothing comes of it later")
    func deadline() throws {
        let bed = try Bed()
        let token = bed.ask(on: bed.leader, within: Self.waitMilliseconds / 2)
        let (outcome, milliseconds) = try bed.finish(token, on: bed.leader)
        #expect(outcome == .refused(.transfer(.inactive(bed.target.node))))
        #expect(milliseconds == Self.waitMilliseconds / 2)
        bed.hearTarget()
        bed.cluster.run(milliseconds: 1000)
        #expect(bed.cluster.leader === bed.leader)
        #expect(bed.leader.replica?.core.progress(of: bed.target.node)?.isActive == true)
    }

    @Test("A second command is told that one is waiting")
    func busy() throws {
        let bed = try Bed()
        let first = bed.ask(on: bed.leader)
        let second = bed.ask(on: bed.leader)
        #expect(bed.leader.commands[second] == .refused(.busy))
        bed.hearTarget()
        #expect(try bed.finish(first, on: bed.leader).outcome == .done)
    }

    @Test("If the leader loses its office meanwhile, the next one is asked: nothing had begun", arguments: [true, false])
    func leaderLost(isAskedOfLeader: Bool) throws {
        let bed = try Bed()
        let (cluster, next) = (bed.cluster, bed.others[1])
        let node = isAskedOfLeader ? bed.leader : bed.others[0]
        let token = bed.ask(on: node)
        let replica = try #require(bed.leader.replica)
        cluster.deliver(
            PeerEnvelope(
                cluster: replica.cluster, from: bed.leader.identity, to: next.node,
                toIncarnation: next.identity.incarnation, message: .raft(replica.core.term, .timeoutNow)))
        cluster.deliver()
        #expect(cluster.leader === next)
        #expect(node.commands[token] == nil)
        bed.hearTarget()
        #expect(try bed.finish(token, on: node).outcome == .done)
        try cluster.awaitLeader()
        #expect(cluster.leader === bed.target)
        try cluster.expectSound()
    }

    @Test("A leader that stops meanwhile says that nothing was done")
    func stopped() throws {
        let bed = try Bed()
        let token = bed.ask(on: bed.leader)
        bed.leader.handle(.stop, at: bed.cluster.now)
        #expect(bed.leader.commands[token] == .refused(.stopped(.shutdown)))
    }
}
