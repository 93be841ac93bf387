import SimulationKit
import Testing

@Suite("Making a failing run smaller")
struct ShrinkerTests {
    @Test("What the failure needs stays, all else goes")
    func smallest() throws {
        var settings = SimulationSettings(seed: 3)
        settings.faults = .everything
        settings.nodeCount = 7
        settings.clientCount = 8
        settings.hasTinyLimits = true
        var shrinker = try #require(Self.fails(settings).map { Shrinker($0, run: Self.run) })
        let smallest = shrinker.shrink().settings
        #expect(smallest.faults == [.kills, .partitions])
        #expect(smallest.nodeCount == 3)
        #expect(smallest.clientCount == 1)
        #expect(!smallest.hasTinyLimits && !smallest.beginsEmpty)
        #expect(smallest.faultCountMax == 40)
        #expect(smallest.skippedFaults == (1...40).filter { $0 != 12 && $0 != 40 })
        #expect(smallest.eventCount == 900)
    }

    @Test("Another failure is not taken for the same one")
    func otherFailure() throws {
        var settings = SimulationSettings(seed: 3)
        settings.faults = [.kills, .partitions]
        settings.nodeCount = 3
        settings.clientCount = 4
        let failed = try #require(Self.fails(settings))
        var shrinker = Shrinker(failed) { smaller in
            var result = Self.run(smaller)
            if smaller.clientCount < 4 { result.violation?.invariant = .limitsHold }
            return result
        }
        #expect(shrinker.shrink().settings.clientCount == 4)
    }

    /// Fails at event 900 with kills and partitions, three nodes, a client, and the faults 12 and 40.
    private static func run(_ settings: SimulationSettings) -> SimulationResult {
        let happens = { (number: Int) in number <= settings.faultCountMax ?? .max && !settings.skippedFaults.contains(number) }
        let fails =
            settings.faults.isSuperset(of: [.kills, .partitions]) && settings.nodeCount >= 3 && settings.clientCount >= 1
            && settings.eventCount >= 900 && happens(12) && happens(40)
        var statistics = SimulationStatistics()
        statistics.eventCount = fails ? 900 : settings.eventCount
        statistics.faultCount = 50
        let violation = fails ? InvariantViolation(.linearizable, "as arranged") : nil
        return SimulationResult(settings: settings, digest: 0, violation: violation, statistics: statistics, lines: [])
    }

    private static func fails(_ settings: SimulationSettings) -> SimulationResult? {
        let result = run(settings)
        return result.violation == nil ? nil : result
    }
}
