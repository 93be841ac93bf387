import SimulationKit
import Testing

@Suite("Settings of a run as a file")
struct SimulationSettingsTests {
    @Test("What is written is read back", arguments: 1...50 as ClosedRange<UInt64>)
    func roundTrip(seed: UInt64) throws {
        var settings = SimulationSettings(seed: seed, scenario: Scenario.all[Int(seed) % Scenario.all.count])
        if seed % 2 == 0 { settings.faultCountMax = Int(seed) }
        if seed % 3 == 0 { settings.skippedFaults = [1, 5, Int(seed)] }
        if seed % 5 == 0 { settings.mutant = Mutant.all[0].name }
        #expect(try SimulationSettings(parsing: settings.text) == settings)
    }

    @Test("A seed always draws the same")
    func drawn() {
        #expect(SimulationSettings(seed: 7) == SimulationSettings(seed: 7))
        #expect(Set((1...64).map { SimulationSettings(seed: $0).faults }).count > 32)
        #expect(Set((1...64).map { SimulationSettings(seed: $0).nodeCount }).count > 4)
        let tiny = (1...64).count { SimulationSettings(seed: UInt64($0)).hasTinyLimits }
        #expect((16...48).contains(tiny))
    }

    @Test(
        "What makes no sense is said with its line",
        arguments: [
            ("", "line 1: not a replay file: rustfs-simulate replay 1"),
            ("rustfs-simulate replay 1\n", "line 1: there is no seed"),
            ("rustfs-simulate replay 1\nnodes 3", "line 2: the first setting is the seed"),
            ("rustfs-simulate replay 1\nseed 3\nnodes 12", "line 3: there are 1 to 7 nodes"),
            ("rustfs-simulate replay 1\nseed 3\n\nfaults kills rain", "line 4: no such fault: rain"),
            ("rustfs-simulate replay 1\nseed 3\nscenario nowhere", "line 3: no such scenario"),
            ("rustfs-simulate replay 1\nseed 3\ncolour red", "line 3: no such setting: colour"),
            ("rustfs-simulate replay 1\nseed 3\ntiny-limits perhaps", "line 3: true or false"),
        ])
    func mistakes(text: String, reason: String) {
        #expect {
            _ = try SimulationSettings(parsing: text)
        } throws: {
            "\($0)" == reason
        }
    }
}
