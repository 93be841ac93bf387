import ArgumentParser
import Foundation
import SimulationKit

/// `--mutants`: the proof of the simulator. A bug that no seed finds is a hole in it.
///
/// Each mutant runs in a process of its own: some are found by the product itself, which stops.
struct MutantRuns {
    var events: Int
    /// In each of two scenarios.
    var seedCountMax: UInt64

    func run() throws {
        var missed: [String] = []
        for mutant in Mutant.all {
            let name = SimulationOptions.padded(mutant.name, 40)
            if let finding = try find(mutant) {
                print("\(name)\(finding)")
            } else {
                print("\(name)NOT FOUND")
                missed.append(mutant.name)
            }
        }
        print("\(Mutant.all.count - missed.count) of \(Mutant.all.count) found")
        if !missed.isEmpty { throw ExitCode.differs }
    }

    /// The scenario that the bug belongs to, then that of anything.
    private func find(_ mutant: Mutant) throws -> String? {
        var tried: [String] = []
        for scenario in [mutant.scenario, Scenario.standard.name] where !tried.contains(scenario) {
            tried.append(scenario)
            if let finding = try find(mutant, in: scenario) { return finding }
        }
        return nil
    }

    private func find(_ mutant: Mutant, in scenario: String) throws -> String? {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        process.arguments = [
            "--seeds", "1..\(seedCountMax)", "--scenario", scenario, "--events", "\(events)", "--mutant", mutant.name,
        ]
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        // A trap is one way to be found; its backtrace is of no interest.
        process.environment = ProcessInfo.processInfo.environment.merging(["SWIFT_BACKTRACE": "enable=no"]) { $1 }
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        let lines = text.split(separator: "\n")
        let seed = lines.first { $0.hasPrefix("seed ") }?.split(separator: " ").dropFirst().first
        switch (process.terminationReason, process.terminationStatus) {
        case (.exit, 0): return nil
        case (.exit, ExitCode.differs.rawValue):
            let reason = lines.first { $0.hasPrefix("FAILED") }?.prefix(while: { $0 != ":" }).dropFirst("FAILED ".count)
            return
                "seed \(SimulationOptions.padded("\(seed ?? "?")", 4))of \(SimulationOptions.padded(scenario, 12))\(reason ?? "")"
        default: return "seed ?   of \(SimulationOptions.padded(scenario, 12))the product stops itself"
        }
    }
}
