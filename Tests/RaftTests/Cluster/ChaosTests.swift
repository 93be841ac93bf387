import Raft
import Testing

@Suite("The core under faults", .timeLimit(.minutes(5)))
struct ChaosTests {
    @Test("No seed breaks the safety of Raft, and every cluster recovers", arguments: 0..<200)
    func safety(_ seed: Int) throws {
        var cluster = try Self.cluster(seed: UInt64(seed))
        try cluster.run(4000)
        try cluster.heal()
        #expect(cluster.violation == nil, "seed \(seed), step \(cluster.step)")
    }

    static func cluster(seed: UInt64, mutations: RaftMutations = []) throws -> ChaosCluster {
        var settings = RaftSettings()
        settings.usesPreVote = seed % 4 != 3
        settings.checksQuorum = seed % 5 != 4
        settings.mutations = mutations
        if seed.isMultiple(of: 2) {
            // Payloads are of 8 bytes.
            settings.messageByteCountMax = 150
            settings.inflightCountMax = 2
            settings.uncommittedByteCountMax = 600
            settings.applyByteCountMax = 150
            settings.unappliedByteCountMax = 300
            settings.cacheByteCountMax = 220
            settings.readRoundCountMax = 2
        }
        return try ChaosCluster(seed: seed, nodeCount: [3, 3, 5, 1, 4][Int(seed % 5)], settings: settings)
    }

    /// What these need happens too seldom here; the named cases and the simulator find them.
    static let rarelyFound: RaftMutations = [
        .commitsEarlierTerms, .overlapsChanges, .keepsTailBehindSnapshot, .installsStaleSnapshots, .ignoresUnappliedChanges,
        .commitsBeyondChanges, .leadsBeforeOwnVote, .helpsDisturbers, .refusesAsLearner, .campaignsUnrehearsed,
        .countsEarlierTerms, .ignoresWindow, .leadsOnStalledDisk, .addsDeadVoters, .forgetsRemovedNodes, .keepsTruncatedChanges,
        .countsReports, .ignoresBase, .reusesReadPositions, .sendsRetired,
    ]
    static let mutants = RaftMutations.all.filter { rarelyFound.isDisjoint(with: $0.mutation) }

    @Test("A bug that is put back is found", arguments: mutants.map(\.name))
    func mutant(_ name: String) throws {
        let mutation = try #require(Self.mutants.first { $0.name == name }).mutation
        for seed in 0..<100 as Range<UInt64> {
            var cluster = try Self.cluster(seed: seed, mutations: mutation)
            try cluster.run(4000)
            if cluster.violation != nil { return }
        }
        Issue.record("100 seeds have not found it")
    }

    @Test("Runs see what they are meant to see")
    func coverage() throws {
        var (commits, reads, snapshots, terms) = (0, 0, 0, 0)
        for seed in 0..<40 as Range<UInt64> {
            var cluster = try Self.cluster(seed: seed)
            try cluster.run(4000)
            commits += Int(cluster.commit.rawValue)
            reads += cluster.confirmedReads
            snapshots += cluster.snapshotsInstalled
            terms += cluster.leaders.count
        }
        #expect(commits > 4000, "\(commits)")
        #expect(reads > 100, "\(reads)")
        #expect(snapshots > 3, "\(snapshots)")
        #expect(terms > 80, "\(terms)")
    }
}
