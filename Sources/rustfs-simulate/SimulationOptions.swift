import ArgumentParser
import Foundation
import SimulationKit

/// What the program does without a subcommand.
struct SimulationOptions: ParsableArguments {
    @Option(help: "Run this seed.")
    var seed: UInt64?

    @Option(help: ArgumentHelp("Run these seeds, the last one included.", valueName: "A..B"))
    var seeds: SeedRange?

    @Option(help: "Run one seed after another, from --seed or 1 on, for so long.")
    var minutes: Double?

    @Option(help: "Events of a run before it is healed.")
    var events = SimulationSettings.eventCountStandard

    @Option(help: ArgumentHelp("Run what a file says.", valueName: "file"))
    var replay: String?

    @Option(help: "The mix of faults; see --list-scenarios.")
    var scenario = Scenario.standard.name

    @Flag(help: "Make a run that fails smaller, and print it as a file for --replay.")
    var shrink = false

    @Option(help: "Put a known bug back; see --list-mutants.")
    var mutant: String?

    @Flag(help: "Put each known bug back in turn, and show after how many seeds which invariant finds it.")
    var mutants = false

    @Flag(help: "Print the scenarios.")
    var listScenarios = false

    @Flag(help: "Print the known bugs.")
    var listMutants = false

    func validate() throws {
        let chosen = [seeds != nil && !mutants, replay != nil, mutants, listScenarios, listMutants].count { $0 }
        guard chosen + (seed != nil && minutes == nil ? 1 : 0) <= 1 else {
            throw ValidationError("--seed, --seeds, --replay, --mutants and the lists exclude each other.")
        }
        guard minutes == nil || (seeds == nil && replay == nil) else {
            throw ValidationError("--minutes begins at --seed, and goes with neither --seeds nor --replay.")
        }
        guard minutes.map({ $0 > 0 }) ?? true else { throw ValidationError("--minutes must be more than 0.") }
        guard events >= 0 else { throw ValidationError("--events must not be negative.") }
        guard Scenario.named(scenario) != nil else { throw ValidationError("There is no scenario \(scenario).") }
        if let mutant {
            guard Mutant.named(mutant) != nil else { throw ValidationError("There is no mutant \(mutant).") }
        }
    }

    func run() throws {
        if listScenarios {
            for scenario in Scenario.all { print("\(Self.padded(scenario.name, 14))\(scenario.summary)") }
        } else if listMutants {
            for mutant in Mutant.all { print(mutant.name) }
        } else if mutants {
            try MutantRuns(events: events, seedCountMax: seeds.map { $0.last } ?? Self.mutantSeedCountMax).run()
        } else if let replay {
            try runOne(try settings(in: replay))
        } else if let seed, minutes == nil {
            try runOne(settings(seed: seed))
        } else if let seeds {
            try runMany(seeds.first...seeds.last, for: nil)
        } else if let minutes {
            let first = seed ?? 1
            try runMany(first...UInt64.max, for: minutes)
        } else {
            throw CleanExit.helpRequest(RustFSSimulate.self)
        }
    }

    private static let mutantSeedCountMax: UInt64 = 300

    // MARK: Runs

    private func settings(seed: UInt64) -> SimulationSettings {
        guard let scenario = Scenario.named(scenario) else { preconditionFailure("the scenario was validated") }
        var settings = SimulationSettings(seed: seed, scenario: scenario, eventCount: events)
        settings.mutant = mutant
        return settings
    }

    private func settings(in file: String) throws -> SimulationSettings {
        let data: Data
        do {
            data = try Data(contentsOf: URL(fileURLWithPath: file))
        } catch {
            StandardError.write("\(file): cannot be read: \(error.localizedDescription)")
            throw ExitCode.noInput
        }
        do {
            return try SimulationSettings(parsing: String(decoding: data, as: UTF8.self))
        } catch {
            StandardError.write("\(file): \(error)")
            throw ExitCode.mistake
        }
    }

    private func runOne(_ settings: SimulationSettings) throws {
        CrashNote.current(settings)
        let result = Simulation(settings).run()
        if !shrink { Self.describe(result) }
        try finish(result)
    }

    private func runMany(_ seeds: ClosedRange<UInt64>, for minutes: Double?) throws {
        var progress = Progress(seedCountMax: minutes == nil ? seeds.upperBound - seeds.lowerBound + 1 : nil)
        let clock = ContinuousClock()
        let end = minutes.map { clock.now + .seconds($0 * 60) }
        for seed in seeds {
            if let end, clock.now >= end { break }
            let settings = settings(seed: seed)
            CrashNote.current(settings)
            let result = Simulation(settings).run()
            progress.add(result)
            if result.violation != nil {
                if !shrink { Self.describe(result) }
                try finish(result)
            }
        }
        progress.end()
    }

    /// Of a run that failed: shrinks it if that was asked for, and ends the program.
    private func finish(_ result: SimulationResult) throws {
        guard let violation = result.violation else { return }
        if shrink {
            StandardError.write("\(violation)")
            var shrinker = Shrinker(
                result,
                progress: { smaller in
                    let settings = smaller.settings
                    StandardError.write(
                        "still fails: \(smaller.statistics.eventCount) events, \(settings.nodeCount) nodes, \(settings.clientCount) "
                            + "clients, \(smaller.statistics.faultCount) faults of \(settings.faults.names.count) kinds")
                })
            let smallest = shrinker.shrink()
            StandardError.write(smallest.violation.map { "\($0)" } ?? "")
            print(smallest.settings.text, terminator: "")
        }
        throw ExitCode.differs
    }

    // MARK: Printing

    static func describe(_ result: SimulationResult) {
        let statistics = result.statistics
        print(
            "seed \(result.settings.seed) digest \(String(result.digest, radix: 16)) events \(statistics.eventCount) nodes "
                + "\(result.settings.nodeCount) committed \(statistics.committedCount) leaders \(statistics.leaderCount) faults "
                + "\(statistics.faultCount) restarts \(statistics.restartCount) snapshots installed \(statistics.installCount) writes "
                + "\(statistics.acknowledgedCount) refused \(statistics.refusedCount) unknown \(statistics.unknownCount) reads "
                + "\(statistics.readCount)\(statistics.bodies)\(statistics.restores)")
        guard let violation = result.violation else { return }
        print("FAILED \(violation)")
        for line in result.lines { print(line) }
        print("replay: rustfs-simulate \(arguments(result.settings))")
    }

    /// The options that run these settings again.
    static func arguments(_ settings: SimulationSettings) -> String {
        var words = ["--seed \(settings.seed)", "--scenario \(settings.scenario)", "--events \(settings.eventCount)"]
        if let mutant = settings.mutant { words.append("--mutant \(mutant)") }
        guard let scenario = Scenario.named(settings.scenario) else { preconditionFailure("settings name a scenario") }
        var drawn = SimulationSettings(seed: settings.seed, scenario: scenario, eventCount: settings.eventCount)
        drawn.mutant = settings.mutant
        // A run that was made smaller is told by its file only.
        return drawn == settings ? words.joined(separator: " ") : "--replay FILE, where FILE has these lines:\n\(settings.text)"
    }

    static func padded(_ text: String, _ count: Int) -> String {
        text + String(repeating: " ", count: max(1, count - text.count))
    }
}

/// `A..B`.
struct SeedRange: ExpressibleByArgument {
    var first: UInt64
    var last: UInt64

    init?(argument: String) {
        let parts = argument.split(separator: "..", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, let first = UInt64(parts[0]), let last = UInt64(parts[1]), first <= last else { return nil }
        (self.first, self.last) = (first, last)
    }
}
