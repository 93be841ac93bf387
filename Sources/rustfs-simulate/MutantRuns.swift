import ArgumentParser
import SimulationKit

/// `--mutants`: the proof of the simulator. A bug that no seed finds is a hole in it.
struct MutantRuns {
    var events: Int

    func run() throws {
        var missed: [String] = []
        for mutant in Mutant.all {
            var finding: SimulationResult?
            var seedCount = 0
            for (scenario, seed) in Self.attempts(for: mutant) {
                var settings = SimulationSettings(seed: seed, scenario: scenario, eventCount: events)
                settings.mutant = mutant.name
                seedCount += 1
                let result = Simulation(settings).run()
                if result.violation != nil {
                    finding = result
                    break
                }
            }
            let name = SimulationOptions.padded(mutant.name, 42)
            if let finding, let violation = finding.violation {
                print(
                    "\(name)found after \(SimulationOptions.padded("\(seedCount) seeds", 10)) by \(violation.invariant.rawValue) "
                        + "(\(violation.invariant.title)) in \(finding.settings.scenario)")
            } else {
                print("\(name)NOT FOUND in \(seedCount) seeds")
                missed.append(mutant.name)
            }
        }
        print("\(Mutant.all.count - missed.count) of \(Mutant.all.count) found")
        if !missed.isEmpty { throw ExitCode.differs }
    }

    /// Seeds of the scenario that the bug belongs to, in turn with those of anything.
    private static func attempts(for mutant: Mutant) -> [(Scenario, UInt64)] {
        let own = Scenario.named(mutant.scenario) ?? .standard
        return (1...Self.seedCountMax).map { $0 % 2 == 1 ? (own, $0) : (.standard, $0) }
    }

    private static let seedCountMax: UInt64 = 400
}
