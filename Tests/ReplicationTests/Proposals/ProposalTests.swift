import Metadata
import Raft
import Replication
import Testing

@Suite("Writes from the call to the outcome")
struct ProposalTests {
    @Test("A write is committed wherever it arrives, and whoever wrote it reads it there")
    func anywhere() throws {
        let cluster = try TestCluster.ready(3)
        for (number, node) in cluster.nodes.enumerated() {
            try cluster.putAndWait("key-\(number)", UInt64(number + 1), on: node)
            #expect(try node.value("key-\(number)") == UInt64(number + 1))
        }
        try cluster.settle()
        #expect(try cluster.nodes.allSatisfy { try $0.versionCount() == 3 })
        try cluster.expectSound()
    }

    @Test("A refusal of the state machine is the outcome of a committed write")
    func refusalIsAResult() throws {
        let cluster = try TestCluster.ready(3)
        let node = try #require(cluster.followers.first)
        let token = cluster.propose(TestOperations.bytes(TestOperations.setUp[0]), on: node)
        try cluster.run { node.outcomes[token] != nil }
        guard case .committed(_, .change(.failure(let error)))? = node.outcomes[token] else {
            Issue.record("\(String(describing: node.outcomes[token]))")
            return
        }
        #expect(error.code == .bucketAlreadyOwnedByYou)
    }

    @Test("Writes that come together are forwarded together, and all get their own outcome")
    func together() throws {
        let cluster = try TestCluster.ready(3)
        let node = try #require(cluster.followers.first)
        cluster.recordsSent = true
        var events: [ReplicaEvent] = []
        var tokens: [RequestToken] = []
        for number in 0..<150 {
            let token = cluster.token()
            tokens.append(token)
            events.append(
                .propose(
                    Proposal(
                        token: token, operation: try TestOperations.put("k\(number)", 1),
                        deadline: cluster.now.adding(milliseconds: 5000))))
        }
        node.handle(events, at: cluster.now)
        try cluster.run { tokens.allSatisfy { node.outcomes[$0] != nil } }
        let forwards = cluster.sent.filter { if case .forward = $0.message { true } else { false } }
        #expect(forwards.count == 2, "at most 100 in each")
        #expect(try node.versionCount() == 150)
    }

    @Test("A forward that is lost is sent again with the same serial, and one that only lost its answer takes effect once")
    func lost() throws {
        let cluster = try TestCluster.ready(3)
        let node = try #require(cluster.followers.first)
        for losesAnswer in [false, true] {
            var lost = 0
            cluster.loses = { envelope in
                guard lost < 2 else { return false }
                switch envelope.message {
                case .forward where !losesAnswer, .forwardAnswer where losesAnswer:
                    lost += 1
                    return true
                default: return false
                }
            }
            try cluster.putAndWait("lost-\(losesAnswer)", 1, on: node)
            cluster.loses = { _ in false }
        }
        try cluster.settle()
        #expect(try node.versionCount() == 2)
        try cluster.expectSound()
    }

    /// The story: the answer comes late, the node has sent the write again, and the leader has both.
    @Test("A retried proposal is applied once: its second entry answers with the result of the first")
    func retriedProposalAppliedOnce() throws {
        let cluster = try TestCluster.ready(3)
        let node = try #require(cluster.followers.first)
        let leader = try #require(cluster.leader)
        // The node itself hears nothing of the log, so that it does not see its write applied.
        cluster.loses = { envelope in
            if case .forwardAnswer = envelope.message { return true }
            if case .raft(_, .append(let request)) = envelope.message {
                return envelope.to == node.node && !request.entries.isEmpty
            }
            return false
        }
        let token = try cluster.put("once", 1, on: node)
        let last = try #require(leader.replica?.core.lastIndex)
        try cluster.run { (leader.replica?.core.lastIndex ?? .zero) >= last + 2 }
        cluster.loses = { _ in false }
        try cluster.run { node.outcomes[token] != nil }
        guard case .committed(let index, .change(.success))? = node.outcomes[token] else {
            Issue.record("\(String(describing: node.outcomes[token]))")
            return
        }
        #expect(index == last + 1, "the first of the two")
        try cluster.settle()
        #expect(try node.versionCount() == 1)
        try cluster.expectSound()
    }

    @Test("A forward that is delivered twice is appended once, also after the leader has refused it")
    func duplicatedForward() throws {
        let cluster = try TestCluster.ready(3)
        let node = try #require(cluster.followers.first)
        let leader = try #require(cluster.leader)
        cluster.recordsSent = true
        try cluster.putAndWait("a", 1, on: node)
        let forward = try #require(cluster.sent.first { if case .forward = $0.message { true } else { false } })
        let last = leader.replica?.core.lastIndex
        cluster.deliver(forward)
        cluster.deliver()
        #expect(leader.replica?.core.lastIndex == last)
    }

    @Test("When the leader dies, a write that waits elsewhere is given to the next one and succeeds")
    func failover() throws {
        let cluster = try TestCluster.ready(3)
        let leader = try #require(cluster.leader)
        let node = try #require(cluster.followers.first)
        cluster.loses = { $0.to == leader.node }
        let token = try cluster.put("survives", 1, on: node)
        cluster.deliver()
        leader.crash()
        for other in cluster.nodes where other.isRunning { other.handle(.connectionLost(leader.node), at: cluster.now) }
        let before = cluster.now
        try cluster.run(upTo: 1000) { node.outcomes[token] != nil }
        guard case .committed? = node.outcomes[token] else {
            Issue.record("\(String(describing: node.outcomes[token]))")
            return
        }
        #expect(cluster.now.milliseconds(since: before) < 300)
        try cluster.expectSound()
    }

    @Test("A write that was appended by a leader who lost it is found lost, and goes on with the next leader")
    func appendedAndLost() throws {
        let cluster = try TestCluster.ready(3)
        let old = try #require(cluster.leader)
        let node = try #require(cluster.followers.first)
        // The leader answers, but its entries reach nobody.
        cluster.loses = { envelope in
            guard envelope.from.node == old.node else { return false }
            if case .forwardAnswer = envelope.message { return false }
            return true
        }
        let token = try cluster.put("again", 1, on: node)
        try cluster.run { (cluster.leader?.node ?? old.node) != old.node }
        try cluster.run { node.outcomes[token] != nil }
        cluster.loses = { _ in false }
        try cluster.settle()
        guard case .committed? = node.outcomes[token] else {
            Issue.record("\(String(describing: node.outcomes[token]))")
            return
        }
        #expect(try node.versionCount() == 1)
        try cluster.expectSound()
    }

    // MARK: Definitely not, and unknown

    @Test("Without a leader a write that nobody was given is definitely refused when its time is over")
    func refusedWithoutLeader() throws {
        let cluster = try TestCluster.ready(3)
        let node = try #require(cluster.followers.first)
        cluster.isolated = [node.node]
        // It forgets its leader first.
        try cluster.run { node.replica?.core.leader == nil }
        let token = try cluster.put("never", 1, on: node, within: 500)
        try cluster.run { node.outcomes[token] != nil }
        #expect(node.outcomes[token] == .refused(.timedOut))
        cluster.isolated = []
        cluster.run(milliseconds: 2000)
        #expect(try node.versionCount() == 0, "what was definitely refused never appears")
    }

    @Test("A write that a silent leader may have is unknown when its time is over, not refused")
    func unknownInDoubt() throws {
        let cluster = try TestCluster.ready(3)
        let leader = try #require(cluster.leader)
        let node = try #require(cluster.followers.first)
        // It takes the forward, but nothing it says is heard.
        cluster.loses = { $0.from.node == leader.node }
        let token = try cluster.put("perhaps", 1, on: node, within: 50)
        try cluster.run { node.outcomes[token] != nil }
        #expect(node.outcomes[token] == .unknown(.timedOut))
    }

    @Test("Once an entry of a later term is applied, an attempt of an earlier one is no doubt any more")
    func doubtEnds() throws {
        let cluster = try TestCluster.ready(3)
        let old = try #require(cluster.leader)
        let node = try #require(cluster.followers.first)
        cluster.loses = { $0.from.node == old.node || $0.to == old.node }
        let token = try cluster.put("gone", 1, on: node, within: 3000)
        // Whoever leads next takes no forwards at all.
        cluster.loses = { envelope in
            if envelope.from.node == old.node || envelope.to == old.node { return true }
            if case .forward = envelope.message { return true }
            return false
        }
        try cluster.run(upTo: 5000) { node.outcomes[token] != nil }
        // The node may lead itself, and then the write is committed.
        if !node.isLeader { #expect(node.outcomes[token] == .unknown(.timedOut)) }
    }

    @Test("An isolated leader's writes end unknown, and are committed or lost but never half")
    func isolatedLeader() throws {
        let cluster = try TestCluster.ready(3)
        let old = try #require(cluster.leader)
        cluster.isolated = [old.node]
        let token = try cluster.put("isolated", 1, on: old, within: 300)
        try cluster.run { old.outcomes[token] != nil }
        #expect(old.outcomes[token] == .unknown(.timedOut))
        cluster.isolated = []
        try cluster.settle()
        try cluster.expectSound()
    }

    // MARK: Limits

    @Test("A full queue refuses at once, and takes writes again when it has room")
    func overloaded() throws {
        var settings = TestCluster.settings
        settings.proposalCountMax = 4
        let cluster = try TestCluster.ready(3, settings: settings)
        let node = try #require(cluster.followers.first)
        var tokens: [RequestToken] = []
        cluster.isolated = [node.node]
        for number in 0..<5 { tokens.append(try cluster.put("k\(number)", 1, on: node)) }
        #expect(node.outcomes[tokens[4]] == .refused(.overloaded))
        #expect(node.outcomes[tokens[3]] == nil)
        cluster.isolated = []
        try cluster.run { tokens.allSatisfy { node.outcomes[$0] != nil } }
        try cluster.putAndWait("room", 1, on: node)
    }

    @Test("A write at the size limit is taken, one byte more is refused, on the leader as on a follower")
    func tooLarge() throws {
        var settings = TestCluster.settings
        settings.raft.proposalByteCountMax = 1000
        let cluster = try TestCluster.ready(3, settings: settings)
        let empty = try TestOperations.put("size", 1).count
        let room = 1000 - Command.operationHeaderByteCount - empty
        for node in [try #require(cluster.leader), try #require(cluster.followers.first)] {
            let fits = cluster.propose(try TestOperations.put("size", 1, byteCount: room), on: node)
            let large = cluster.propose(try TestOperations.put("size", 1, byteCount: room + 1), on: node)
            #expect(node.outcomes[large] == .refused(.tooLarge(byteCount: 1001)))
            try cluster.run { node.outcomes[fits] != nil }
            guard case .committed(_, .change(.success))? = node.outcomes[fits] else {
                Issue.record("\(String(describing: node.outcomes[fits]))")
                continue
            }
        }
    }

    @Test("A leader with too much uncommitted makes writes wait, and no outcome is lost")
    func uncommittedLimit() throws {
        var settings = TestCluster.settings
        settings.raft.uncommittedByteCountMax = 400
        settings.batchCountMax = 1
        let cluster = try TestCluster.ready(3, settings: settings)
        var tokens: [(TestNode, RequestToken)] = []
        for number in 0..<30 {
            for node in cluster.nodes { tokens.append((node, try cluster.put("k\(number)", 1, on: node))) }
        }
        try cluster.run { tokens.allSatisfy { $0.0.outcomes[$0.1] != nil } }
        for (node, token) in tokens {
            guard case .committed? = node.outcomes[token] else {
                Issue.record("\(String(describing: node.outcomes[token]))")
                continue
            }
        }
        try cluster.settle()
        #expect(try cluster.nodes[0].versionCount() == 90)
    }

    @Test("A node that belongs to no cluster refuses writes and reads by name")
    func notMember() throws {
        let cluster = TestCluster()
        let node = try cluster.add(TestNode(NodeID(9), incarnation: 9, configured: [], settings: TestCluster.settings))
        let write = try cluster.put("k", 1, on: node)
        let read = cluster.read(.eventual, on: node)
        #expect(node.outcomes[write] == .refused(.notMember))
        #expect(node.reads[read] == .failed(.notMember))
    }

    @Test("A stopped node gives every waiting call an outcome, and every later one")
    func stopped() throws {
        let cluster = try TestCluster.ready(3)
        let node = try #require(cluster.followers.first)
        cluster.isolated = [node.node]
        let write = try cluster.put("k", 1, on: node)
        let read = cluster.read(.linearizable, on: node)
        node.handle(.stop, at: cluster.now)
        #expect(node.outcomes[write] == .unknown(.stopped(.shutdown)))
        #expect(node.reads[read] == .failed(.stopped(.shutdown)))
        let late = try cluster.put("k", 1, on: node)
        #expect(node.outcomes[late] == .refused(.stopped(.shutdown)))
        let eventual = cluster.read(.eventual, on: node)
        #expect(node.reads[eventual] == .ready(node.replica?.applied ?? .zero), "old state may be read")
    }
}
