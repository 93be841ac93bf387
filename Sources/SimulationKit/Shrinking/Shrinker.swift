/// Makes a failing run smaller: fewer nodes, clients, kinds of faults, faults and events, as long as the same invariant breaks.
///
/// Each step is a whole run, so that what comes out fails as surely as what went in; it is a minimum in no strict sense.
package struct Shrinker {
    private let invariant: Invariant
    private let run: (SimulationSettings) -> SimulationResult
    /// Told of each smaller run that fails alike.
    private let progress: (SimulationResult) -> Void
    private var best: SimulationResult

    /// - Precondition: the result is that of a run that failed.
    package init(
        _ failed: SimulationResult, run: @escaping (SimulationSettings) -> SimulationResult = { Simulation($0).run() },
        progress: @escaping (SimulationResult) -> Void = { _ in }
    ) {
        guard let violation = failed.violation else { preconditionFailure("a run that did not fail") }
        invariant = violation.invariant
        self.run = run
        self.progress = progress
        best = failed
    }

    package mutating func shrink() -> SimulationResult {
        endAtFailure()
        var isSmaller = true
        while isSmaller {
            isSmaller = false
            for kind in FaultClasses.all where best.settings.faults.contains(kind.faults) {
                isSmaller = attempt { $0.faults.remove(kind.faults) } || isSmaller
            }
            for count in 1..<max(best.settings.nodeCount, 2) where count < best.settings.nodeCount {
                isSmaller = attempt { $0.nodeCount = count } || isSmaller
            }
            for count in 0..<max(best.settings.clientCount, 1) where count < best.settings.clientCount {
                isSmaller = attempt { $0.clientCount = count } || isSmaller
            }
            if best.settings.hasTinyLimits { isSmaller = attempt { $0.hasTinyLimits = false } || isSmaller }
            if best.settings.beginsEmpty { isSmaller = attempt { $0.beginsEmpty = false } || isSmaller }
            if best.settings.hasBodies { isSmaller = attempt { $0.hasBodies = false } || isSmaller }
            isSmaller = dropLaterFaults() || isSmaller
        }
        skipFaults()
        endAtFailure()
        return best
    }

    // MARK: Steps

    /// - Returns: whether the changed run fails alike.
    private mutating func attempt(_ change: (inout SimulationSettings) -> Void) -> Bool {
        var settings = best.settings
        change(&settings)
        guard settings != best.settings else { return false }
        let result = run(settings)
        guard result.violation?.invariant == invariant else { return false }
        best = result
        progress(result)
        return true
    }

    /// Nothing behind the failure matters; but healing may have begun before it.
    private mutating func endAtFailure() {
        let count = best.statistics.eventCount
        if count < best.settings.eventCount { _ = attempt { $0.eventCount = count } }
    }

    /// Half of the faults, then a quarter …
    private mutating func dropLaterFaults() -> Bool {
        var isSmaller = false
        var high = min(best.settings.faultCountMax ?? .max, best.statistics.faultCount + best.settings.skippedFaults.count + 64)
        var low = 0
        while low < high {
            let middle = (low + high) / 2
            if attempt({ $0.faultCountMax = middle }) {
                isSmaller = true
                high = middle
            } else {
                low = middle + 1
            }
        }
        return isSmaller
    }

    /// One after another.
    private mutating func skipFaults() {
        guard let count = best.settings.faultCountMax else { return }
        for number in stride(from: count, through: 1, by: -1) where !best.settings.skippedFaults.contains(number) {
            _ = attempt { $0.skippedFaults = ($0.skippedFaults + [number]).sorted() }
        }
    }
}
