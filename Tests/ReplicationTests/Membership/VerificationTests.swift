import KeyValueStore
import Metadata
import Raft
import Replication
import Testing

@Suite("The states of all members are compared at one index")
struct VerificationTests {
    private func verify(on node: TestNode, _ cluster: TestCluster) throws -> DigestComparison {
        let token = cluster.token()
        node.handle(.ask(token, .verify, deadline: cluster.now.adding(milliseconds: 20_000)), at: cluster.now)
        try cluster.run { node.commands[token] != nil }
        guard case .verified(let comparison)? = node.commands[token] else {
            Issue.record("\(String(describing: node.commands[token]))")
            return DigestComparison(index: .zero, rows: [])
        }
        return comparison
    }

    @Test("Asked on any node, all tell the digest that they had right behind the same entry, while writes go on")
    func equal() throws {
        let cluster = try TestCluster.ready(3)
        for node in cluster.nodes {
            for number in 0..<5 { _ = try cluster.put("k\(number)", 1, on: cluster.nodes[0]) }
            let comparison = try verify(on: node, cluster)
            #expect(comparison.rows.map(\.node) == [NodeID(1), NodeID(2), NodeID(3)])
            #expect(comparison.rows.allSatisfy { $0.digest != nil })
            #expect(comparison.agrees)
        }
        try cluster.settle()
        try cluster.expectSound()
    }

    @Test("A member that does not answer is told of without a digest, when its time is over")
    func dead() throws {
        let cluster = try TestCluster.ready(3)
        let dead = try #require(cluster.followers.first)
        dead.crash()
        let comparison = try verify(on: try #require(cluster.leader), cluster)
        #expect(comparison.rows.count == 3)
        #expect(comparison.rows.filter { $0.digest == nil }.map(\.node) == [dead.node])
        #expect(comparison.agrees)
    }

    @Test("A replica whose state is another one is found")
    func different() throws {
        let cluster = try TestCluster.ready(3)
        let leader = try #require(cluster.leader)
        let odd = try #require(cluster.followers.first)
        cluster.loses = { _ in false }
        // As if its state had gone astray: it tells the digest of something else.
        var told = 0
        cluster.loses = { envelope in
            guard envelope.from == odd.identity, case .digestAnswer(let answer) = envelope.message, answer.digest != nil else {
                return false
            }
            told += 1
            return true
        }
        let token = cluster.token()
        leader.handle(.ask(token, .verify, deadline: cluster.now.adding(milliseconds: 20_000)), at: cluster.now)
        try cluster.run { told > 0 }
        let index = try #require(leader.replica?.applied)
        leader.handle(
            .received(
                PeerEnvelope(
                    cluster: leader.replica?.cluster, from: odd.identity, to: leader.node,
                    toIncarnation: leader.identity.incarnation,
                    message: .digestAnswer(DigestAnswer(index: index, digest: StateDigest(low: 1, high: 2))))), at: cluster.now)
        try cluster.run { leader.commands[token] != nil }
        guard case .verified(let comparison)? = leader.commands[token] else {
            Issue.record("\(String(describing: leader.commands[token]))")
            return
        }
        #expect(!comparison.agrees)
        #expect(comparison.rows.first { $0.node == odd.node }?.digest == StateDigest(low: 1, high: 2))
    }

    @Test("Entries without a payload, and those at multiples of 1024, end a batch; others do not")
    func marks() {
        func marks(_ index: UInt64, _ payload: [UInt8], _ type: EntryType = .normal) -> Bool {
            Entry(index: LogIndex(index), term: Term(1), type: type, payload: payload).marksDigest
        }
        #expect(marks(7, []))
        #expect(!marks(7, [1]))
        #expect(!marks(7, [], .configurationChange))
        #expect(marks(2048, [1]))
        #expect(!marks(2047, [1]))
    }

    @Test("What a replica remembers of digests is bounded: an index that is long past is not known any more")
    func bounded() throws {
        let cluster = try TestCluster.ready(3)
        let leader = try #require(cluster.leader)
        let first = try verify(on: leader, cluster)
        for _ in 0..<64 { #expect(try verify(on: leader, cluster).agrees) }
        let follower = try #require(cluster.followers.first)
        func ask(_ index: LogIndex) -> [DigestAnswer] {
            follower.handle(
                .received(
                    PeerEnvelope(
                        cluster: leader.replica?.cluster, from: leader.identity, to: follower.node,
                        toIncarnation: follower.identity.incarnation, message: .digestRequest(DigestRequest(index: index)))),
                at: cluster.now)
            return follower.takeOutbox().compactMap { if case .digestAnswer(let answer) = $0.message { answer } else { nil } }
        }
        #expect(ask(first.index) == [DigestAnswer(index: first.index, digest: nil)])
        let applied = try #require(follower.replica?.applied)
        #expect(ask(applied).first?.digest != nil)
        // Whoever has not applied it yet says nothing.
        #expect(ask(applied + 1).isEmpty)
    }
}
