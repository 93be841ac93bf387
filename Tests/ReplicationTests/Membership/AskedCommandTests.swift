import Metadata
import Raft
import Replication
import Testing

@Suite("Commands of operators are asked of any node")
struct AskedCommandTests {
    private func ask(
        _ command: OperatorCommand, on node: TestNode, _ cluster: TestCluster, within milliseconds: UInt64 = 20_000
    ) -> RequestToken {
        let token = cluster.token()
        node.handle(.ask(token, command, deadline: cluster.now.adding(milliseconds: milliseconds)), at: cluster.now)
        return token
    }

    private func finished(
        _ token: RequestToken, on node: TestNode, _ cluster: TestCluster, _ location: SourceLocation = #_sourceLocation
    ) throws -> CommandOutcome {
        try cluster.run(upTo: 30_000, location) { node.commands[token] != nil }
        return try #require(node.commands[token], sourceLocation: location)
    }

    @Test("Followers hand them on to the leader, which adds, removes and replaces nodes, moves them, and hands leadership over")
    func handedOn() throws {
        let cluster = try TestCluster.ready(3)
        for id in [UInt64(4), 5] { try cluster.add(MembershipTests.newcomer(id)) }
        let follower = try #require(cluster.followers.first)
        let add = ask(.add(NodeID(4), address: Array("node-4".utf8)), on: follower, cluster)
        #expect(try finished(add, on: follower, cluster) == .done)
        let replace = ask(.replace(NodeID(4), with: NodeID(5), address: Array("node-5".utf8)), on: follower, cluster)
        #expect(try finished(replace, on: follower, cluster) == .done)
        cluster[4].crash()
        let move = ask(.changeAddress(NodeID(5), address: Array("elsewhere".utf8)), on: follower, cluster)
        #expect(try finished(move, on: follower, cluster) == .done)
        try cluster.settle()
        for node in cluster.nodes where node.node != NodeID(4) {
            #expect(node.replica?.members.last?.address == Array("elsewhere".utf8))
        }
        #expect(follower.contacts.first { $0.node == NodeID(5) }?.address == Array("elsewhere".utf8))
        let transfer = ask(.transferLeadership(to: follower.node), on: follower, cluster)
        #expect(try finished(transfer, on: follower, cluster) == .done)
        try cluster.awaitLeader()
        #expect(cluster.leader === follower)
        let remove = ask(.remove(NodeID(5), isForced: false), on: cluster.followers[0], cluster)
        #expect(try finished(remove, on: cluster.followers[0], cluster) == .done)
        try cluster.expectSound()
    }

    @Test("What the leader refuses, the follower's caller is told by its name, and nothing is changed")
    func refusals() throws {
        let cluster = try TestCluster.ready(3)
        let follower = try #require(cluster.followers.first)
        let before = cluster.leader?.replica?.core.configuration
        let refused: [(OperatorCommand, CommandRefusal)] = [
            (.add(follower.node, address: [65]), .alreadyVoter(follower.node)),
            (.remove(NodeID(77), isForced: true), .notMember(NodeID(77))),
            (.replace(NodeID(77), with: NodeID(4), address: [65]), .notMember(NodeID(77))),
            (.changeAddress(NodeID(77), address: [65]), .notMember(NodeID(77))),
            (.changeAddress(follower.node, address: []), .invalidAddress),
            (.transferLeadership(to: NodeID(77)), .transfer(.notVoter(NodeID(77)))),
            (.add(NodeID(4), address: [65]), .unreachable(NodeID(4))),
        ]
        for (command, refusal) in refused {
            let token = ask(command, on: follower, cluster)
            #expect(try finished(token, on: follower, cluster) == .refused(refusal))
        }
        #expect(cluster.leader?.replica?.core.configuration == before)
        #expect(cluster.leader?.replica?.membershipProgress == nil)
    }

    @Test("A removal is refused as soon as connections tell that the rest would have no living majority")
    func losesQuorum() throws {
        let cluster = try TestCluster.ready(3)
        let leader = try #require(cluster.leader)
        let (alive, dead) = (cluster.followers[0], cluster.followers[1])
        dead.crash()
        leader.handle(.connectionLost(dead.node), at: cluster.now)
        let token = ask(.remove(alive.node, isForced: false), on: alive, cluster)
        #expect(try finished(token, on: alive, cluster) == .refused(.change(.losesQuorum(active: 1, needed: 2))))
        #expect(leader.replica?.core.configuration.voters.count == 3)
        let other = ask(.remove(dead.node, isForced: false), on: alive, cluster)
        #expect(try finished(other, on: alive, cluster) == .done)
    }

    /// The story: a node was added with an address that was not its own. It reached the leader by itself, was made a learner, and half an hour
    /// later it was still one that nobody could reach.
    @Test("A new node that speaks and does not hear is taken back soon")
    func wrongAddress() throws {
        let cluster = try TestCluster.ready(3)
        let node = try cluster.add(MembershipTests.newcomer(4))
        let leader = try #require(cluster.leader)
        cluster.loses = { envelope in
            guard envelope.to == node.node, case .raft = envelope.message else { return false }
            return true
        }
        let begin = cluster.now
        let token = ask(.add(NodeID(4), address: [65]), on: leader, cluster)
        #expect(try finished(token, on: leader, cluster) == .refused(.unreachable(NodeID(4))))
        #expect(cluster.now.milliseconds(since: begin) < TestCluster.settings.membership.catchUpMilliseconds)
        #expect(leader.replica?.core.configuration.members.count == 3)
    }

    @Test("Of two at once, on two nodes, one is told that the other is under way")
    func busy() throws {
        let cluster = try TestCluster.ready(3)
        let (first, second) = (cluster.followers[0], cluster.followers[1])
        let one = ask(.add(NodeID(4), address: [65]), on: first, cluster)
        cluster.deliver()
        #expect(cluster.leader?.replica?.membershipProgress?.step == .contacting)
        let other = ask(.add(NodeID(5), address: [65]), on: second, cluster)
        #expect(try finished(other, on: second, cluster) == .refused(.busy))
        #expect(try finished(one, on: first, cluster) == .refused(.unreachable(NodeID(4))))
    }

    @Test("Requests and answers that are lost or repeated change nothing: a command is taken once", arguments: [true, false])
    func lostMessages(losesRequests: Bool) throws {
        let cluster = try TestCluster.ready(3)
        try cluster.add(MembershipTests.newcomer(4))
        let follower = try #require(cluster.followers.first { $0.node != NodeID(4) })
        var lost = 0
        cluster.loses = { envelope in
            let isLost =
                switch envelope.message {
                case .command: losesRequests
                case .commandAnswer: !losesRequests
                default: false
                }
            guard isLost, lost < 3 else { return false }
            lost += 1
            return true
        }
        let token = ask(.add(NodeID(4), address: [65]), on: follower, cluster)
        #expect(try finished(token, on: follower, cluster) == .done)
        #expect(lost == 3)
        #expect(cluster.leader?.replica?.core.configuration.voters.count == 4)
        // Again would be refused: it was not done twice.
        let again = ask(.add(NodeID(4), address: [65]), on: follower, cluster)
        #expect(try finished(again, on: follower, cluster) == .refused(.alreadyVoter(NodeID(4))))
    }

    @Test("A leader that is lost with a command leaves its outcome open, soon, and never a caller that waits for ever")
    func leaderLost() throws {
        let cluster = try TestCluster.ready(3)
        let leader = try #require(cluster.leader)
        let follower = try #require(cluster.followers.first)
        let token = ask(.add(NodeID(4), address: [65]), on: follower, cluster)
        cluster.deliver()
        leader.crash()
        let begin = cluster.now
        #expect(try finished(token, on: follower, cluster) == .unknown(.leadershipLost))
        #expect(cluster.now.milliseconds(since: begin) < 3000)
    }

    @Test("What a leader did not take before it lost office goes to the next one")
    func nextLeader() throws {
        let cluster = try TestCluster.ready(3)
        let leader = try #require(cluster.leader)
        let follower = try #require(cluster.followers.first)
        leader.crash()
        for node in cluster.followers { node.handle(.connectionLost(leader.node), at: cluster.now) }
        #expect(follower.replica?.core.leader == nil)
        let token = ask(.changeAddress(follower.node, address: [66]), on: follower, cluster)
        #expect(follower.commands[token] == nil)
        #expect(try finished(token, on: follower, cluster) == .done)
    }

    @Test("What a leader has done, and could not tell any more, is seen in the state")
    func answerLost() throws {
        let cluster = try TestCluster.ready(3)
        let leader = try #require(cluster.leader)
        let follower = try #require(cluster.followers.first)
        cluster.loses = { if case .commandAnswer = $0.message { true } else { false } }
        let token = ask(.changeAddress(follower.node, address: [66]), on: follower, cluster)
        try cluster.run { cluster.nodes.allSatisfy { $0.replica?.members.contains { $0.address == [66] } == true } }
        leader.crash()
        for node in cluster.followers { node.handle(.connectionLost(leader.node), at: cluster.now) }
        #expect(try finished(token, on: follower, cluster) == .done)
    }

    @Test("A node that most peers turn away as removed stops, unless a leader speaks to it")
    func turnedAway() throws {
        let cluster = try TestCluster.ready(3)
        let follower = try #require(cluster.followers.first)
        follower.handle(.turnedAway, at: cluster.now)
        cluster.run(milliseconds: 3000)
        #expect(follower.stopReason == nil)
        cluster.isolated = [follower.node]
        try cluster.run { follower.replica?.core.leader == nil }
        cluster.run(milliseconds: 3000)
        #expect(follower.stopReason == nil)
        follower.handle(.turnedAway, at: cluster.now)
        try cluster.run { follower.stopReason == .removed }
    }

    @Test("Without a leader a caller is refused when its time is over; with a slow one it is told that the outcome is open")
    func deadlines() throws {
        let cluster = try TestCluster.ready(3)
        let follower = try #require(cluster.followers.first)
        let slow = ask(.add(NodeID(4), address: [65]), on: follower, cluster, within: 500)
        #expect(try finished(slow, on: follower, cluster) == .unknown(.timedOut))
        let here = try #require(cluster.leader)
        try cluster.run { here.replica?.membershipProgress == nil }
        let own = ask(.add(NodeID(4), address: [65]), on: here, cluster, within: 500)
        #expect(try finished(own, on: here, cluster) == .unknown(.timedOut))
        for node in cluster.nodes where node !== follower { node.crash() }
        try cluster.run { follower.replica?.core.leader == nil }
        let alone = ask(.changeAddress(follower.node, address: [66]), on: follower, cluster, within: 500)
        #expect(try finished(alone, on: follower, cluster) == .refused(.notLeader(nil)))
    }

    @Test("A node that stops, and one that is in no cluster, say so at once")
    func stopped() throws {
        let cluster = try TestCluster.ready(3)
        let follower = try #require(cluster.followers.first)
        cluster.isolated = [follower.node]
        let sent = ask(.add(NodeID(4), address: [65]), on: follower, cluster)
        follower.handle(.stop, at: cluster.now)
        #expect(follower.commands[sent] == .unknown(.stopped(.shutdown)))
        let late = ask(.verify, on: follower, cluster)
        #expect(follower.commands[late] == .refused(.stopped(.shutdown)))
        let waiting = try cluster.add(MembershipTests.newcomer(4))
        let early = ask(.verify, on: waiting, cluster)
        #expect(waiting.commands[early] == .refused(.notLeader(nil)))
    }

    @Test("No more than a bound wait")
    func bound() throws {
        let cluster = try TestCluster.ready(3)
        let follower = try #require(cluster.followers.first)
        cluster.isolated = [follower.node]
        let tokens = (0..<65).map { _ in ask(.verify, on: follower, cluster) }
        #expect(follower.commands[tokens[64]] == .refused(.busy))
        #expect(tokens.dropLast().allSatisfy { follower.commands[$0] == nil })
    }

    @Test("A node can ask for its own removal, and so can the leader for its own")
    func ownRemoval() throws {
        let cluster = try TestCluster.ready(4)
        let follower = try #require(cluster.followers.first)
        let own = ask(.remove(follower.node, isForced: false), on: follower, cluster)
        #expect(try finished(own, on: follower, cluster) == .done)
        try cluster.run { follower.stopReason == .removed }
        let leader = try #require(cluster.leader)
        let asker = try #require(cluster.followers.first)
        let other = ask(.remove(leader.node, isForced: false), on: asker, cluster)
        #expect(try finished(other, on: asker, cluster) == .done)
        let next = try cluster.awaitLeader()
        #expect(next !== leader)
        #expect(next.replica?.core.configuration.voters.count == 2)
    }

    @Test("A node that is no member any more is not listened to")
    func noMember() throws {
        let cluster = try TestCluster.ready(4)
        let leader = try #require(cluster.leader)
        let gone = try #require(cluster.followers.first)
        let removal = cluster.command(.remove(gone.node, isForced: false), on: leader)
        try cluster.run { leader.commands[removal] != nil }
        let term = try #require(leader.replica?.core.term)
        let request = CommandRequest(term: term, start: 1, number: 9, command: .remove(NodeID(1), isForced: true))
        cluster.deliver(
            PeerEnvelope(
                cluster: leader.replica?.cluster, from: gone.identity, to: leader.node,
                toIncarnation: leader.identity.incarnation,
                message: .command(request)))
        let answers = leader.takeOutbox().compactMap { envelope -> CommandOutcome? in
            if case .commandAnswer(let answer) = envelope.message { answer.outcome } else { nil }
        }
        #expect(answers == [.refused(.notMember(gone.node))])
    }
}
