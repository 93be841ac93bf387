import Metadata
import Raft
import Replication
import Testing

/// Every bug of `ReplicationMutations`, put back, is seen by what these tests look at; without it all is well.
@Suite("Bugs that are put back are found")
struct MutantTests {
    struct Case: Sendable, CustomStringConvertible {
        let mutation: ReplicationMutations
        /// What would be wrong; nil: nothing.
        let look: @Sendable (ReplicationMutations) throws -> String?

        var description: String {
            ReplicationMutations.all.first { $0.mutation == mutation }?.name ?? "none"
        }
    }

    static let cases: [Case] = [
        Case(mutation: .appliesRetriesTwice, look: repeatedInTheLog), Case(mutation: .dropsResults, look: repeatedInTheLog),
        Case(mutation: .retriesWithNewSerials, look: answerLost), Case(mutation: .reopensSessions, look: sessionReopened),
        Case(mutation: .delaysAppliedIndex, look: appliedIndex), Case(mutation: .marksTooFar, look: firstLost),
        Case(mutation: .readsBeforeApply, look: readConfirmed),
        Case(mutation: .ignoresAppliedInStaleness, look: boundedConfirmed), Case(mutation: .refusesInDoubt, look: inDoubt),
        Case(mutation: .answersBeforeCommit, look: cutOffLeader), Case(mutation: .answersBeforeAll, look: slowVoter),
        Case(mutation: .promotesEarly, look: learnerBehind),
        Case(mutation: .ignoresIncarnations, look: wipedDisk),
        Case(mutation: .foundsWithoutAgreement, look: wipedWhileFounding),
    ]

    @Test("Each is found, and its test finds nothing without it", arguments: cases + bodyCases + restoreCases)
    func found(mutant: Case) throws {
        #expect(try mutant.look([]) == nil)
        #expect(try mutant.look(mutant.mutation) != nil)
    }

    @Test("None is missing here and among the named cases")
    func complete() {
        let named = Set(NamedCaseMutantTests.cases.map(\.bug))
        for (name, mutation) in ReplicationMutations.all {
            #expect(
                named.contains("replica/" + name)
                    || (Self.cases + Self.bodyCases + Self.restoreCases).contains {
                        $0.mutation == mutation
                    },
                "\(name)")
        }
    }

    // MARK: Looks

    private static func settings(_ mutations: ReplicationMutations) -> ReplicaSettings {
        var settings = TestCluster.settings
        settings.mutations = mutations
        return settings
    }

    @Sendable private static func repeatedInTheLog(_ mutations: ReplicationMutations) throws -> String? {
        var bench = try ApplyBench(mutations: mutations)
        try bench.apply(.openSession(ApplyBench.session(1)))
        let put = try TestOperations.put("k", 1)
        for _ in 0..<2 { try bench.operation(1, serial: 1, mark: 1, put) }
        let count = try bench.versionCount()
        return count == 1 ? nil : "it took effect \(count) times"
    }

    @Sendable private static func sessionReopened(_ mutations: ReplicationMutations) throws -> String? {
        var bench = try ApplyBench(mutations: mutations)
        let put = try TestOperations.put("k", 1)
        for start: UInt64 in [1, 2, 1] {
            try bench.apply(.openSession(ApplyBench.session(1, start: start)))
            if start == 1 { try bench.operation(1, start: start, serial: 1, mark: 1, put) }
        }
        let count = try bench.versionCount()
        return count == 1 ? nil : "it took effect \(count) times"
    }

    @Sendable private static func appliedIndex(_ mutations: ReplicationMutations) throws -> String? {
        var bench = try ApplyBench(mutations: mutations)
        try bench.apply(.openSession(ApplyBench.session(1)))
        let index = bench.index
        try bench.reload()
        return bench.index == index ? nil : "\(index) is applied, the store says \(bench.index)"
    }

    /// The leader's answer and its entries do not reach the node in time.
    @Sendable private static func answerLost(_ mutations: ReplicationMutations) throws -> String? {
        let cluster = try TestCluster.ready(3, settings: settings(mutations))
        let node = try #require(cluster.followers.first)
        let leader = try #require(cluster.leader)
        cluster.loses = { envelope in
            if case .forwardAnswer = envelope.message { return true }
            if case .raft(_, .append(let request)) = envelope.message {
                return envelope.to == node.node && !request.entries.isEmpty
            }
            return false
        }
        _ = try cluster.put("k", 1, on: node)
        let last = try #require(leader.replica?.core.lastIndex)
        try cluster.run { (leader.replica?.core.lastIndex ?? .zero) >= last + 2 }
        cluster.loses = { _ in false }
        try cluster.settle()
        let count = try leader.versionCount()
        return count == 1 ? nil : "it took effect \(count) times"
    }

    /// The first of two writes has to be sent again, behind the second.
    @Sendable private static func firstLost(_ mutations: ReplicationMutations) throws -> String? {
        let cluster = try TestCluster.ready(3, settings: settings(mutations))
        let node = try #require(cluster.followers.first)
        var lost = false
        cluster.loses = { envelope in
            guard !lost, case .forward = envelope.message else { return false }
            lost = true
            return true
        }
        let first = try cluster.put("a", 1, on: node, within: 3000)
        cluster.deliver()
        try cluster.putAndWait("b", 1, on: node)
        try cluster.run { node.outcomes[first] != nil }
        if case .committed? = node.outcomes[first] { return nil }
        return "\(String(describing: node.outcomes[first]))"
    }

    @Sendable private static func readConfirmed(_ mutations: ReplicationMutations) throws -> String? {
        try servedEarly(mutations, .linearizable)
    }

    @Sendable private static func boundedConfirmed(_ mutations: ReplicationMutations) throws -> String? {
        try servedEarly(mutations, .boundedStaleness(maxStalenessMilliseconds: 100))
    }

    /// What was acknowledged is not applied at the reader.
    private static func servedEarly(_ mutations: ReplicationMutations, _ consistency: ReadConsistency) throws -> String? {
        let cluster = try TestCluster.ready(3, settings: settings(mutations))
        let reader = try #require(cluster.followers.first)
        reader.holdsApply = true
        try cluster.putAndWait("k", 1, on: try #require(cluster.leader))
        cluster.run(milliseconds: 200)
        let token = cluster.read(consistency, on: reader)
        cluster.deliver()
        return reader.reads[token] == nil ? nil : "served without the write"
    }

    @Sendable private static func inDoubt(_ mutations: ReplicationMutations) throws -> String? {
        let cluster = try TestCluster.ready(3, settings: settings(mutations))
        let leader = try #require(cluster.leader)
        let node = try #require(cluster.followers.first)
        // It has the write, and the node does not know it.
        cluster.loses = { $0.from.node == leader.node && $0.to == node.node }
        let token = try cluster.put("k", 1, on: node, within: 100)
        try cluster.run { node.outcomes[token] != nil }
        cluster.loses = { _ in false }
        try cluster.settle()
        guard case .refused? = node.outcomes[token], try node.versionCount() == 1 else { return nil }
        return "refused, and there"
    }

    @Sendable private static func cutOffLeader(_ mutations: ReplicationMutations) throws -> String? {
        let cluster = try TestCluster.ready(3, settings: settings(mutations))
        let old = try #require(cluster.leader)
        cluster.isolated = [old.node]
        let token = try cluster.put("k", 1, on: old, within: 500)
        try cluster.run { old.outcomes[token] != nil }
        try cluster.run { cluster.nodes.contains { $0 !== old && $0.isLeader } }
        cluster.isolated = []
        try cluster.settle()
        guard case .committed? = old.outcomes[token], try old.versionCount() == 0 else { return nil }
        return "acknowledged, and lost"
    }

    @Sendable private static func slowVoter(_ mutations: ReplicationMutations) throws -> String? {
        let cluster = try TestCluster.ready(3, settings: settings(mutations))
        let node = try #require(cluster.leader)
        try #require(cluster.followers.last).holdsLog = true
        let token = try cluster.put("k", 1, on: node, level: .all)
        cluster.run(milliseconds: 200)
        return node.outcomes[token] == nil ? nil : "answered without every voter"
    }

    @Sendable private static func learnerBehind(_ mutations: ReplicationMutations) throws -> String? {
        let cluster = try TestCluster.ready(3, settings: settings(mutations))
        let leader = try #require(cluster.leader)
        let node = try cluster.add(MembershipTests.newcomer(4, settings: settings(mutations)))
        node.holdsInstall = true
        _ = cluster.command(.add(NodeID(4), address: []), on: leader)
        cluster.run(milliseconds: 1000)
        return leader.replica?.core.configuration.voters.contains(NodeID(4)) == true ? "a voter that has nothing" : nil
    }

    @Sendable private static func wipedDisk(_ mutations: ReplicationMutations) throws -> String? {
        let cluster = try TestCluster.ready(3, settings: settings(mutations))
        let leader = try #require(cluster.leader)
        let wiped = cluster.followers[0]
        let other = cluster.followers[1]
        wiped.crash()
        try cluster.replace(
            wiped.node.rawValue,
            by: TestNode(wiped.node, incarnation: 999, configured: [], settings: settings(mutations)))
        other.crash()
        let token = try cluster.put("k", 1, on: leader, within: 2000)
        try cluster.run { leader.outcomes[token] != nil }
        guard case .committed? = leader.outcomes[token] else { return nil }
        return "committed with a disk that has promised nothing"
    }

    @Sendable private static func wipedWhileFounding(_ mutations: ReplicationMutations) throws -> String? {
        let count = try FormationTests.foundedWithTwoDisks(mutations: mutations)
        return count <= 1 ? nil : "\(count) clusters"
    }
}
