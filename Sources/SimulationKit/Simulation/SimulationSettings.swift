/// All that decides a run: the same settings give the same run, event by event.
package struct SimulationSettings: Hashable, Sendable {
    package static let eventCountStandard = 20_000

    package var seed: UInt64
    package var scenario: String
    package var nodeCount: Int
    package var clientCount: Int
    /// Events before the healing.
    package var eventCount: Int
    package var faults: FaultClasses
    /// Of the faults that the seed plans only the first so many happen; nil: all.
    package var faultCountMax: Int?
    /// Nor those with these numbers, from 1 on.
    package var skippedFaults: [Int] = []
    /// Queues, windows and caches of a few entries.
    package var hasTinyLimits: Bool
    /// Nodes find each other with empty disks, instead of being founded beforehand.
    package var beginsEmpty: Bool
    /// Clients put large bodies, too.
    package var hasBodies: Bool
    /// A known bug that is put back.
    package var mutant: String?

    /// What a seed draws in a scenario.
    package init(seed: UInt64, scenario: Scenario = .standard, eventCount: Int = eventCountStandard) {
        var random = SeededRandom(seed: seed ^ 0x5e77_1265)
        self.seed = seed
        self.scenario = scenario.name
        self.eventCount = eventCount
        // Three and five are what people run.
        let usual = random.chance(2, in: 3) ? random.pick([3, 3, 5]) : random.next(in: scenario.nodeCounts)
        nodeCount = min(max(usual, scenario.nodeCounts.lowerBound), scenario.nodeCounts.upperBound)
        clientCount = random.next(in: 2...8)
        hasTinyLimits = random.chance(1, in: 2)
        beginsEmpty = random.chance(1, in: 3) || scenario.beginsEmpty
        var chosen: FaultClasses = []
        for (_, faults) in FaultClasses.all where scenario.faults.contains(faults) && faults != .restores {
            if random.chance(1, in: 2) || scenario.usesAll { chosen.insert(faults) }
        }
        self.faults = chosen
        // Drawn apart: without bodies a seed is the run that it was before there were any.
        var bodies = SeededRandom(seed: seed ^ 0x626f_6479)
        hasBodies = bodies.chance(scenario.bodyPercent, in: 100)
        // Likewise.
        var restores = SeededRandom(seed: seed ^ 0x7265_7374_6f72_6573)
        if !hasBodies, restores.chance(scenario.restorePercent, in: 100) { self.faults.insert(.restores) }
    }

    /// Operators restore snapshot files. Not in runs with bodies, whose keeper knows nothing of it here.
    var hasRestores: Bool { faults.contains(.restores) && !hasBodies }

    func happens(fault number: Int) -> Bool {
        number <= faultCountMax ?? .max && !skippedFaults.contains(number)
    }
}

/// A file that replays a run: a line for each setting.
extension SimulationSettings {
    package struct ParsingError: Error, Hashable, Sendable, CustomStringConvertible {
        package var line: Int
        package var reason: String

        package var description: String { "line \(line): \(reason)" }
    }

    package static let header = "rustfs-simulate replay 1"

    package var text: String {
        var lines = [
            Self.header, "seed \(seed)", "scenario \(scenario)", "nodes \(nodeCount)", "clients \(clientCount)",
            "events \(eventCount)", "faults \(faults.names.joined(separator: " "))",
        ]
        if let faultCountMax { lines.append("fault-count \(faultCountMax)") }
        if !skippedFaults.isEmpty { lines.append("skipped \(skippedFaults.map(String.init).joined(separator: " "))") }
        lines.append("tiny-limits \(hasTinyLimits)")
        lines.append("begins-empty \(beginsEmpty)")
        lines.append("bodies \(hasBodies)")
        if let mutant { lines.append("mutant \(mutant)") }
        return lines.joined(separator: "\n") + "\n"
    }

    /// - Throws: for a line that it does not know, or a value that makes no sense.
    package init(parsing text: String) throws(ParsingError) {
        var settings: SimulationSettings?
        for (place, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let number = place + 1
            if number == 1 {
                guard line == Self.header else { throw ParsingError(line: 1, reason: "not a replay file: \(Self.header)") }
                continue
            }
            var words = line.split(separator: " ")
            guard !words.isEmpty, !line.hasPrefix("#") else { continue }
            let name = words.removeFirst()
            if settings == nil {
                guard name == "seed", let seed = words.first.flatMap({ UInt64($0) }) else {
                    throw ParsingError(line: number, reason: "the first setting is the seed")
                }
                settings = SimulationSettings(seed: seed)
                // Files of earlier builds do not speak of them.
                settings?.hasBodies = false
                continue
            }
            if let reason = settings?.take(String(name), words.map(String.init)) {
                throw ParsingError(line: number, reason: reason)
            }
        }
        guard let settings else { throw ParsingError(line: 1, reason: "there is no seed") }
        self = settings
    }

    /// - Returns: what is wrong.
    private mutating func take(_ name: String, _ words: [String]) -> String? {
        func number(_ range: ClosedRange<Int>) -> Int? {
            words.count == 1 ? Int(words[0]).flatMap { range.contains($0) ? $0 : nil } : nil
        }
        func isTrue() -> Bool? { words.count == 1 ? Bool(words[0]) : nil }
        switch name {
        case "scenario":
            guard words.count == 1, Scenario.named(words[0]) != nil else { return "no such scenario" }
            scenario = words[0]
        case "nodes":
            guard let count = number(1...7) else { return "there are 1 to 7 nodes" }
            nodeCount = count
        case "clients":
            guard let count = number(0...64) else { return "there are 0 to 64 clients" }
            clientCount = count
        case "events":
            guard let count = number(0...1_000_000_000) else { return "a number of events" }
            eventCount = count
        case "faults":
            faults = []
            for word in words {
                guard let known = FaultClasses.all.first(where: { $0.name == word }) else { return "no such fault: \(word)" }
                faults.insert(known.faults)
            }
        case "fault-count":
            guard let count = number(0...1_000_000_000) else { return "a number of faults" }
            faultCountMax = count
        case "skipped":
            skippedFaults = words.compactMap { Int($0) }
            guard skippedFaults.count == words.count else { return "numbers of faults" }
        case "tiny-limits":
            guard let value = isTrue() else { return "true or false" }
            hasTinyLimits = value
        case "begins-empty":
            guard let value = isTrue() else { return "true or false" }
            beginsEmpty = value
        case "bodies":
            guard let value = isTrue() else { return "true or false" }
            hasBodies = value
        case "mutant":
            guard words.count == 1 else { return "a mutant" }
            mutant = words[0]
        default: return "no such setting: \(name)"
        }
        return nil
    }
}
