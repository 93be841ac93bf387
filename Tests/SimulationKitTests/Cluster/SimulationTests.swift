import SimulationKit
import Testing

@Suite("Whole runs")
struct SimulationTests {
    private static func settings(_ seed: UInt64, _ scenario: String = "default") throws -> SimulationSettings {
        SimulationSettings(seed: seed, scenario: try #require(Scenario.named(scenario)), eventCount: 6_000)
    }

    @Test("Two runs of a seed are the same, event by event", arguments: [1, 2, 3, 4] as [UInt64])
    func sameDigest(seed: UInt64) throws {
        let first = Simulation(try Self.settings(seed)).run()
        let second = Simulation(try Self.settings(seed)).run()
        #expect(first.digest == second.digest)
        #expect(first.statistics == second.statistics)
        #expect(first.violation == nil, "\(first.violation.map { "\($0)" } ?? "")")
    }

    @Test("Another seed is another run")
    func otherDigest() throws {
        #expect(Simulation(try Self.settings(1)).run().digest != Simulation(try Self.settings(2)).run().digest)
    }

    @Test("Every scenario does something, and nothing breaks", arguments: Scenario.all.map(\.name))
    func scenarios(name: String) throws {
        var total = SimulationStatistics()
        for seed in 1...4 as ClosedRange<UInt64> {
            let result = Simulation(try Self.settings(seed, name)).run()
            #expect(result.violation == nil, "seed \(seed): \(result.violation.map { "\($0)" } ?? "")")
            total.add(result.statistics)
        }
        #expect(total.committedCount > 400 && total.acknowledgedCount > 200 && total.readCount > 50 && total.leaderCount >= 4)
        #expect((total.faultCount > 0) == (name != "no-faults"))
    }

    /// The ones that need few seeds; `script/simulate --mutants` runs all.
    @Test(
        "A bug that is put back is found, by the invariant that it breaks",
        arguments: [
            ("raft/responds-before-durable", Invariant.promisesAfterSync),
            ("raft/counts-own-before-durable", .promisesAfterSync),
            ("raft/applies-before-durable", .appliedInOrderOnce), ("raft/reads-before-first-commit", .readsFreshEnough),
            ("raft/votes-for-short-logs", .leaderCompleteness), ("log/acknowledges-before-synchronize", .damageIsNotTruncation),
            ("log/opens-without-hard-state", .damageIsNotTruncation), ("replica/reads-before-apply", .readsFreshEnough),
            ("replica/refuses-in-doubt", .refusedNeverAppears), ("replica/answers-before-commit", .acknowledgedWritesStay),
            ("replica/applies-retries-twice", .oneEffectPerOperation), ("replica/marks-too-far", .oneEffectPerOperation),
            ("driver/replaces-log-first", .orderedPositions),
        ])
    func mutants(name: String, invariant: Invariant) throws {
        var found: Invariant?
        for seed in 1...40 as ClosedRange<UInt64> where found == nil {
            var settings = try Self.settings(seed)
            settings.eventCount = SimulationSettings.eventCountStandard
            settings.mutant = name
            found = Simulation(settings).run().violation?.invariant
        }
        #expect(found == invariant)
    }

    @Test(
        "A bug in the handling of bodies that is put back is found",
        arguments: [
            ("replica/counts-undurable-bodies", Invariant.namedByDurableQuorum),
            ("driver/abandons-unasked", .namedByDurableQuorum), ("driver/keeps-unnamed", .bodiesAreAsNamed),
        ])
    func bodyMutants(name: String, invariant: Invariant) throws {
        var found: Invariant?
        for seed in 1...20 as ClosedRange<UInt64> where found == nil {
            var settings = try Self.settings(seed, "bodies")
            settings.eventCount = SimulationSettings.eventCountStandard
            settings.mutant = name
            found = Simulation(settings).run().violation?.invariant
        }
        #expect(found == invariant)
    }

    @Test(
        "A bug in the restoring of snapshot files that is put back is found",
        arguments: [
            ("replica/settles-early", Invariant.restoredFilesStay),
            ("replica/forgets-sessions-at-restore", .oneEffectPerOperation),
            ("replica/ignores-preparation", .restoresArePrepared),
        ])
    func restoreMutants(name: String, invariant: Invariant) throws {
        var found: Invariant?
        for seed in 1...40 as ClosedRange<UInt64> where found == nil {
            var settings = try Self.settings(seed, "restores")
            settings.eventCount = SimulationSettings.eventCountStandard
            settings.mutant = name
            found = Simulation(settings).run().violation?.invariant
        }
        #expect(found == invariant)
    }

    @Test("A run with restores does all that can be done with them")
    func restores() throws {
        var total = SimulationStatistics()
        for seed in 1...6 as ClosedRange<UInt64> {
            var settings = try Self.settings(seed, "restores")
            settings.eventCount = SimulationSettings.eventCountStandard
            let result = Simulation(settings).run()
            #expect(result.violation == nil, "seed \(seed): \(result.violation.map { "\($0)" } ?? "")")
            total.add(result.statistics)
        }
        #expect(total.restoreCount > 20 && total.restoredCount > 4 && total.replacementCount > 2 * total.restoredCount)
        #expect(total.refusedRestoreCount > 0 && total.undecidedCount == 0)
    }

    @Test("A quarter of the default seeds without bodies restores, and no seed with bodies does")
    func restoreShare() throws {
        let drawn = (1...400 as ClosedRange<UInt64>).map { SimulationSettings(seed: $0) }
        let count = drawn.count { $0.faults.contains(.restores) }
        #expect((50...100).contains(count) && !drawn.contains { $0.hasBodies && $0.faults.contains(.restores) })
    }

    @Test("A run with bodies does all that can be done with them")
    func bodies() throws {
        var total = SimulationStatistics()
        for seed in 1...4 as ClosedRange<UInt64> {
            let result = Simulation(try Self.settings(seed, "bodies")).run()
            #expect(result.violation == nil, "seed \(seed): \(result.violation.map { "\($0)" } ?? "")")
            total.add(result.statistics)
        }
        #expect(total.uploadCount > 50 && total.lostUploadCount > 0 && total.fetchCount > 10 && total.abandonCount > 0)
    }

    @Test("A run that fails says what happened last on each node")
    func report() throws {
        var settings = try Self.settings(1, "no-faults")
        settings.mutant = "raft/counts-own-before-durable"
        let result = Simulation(settings).run()
        #expect(result.violation != nil)
        for node in 1...settings.nodeCount { #expect(result.lines.contains { $0.hasPrefix("node \(node)") }) }
        #expect(result.lines.contains { $0.contains("synchronizes its log") })
    }
}
