import ArgumentParser
import Foundation
import SimulationKit

/// `--mutants`: the proof of the simulator. A bug that no seed finds is a hole in it, unless the list says which test finds it.
///
/// Each mutant runs in processes of its own: some are found by the product itself, which stops. A seed that fails without the mutant as
/// well proves nothing, and is passed over.
struct MutantRuns {
    var events: Int
    /// In each of two scenarios.
    var seedCountMax: UInt64

    private struct Finding {
        /// Nil: a run that stopped itself could not say so.
        var seed: UInt64?
        var reason: String
    }

    func run() throws {
        var missed: [String] = []
        for mutant in Mutant.all {
            let name = SimulationOptions.padded(mutant.name, 40)
            if let escape = mutant.escape {
                Self.show("\(name)not run: \(escape)")
            } else if let finding = try find(mutant) {
                Self.show("\(name)\(finding)")
            } else {
                Self.show("\(name)NOT FOUND")
                missed.append(mutant.name)
            }
        }
        let ran = Mutant.all.count { $0.escape == nil }
        Self.show("\(ran - missed.count) of \(ran) found, \(Mutant.all.count - ran) left to named cases")
        if !missed.isEmpty { throw ExitCode.differs }
    }

    /// At once, also into a file.
    private static func show(_ line: String) {
        FileHandle.standardOutput.write(Data((line + "\n").utf8))
    }

    /// The scenario that the bug belongs to, then that of anything.
    private func find(_ mutant: Mutant) throws -> String? {
        var tried: [String] = []
        for scenario in [mutant.scenario, Scenario.standard.name] where !tried.contains(scenario) {
            tried.append(scenario)
            var first: UInt64 = 1
            while first <= seedCountMax, let finding = try run(first...seedCountMax, of: scenario, mutant.name) {
                let seed = SimulationOptions.padded(finding.seed.map(String.init) ?? "?", 4)
                let text = "seed \(seed)of \(SimulationOptions.padded(scenario, 12))\(finding.reason)"
                guard let seed = finding.seed, try run(seed...seed, of: scenario, nil) != nil else { return text }
                StandardError.write("seed \(seed) of \(scenario) fails without \(mutant.name) too")
                first = seed + 1
            }
        }
        return nil
    }

    /// - Returns: nil if no seed fails.
    private func run(_ seeds: ClosedRange<UInt64>, of scenario: String, _ mutant: String?) throws -> Finding? {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        process.arguments =
            ["--seeds", "\(seeds.lowerBound)..\(seeds.upperBound)", "--scenario", scenario, "--events", "\(events)"]
            + (mutant.map { ["--mutant", $0] } ?? [])
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        // A trap is one way to be found; its backtrace is of no interest.
        process.environment = ProcessInfo.processInfo.environment.merging(["SWIFT_BACKTRACE": "enable=no"]) { $1 }
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        let lines = text.split(separator: "\n")
        switch (process.terminationReason, process.terminationStatus) {
        case (.exit, 0): return nil
        case (.exit, ExitCode.differs.rawValue):
            let reason = lines.first { $0.hasPrefix("FAILED") }?.prefix { $0 != ":" }.dropFirst("FAILED ".count)
            return Finding(
                seed: number(in: lines.first { $0.hasPrefix("seed ") }, behind: "seed "), reason: String(reason ?? ""))
        default:
            let note = lines.last { $0.contains("replay: ") }
            return Finding(seed: number(in: note, behind: "--seed "), reason: "the product stops itself")
        }
    }

    private func number(in line: Substring?, behind word: String) -> UInt64? {
        guard let line, let start = line.range(of: word)?.upperBound else { return nil }
        return UInt64(line[start...].prefix { $0.isNumber })
    }
}
