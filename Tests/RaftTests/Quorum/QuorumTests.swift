import Raft
import Testing

@Suite("Quorum arithmetic")
struct QuorumTests {
    @Test(
        "A majority's committed index is what more than half have acknowledged",
        arguments: [
            ([], [], UInt64.max),
            ([12], [12], 12),
            ([nil], [1], 0),
            ([100, 101], [1, 2], 100),
            ([100, 101, 99], [1, 2, 3], 100),
            ([nil, 103, 104], [1, 2, 3], 103),
            ([1, 2, 3, 4], [1, 2, 3, 4], 2),
            ([101, 104, 103, 103, nil], [1, 2, 3, 4, 5], 103),
            ([7, 6, 5, 4, 3, 2, 1], [1, 2, 3, 4, 5, 6, 7], 4),
        ] as [([UInt64?], [UInt64], UInt64)]
    )
    func committed(indexes: [UInt64?], voters: [UInt64], expected: UInt64) {
        let quorum = MajorityQuorum(voters.map { NodeID($0) })
        let committed = quorum.committed { node in
            voters.firstIndex(of: node.rawValue).flatMap { indexes[$0] }.map { LogIndex($0) }
        }
        #expect(committed == LogIndex(expected))
    }

    @Test("Without voters nothing is a bound and every vote is won")
    func empty() {
        let quorum = JointQuorum(incoming: MajorityQuorum([]), outgoing: MajorityQuorum([]))
        #expect(quorum.committed { _ in LogIndex(1) } == MajorityQuorum.unbounded)
        #expect(quorum.vote { _ in false } == .won)
    }

    @Test("A joint quorum with an empty half decides like the other half")
    func halfEmpty() {
        let half = MajorityQuorum(ids(1, 2, 3))
        for quorum in [
            JointQuorum(incoming: half, outgoing: MajorityQuorum([])),
            JointQuorum(incoming: MajorityQuorum([]), outgoing: half),
        ] {
            #expect(quorum.committed { LogIndex($0.rawValue) } == LogIndex(2))
            #expect(quorum.vote { $0 == NodeID(1) ? true : nil } == .pending)
            #expect(quorum.vote { $0 == NodeID(1) ? true : false } == .lost)
        }
    }

    /// Every joint configuration over four nodes, and every state of their logs.
    @Test("The committed index is the definition's, for every small configuration")
    func committedByDefinition() {
        let nodes = ids(1, 2, 3, 4)
        for incoming in subsets(nodes) {
            for outgoing in subsets(nodes) {
                let quorum = JointQuorum(incoming: MajorityQuorum(incoming), outgoing: MajorityQuorum(outgoing))
                let naive = NaiveQuorum(incoming, outgoing)
                for acknowledged in assignments(naive.nodes, [0, 1, 2, 3] as [UInt64]) {
                    let committed = quorum.committed { acknowledged[$0].map { LogIndex($0) } }
                    #expect(committed.rawValue == naive.committed(acknowledged), "\(incoming) \(outgoing) \(acknowledged)")
                }
            }
        }
    }

    @Test("A vote's result is the definition's, for every small configuration")
    func voteByDefinition() {
        let nodes = ids(1, 2, 3, 4, 5)
        for incoming in subsets(nodes) {
            for outgoing in subsets(Array(nodes.dropFirst())) {
                let quorum = JointQuorum(incoming: MajorityQuorum(incoming), outgoing: MajorityQuorum(outgoing))
                let naive = NaiveQuorum(incoming, outgoing)
                for answers in assignments(naive.nodes, [true, false, nil]) {
                    let votes = answers.compactMapValues { $0 }
                    #expect(quorum.vote { votes[$0] } == naive.vote(votes), "\(incoming) \(outgoing) \(votes)")
                }
            }
        }
    }

    @Test("Learners never count")
    func learners() {
        var configuration = Configuration()
        configuration.voters = ids(1, 2)
        configuration.learners = ids(3, 4, 5)
        #expect(configuration.quorum.vote { $0 == NodeID(2) ? nil : true } == .pending)
        #expect(configuration.quorum.committed { $0 == NodeID(2) ? LogIndex(4) : LogIndex(9) } == LogIndex(4))
    }
}
