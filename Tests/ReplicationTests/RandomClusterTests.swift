import Replication
import Testing

@Suite("Clusters under random faults")
struct RandomClusterTests {
    @Test("Every call has its outcome, and the outcomes are true", arguments: 1...40)
    func sound(seed: UInt64) throws {
        let run = try RandomCluster(3, seed: seed)
        try run.run(steps: 3000)
        #expect(run.violations.isEmpty, "seed \(seed): \(run.violations)")
        #expect(run.counts.committed > 0, "seed \(seed): \(run.counts)")
    }

    @Test("Five nodes too", arguments: 1...10)
    func five(seed: UInt64) throws {
        let run = try RandomCluster(5, seed: seed)
        try run.run(steps: 3000)
        #expect(run.violations.isEmpty, "seed \(seed): \(run.violations)")
    }
}
