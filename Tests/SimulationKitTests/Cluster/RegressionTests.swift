import SimulationKit
import Testing

/// Seeds that have found something. A later change of the product or the simulator makes another run of the same seed, so that each
/// story is also told by a test of the part that was wrong, where that can be said in a few lines.
@Suite("Seeds that found something")
struct RegressionTests {
    struct Finding: Sendable, CustomTestStringConvertible {
        var scenario: String
        var seed: UInt64
        var testDescription: String
    }

    static let findings = [
        Finding(
            scenario: "crashes", seed: 1,
            testDescription:
                "A bounded read waited for its minimum index, and was served long after the state had become too old for it"),
        Finding(
            scenario: "snapshots", seed: 3,
            testDescription: "A throttle below one megabyte a second was rounded down to nothing, and no snapshot ever arrived"),
        Finding(
            scenario: "disk", seed: 2,
            testDescription:
                "After a failed fsync the cache looked durable to the next start, and a power loss took acknowledged entries"),
        Finding(
            scenario: "disk", seed: 112,
            testDescription: "A reserve whose first fsync had failed was used by the next start, and shrank with a power loss"),
        Finding(
            scenario: "default", seed: 179,
            testDescription: "A crash between mkdir and fsync of the parent left a directory that no later start made durable"),
        Finding(
            scenario: "lives", seed: 67,
            testDescription:
                "An entry that is applied and a snapshot that replaces the state came of one event, and were taken for out of order"
        ),
        Finding(
            scenario: "changes", seed: 52,
            testDescription:
                "A change was applied while a snapshot behind it was being installed, and its configuration was asked for too early"
        ),
        Finding(
            scenario: "body-members", seed: 266,
            testDescription:
                "A body was named while a voter was being replaced by one that did not have it, and was left on a single disk"),
    ]

    @Test(arguments: findings) func staysAway(_ finding: Finding) throws {
        let scenario = try #require(Scenario.named(finding.scenario))
        let result = Simulation(SimulationSettings(seed: finding.seed, scenario: scenario)).run()
        #expect(result.violation == nil, "\(result.violation.map { "\($0)" } ?? "")")
    }
}
