import Raft
import Testing

@Suite("Changes of the configuration")
struct ConfigurationChangerTests {
    static let nodes = ids(1, 2, 3, 4)
    static let allSteps = nodes.flatMap { node in MembershipStep.Kind.allCases.map { MembershipStep($0, node) } }

    private func configuration(
        _ voters: [NodeID], outgoing: [NodeID] = [], learners: [NodeID] = [], next: [NodeID] = [], autoLeave: Bool = false
    ) -> Configuration {
        var made = Configuration()
        made.voters = voters
        made.outgoingVoters = outgoing
        made.learners = learners
        made.learnersNext = next
        made.autoLeave = autoLeave
        return made
    }

    private func change(_ start: Configuration, _ change: ConfigurationChange) throws -> Configuration {
        try ConfigurationChanger(restoring: start).changed(by: change)
    }

    @Test("A voter is added, demoted and removed without a transition")
    func simple() throws {
        let one = try change(configuration([]), ConfigurationChange([MembershipStep(.addVoter, NodeID(1))]))
        #expect(one == configuration(ids(1)))
        let two = try change(one, ConfigurationChange([MembershipStep(.addVoter, NodeID(2))]))
        #expect(two == configuration(ids(1, 2)))
        let demoted = try change(two, ConfigurationChange([MembershipStep(.addLearner, NodeID(1))]))
        #expect(demoted == configuration(ids(2), learners: ids(1)))
        let promoted = try change(demoted, ConfigurationChange([MembershipStep(.addVoter, NodeID(1))]))
        #expect(promoted == configuration(ids(1, 2)))
        let removed = try change(promoted, ConfigurationChange([MembershipStep(.remove, NodeID(2))]))
        #expect(removed == configuration(ids(1)))
    }

    @Test("A voter demoted in a transition votes in the outgoing half until it ends")
    func demotion() throws {
        let start = configuration(ids(1, 2))
        let joint = try change(
            start, ConfigurationChange([MembershipStep(.addLearner, NodeID(2))], transition: .jointExplicit)
        )
        #expect(joint == configuration(ids(1), outgoing: ids(1, 2), next: ids(2)))
        #expect(try change(joint, .leaveJoint) == configuration(ids(1), learners: ids(2)))
    }

    @Test("Who is to be a learner can change its mind in the same transition")
    func demotionUndone() throws {
        let steps = [MembershipStep(.addLearner, NodeID(2)), MembershipStep(.addVoter, NodeID(2))]
        let joint = try change(configuration(ids(1, 2)), ConfigurationChange(steps))
        #expect(joint == configuration(ids(1, 2), outgoing: ids(1, 2), autoLeave: true))
        let removal = [MembershipStep(.addLearner, NodeID(2)), MembershipStep(.remove, NodeID(2))]
        let removing = try change(configuration(ids(1, 2)), ConfigurationChange(removal))
        #expect(removing == configuration(ids(1), outgoing: ids(1, 2), autoLeave: true))
        #expect(try change(removing, .leaveJoint) == configuration(ids(1)))
    }

    @Test("What cannot be done has a reason of its own")
    func errors() throws {
        let three = configuration(ids(1, 2, 3))
        let joint = configuration(ids(1), outgoing: ids(1, 2))
        let add = [MembershipStep(.addVoter, NodeID(4))]
        let swap = add + [MembershipStep(.remove, NodeID(3))]
        #expect(throws: ConfigurationError.severalVotersChanged) {
            try ConfigurationChanger(restoring: three).simple(swap)
        }
        #expect(throws: ConfigurationError.simpleChangeWhileJoint) { try change(joint, ConfigurationChange(add)) }
        #expect(throws: ConfigurationError.alreadyJoint) { try change(joint, ConfigurationChange(swap)) }
        #expect(throws: ConfigurationError.notJoint) { try change(three, .leaveJoint) }
        #expect(throws: ConfigurationError.jointWithoutVoters) { try change(configuration([]), ConfigurationChange(swap)) }
        #expect(throws: ConfigurationError.removedAllVoters) {
            try change(configuration(ids(1)), ConfigurationChange([MembershipStep(.remove, NodeID(1))]))
        }
        #expect(throws: ConfigurationError.removedAllVoters) {
            try change(configuration(ids(1)), ConfigurationChange([MembershipStep(.addLearner, NodeID(1))]))
        }
    }

    @Test("A configuration that no change can have made is refused")
    func restore() {
        let cases: [(Configuration, ConfigurationDefect)] = [
            (configuration(ids(2, 1)), .unsorted(.voters)),
            (configuration(ids(1), outgoing: ids(1, 1)), .unsorted(.outgoingVoters)),
            (configuration(ids(1), learners: ids(3, 2)), .unsorted(.learners)),
            (configuration(ids(1), outgoing: ids(1, 2, 3), next: ids(3, 2)), .unsorted(.learnersNext)),
            (configuration(ids(1), learners: ids(1)), .learnerVotes(NodeID(1))),
            (configuration(ids(1), outgoing: ids(1, 2), learners: ids(2)), .learnerVotes(NodeID(2))),
            (configuration(ids(1), outgoing: ids(1), next: ids(2)), .waitsWithoutVote(NodeID(2))),
            (configuration(ids(1, 2), outgoing: ids(1, 2), next: ids(2)), .waitsAndIsMember(NodeID(2))),
            (configuration(ids(1), next: ids(2)), .transitionOutsideJoint(.learnersNext)),
            (configuration(ids(1), autoLeave: true), .autoLeaveOutsideJoint),
            (configuration([], outgoing: ids(1)), .jointWithoutIncomingVoters),
        ]
        for (broken, defect) in cases {
            #expect(throws: ConfigurationError.invalid(defect)) { try ConfigurationChanger(restoring: broken) }
            #expect(!ConfigurationError.invalid(defect).description.isEmpty)
        }
    }

    /// The role that the steps leave each node in, one node at a time.
    private func roles(_ start: Configuration, _ steps: [MembershipStep]) -> Configuration {
        var voters = Set(start.voters)
        var learners = Set(start.learners)
        for step in steps where step.kind != .update {
            voters.remove(step.node)
            learners.remove(step.node)
            if step.kind == .addVoter { voters.insert(step.node) }
            if step.kind == .addLearner { learners.insert(step.node) }
        }
        return configuration(voters.sorted(), learners: learners.sorted())
    }

    /// Every configuration of four nodes without a transition.
    private var settled: [Configuration] {
        assignments(Self.nodes, [0, 1, 2]).map { roles in
            configuration(Self.nodes.filter { roles[$0] == 1 }, learners: Self.nodes.filter { roles[$0] == 2 })
        }
    }

    @Test("Every change of up to two steps gives what its steps say, and quorums that meet at each stage")
    func everyChange() throws {
        let changes = Self.allSteps.map { [$0] } + Self.allSteps.flatMap { first in Self.allSteps.map { [first, $0] } }
        var counts = (simple: 0, joint: 0)
        for start in settled where !start.voters.isEmpty {
            let changer = try ConfigurationChanger(restoring: start)
            for steps in changes {
                let wanted = roles(start, steps)
                if let simple = try? changer.simple(steps) {
                    counts.simple += 1
                    #expect(simple == wanted)
                    #expect(start.quorumsMeet(simple) && NaiveQuorum(start).meets(NaiveQuorum(simple)))
                }
                guard let joint = try? changer.enterJoint(autoLeave: true, steps) else {
                    #expect(wanted.voters.isEmpty)
                    continue
                }
                counts.joint += 1
                let left = try ConfigurationChanger(restoring: joint).leaveJoint()
                #expect(left == wanted)
                #expect(joint.outgoingVoters == start.voters && joint.autoLeave)
                #expect(start.quorumsMeet(joint) && joint.quorumsMeet(left))
            }
        }
        #expect(counts.simple > 5_000 && counts.joint > counts.simple)
    }

    @Test("Whether quorums meet is the definition's for every two sets of voters")
    func quorumsMeet() {
        let sets = subsets(ids(1, 2, 3, 4, 5)).filter { !$0.isEmpty }
        for first in sets {
            for second in sets {
                let naive = NaiveQuorum(first).meets(NaiveQuorum(second))
                #expect(configuration(first).quorumsMeet(configuration(second)) == naive, "\(first) \(second)")
            }
        }
    }

    @Test("Joint configurations that are said to meet do")
    func jointQuorumsMeet() {
        let sets = subsets(ids(1, 2, 3)).filter { !$0.isEmpty }
        let configurations = sets.flatMap { incoming in
            (sets + [[]]).map { configuration(incoming, outgoing: $0) }
        }
        var met = 0
        for first in configurations {
            for second in configurations where first.quorumsMeet(second) {
                met += 1
                #expect(NaiveQuorum(first).meets(NaiveQuorum(second)), "\(first) \(second)")
            }
        }
        #expect(met > configurations.count)
    }
}
