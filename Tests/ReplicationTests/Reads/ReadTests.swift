import Metadata
import Raft
import Replication
import Testing

@Suite("Reads at all levels, on every node")
struct ReadTests {
    @Test("A linearizable read sees a write that was acknowledged elsewhere before it began")
    func linearizable() throws {
        let cluster = try TestCluster.ready(3)
        let writer = try #require(cluster.leader)
        for reader in cluster.nodes {
            // The reader applies only when the test lets it.
            reader.holdsApply = true
            cluster.nodes.filter { $0 !== reader }.forEach { $0.releaseApply(at: cluster.now) }
            if reader !== writer { try cluster.putAndWait("seen", reader.node.rawValue, on: writer) }
            let token = cluster.read(.linearizable, on: reader)
            cluster.run(milliseconds: 100)
            if reader !== writer { #expect(reader.reads[token] == nil, "confirmed, but not applied here") }
            reader.releaseApply(at: cluster.now)
            try cluster.run { reader.reads[token] != nil }
            guard case .ready(let index)? = reader.reads[token] else {
                Issue.record("\(String(describing: reader.reads[token]))")
                continue
            }
            #expect(index >= writer.replica?.applied ?? .zero)
            if reader !== writer { #expect(try reader.value("seen") == reader.node.rawValue) }
        }
    }

    @Test("Reads that come together share one round")
    func batched() throws {
        let cluster = try TestCluster.ready(3)
        let reader = try #require(cluster.followers.first)
        cluster.recordsSent = true
        let deadline = cluster.now.adding(milliseconds: 1000)
        let tokens = (0..<100).map { _ in cluster.token() }
        reader.handle(tokens.map { .read(ReadRequest(token: $0, deadline: deadline)) }, at: cluster.now)
        cluster.deliver()
        #expect(tokens.allSatisfy { reader.reads[$0] != nil })
        let requests = cluster.sent.filter { if case .raft(_, .readIndex) = $0.message { true } else { false } }
        #expect(requests.count == 1)
    }

    @Test("A read whose request or answer is lost asks again, and is served")
    func lost() throws {
        let cluster = try TestCluster.ready(3)
        let reader = try #require(cluster.followers.first)
        for losesAnswer in [false, true] {
            var lost = 0
            cluster.loses = { envelope in
                guard lost < 1 else { return false }
                switch envelope.message {
                case .raft(_, .readIndex) where !losesAnswer, .raft(_, .readIndexResponse) where losesAnswer:
                    lost += 1
                    return true
                default: return false
                }
            }
            let token = cluster.read(.linearizable, on: reader)
            try cluster.run(upTo: 2000) { reader.reads[token] != nil }
            guard case .ready? = reader.reads[token] else {
                Issue.record("\(String(describing: reader.reads[token]))")
                continue
            }
        }
    }

    @Test("A read outlives its leader")
    func failover() throws {
        let cluster = try TestCluster.ready(3)
        let reader = try #require(cluster.followers.first)
        let leader = try #require(cluster.leader)
        leader.crash()
        let token = cluster.read(.linearizable, on: reader)
        try cluster.run { reader.reads[token] != nil }
        guard case .ready? = reader.reads[token] else {
            Issue.record("\(String(describing: reader.reads[token]))")
            return
        }
    }

    @Test("A leader that was cut off serves nothing linearizable, and says so in time")
    func isolatedLeader() throws {
        let cluster = try TestCluster.ready(3)
        let old = try #require(cluster.leader)
        cluster.isolated = [old.node]
        let token = cluster.read(.linearizable, on: old, within: 2000)
        try cluster.run { cluster.nodes.contains { $0 !== old && $0.isLeader } }
        let writer = try #require(cluster.nodes.first { $0 !== old && $0.isLeader })
        try cluster.putAndWait("new", 1, on: writer)
        try cluster.run { old.reads[token] != nil }
        #expect(old.reads[token] == .failed(.timedOut))
        let eventual = cluster.read(.eventual, on: old)
        #expect(old.reads[eventual] == .ready(old.replica?.applied ?? .zero), "old state is what was asked for")
    }

    /// The story: a process sleeps through an election and wakes up as what it was.
    @Test("A paused old leader that wakes up serves no read of its old state")
    func pausedLeader() throws {
        let cluster = try TestCluster.ready(3)
        let old = try #require(cluster.leader)
        // It neither ticks nor hears: the test leaves it out.
        let others = cluster.followers
        cluster.isolated = [old.node]
        for _ in 0..<100 where !others.contains(where: \.isLeader) { cluster.tick() }
        let writer = try #require(others.first { $0.isLeader })
        try cluster.putAndWait("while-asleep", 1, on: writer)
        let token = cluster.read(.linearizable, on: old)
        #expect(old.reads[token] == nil)
        cluster.isolated = []
        try cluster.run { old.reads[token] != nil }
        #expect(try old.value("while-asleep") == 1)
    }

    @Test("A read with a minimum index waits for it, whatever its level, and fails behind it when its time is over")
    func minimumIndex() throws {
        let cluster = try TestCluster.ready(3)
        let reader = try #require(cluster.followers.first)
        let writer = try #require(cluster.leader)
        reader.holdsApply = true
        let index = try cluster.putAndWait("k", 1, on: writer)
        let before = reader.replica?.applied ?? .zero
        #expect(before < index)
        let late = cluster.read(.eventual, on: reader, minimumIndex: index, within: 100)
        let patient = cluster.read(.eventual, on: reader, minimumIndex: index)
        cluster.run(milliseconds: 200)
        #expect(reader.reads[late] == .failed(.behind(applied: before)))
        #expect(reader.reads[patient] == nil)
        reader.releaseApply(at: cluster.now)
        #expect(reader.reads[patient] == .ready(index))
    }

    @Test("A full queue of reads refuses at once")
    func overloaded() throws {
        var settings = TestCluster.settings
        settings.readCountMax = 3
        let cluster = try TestCluster.ready(3, settings: settings)
        let reader = try #require(cluster.followers.first)
        cluster.isolated = [reader.node]
        let tokens = (0..<4).map { _ in cluster.read(.linearizable, on: reader) }
        #expect(reader.reads[tokens[3]] == .failed(.overloaded))
        cluster.isolated = []
        try cluster.run { tokens.allSatisfy { reader.reads[$0] != nil } }
    }
}
