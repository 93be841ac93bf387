import Foundation
import SimulationKit

/// Says every few seconds how far a long run is, and at the end what it came to.
struct Progress {
    private let seedCountMax: UInt64?
    private let clock = ContinuousClock()
    private let start: ContinuousClock.Instant
    private var nextLine: ContinuousClock.Instant
    private var seedCount: UInt64 = 0
    private var total = SimulationStatistics()
    /// Of all runs' digests, in order.
    private var digest: UInt64 = 0

    private static let interval = Duration.seconds(5)

    init(seedCountMax: UInt64?) {
        self.seedCountMax = seedCountMax
        start = clock.now
        nextLine = start + Self.interval
    }

    mutating func add(_ result: SimulationResult) {
        seedCount += 1
        total.add(result.statistics)
        digest = (digest ^ result.digest) &* 0x9e37_79b9_7f4a_7c15
        guard clock.now >= nextLine else { return }
        nextLine = clock.now + Self.interval
        StandardError.write("\(seedCount)\(seedCountMax.map { " of \($0)" } ?? "") seeds, \(figures)")
    }

    func end() {
        print(
            "\(seedCount) seeds without a violation, digest \(String(digest, radix: 16)): \(figures); committed \(total.committedCount), "
                + "leaders \(total.leaderCount), faults \(total.faultCount), restarts \(total.restartCount), snapshots installed "
                + "\(total.installCount), writes \(total.acknowledgedCount), unknown \(total.unknownCount), reads \(total.readCount), "
                + "undecided histories \(total.undecidedCount)\(total.bodies)\(total.restores)")
    }

    private var figures: String {
        let elapsed = (clock.now - start) / .seconds(1)
        let rate = elapsed > 0 ? Int(Double(total.eventCount) / elapsed) : 0
        return "\(total.eventCount) events, \(rate) a second, \(Int(elapsed)) s"
    }
}
