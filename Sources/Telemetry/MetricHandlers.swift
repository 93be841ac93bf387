import CoreMetrics
import Synchronization

// The values behind swift-metrics' handlers. Each is updated by atomic operations alone: no lock, no allocation.

/// A value that only grows.
package final class PrometheusCounter: CounterHandler, Sendable {
    private let value = Atomic<Int64>(0)

    package func increment(by amount: Int64) {
        guard amount > 0 else { return }
        // Saturates where wrapping would look like a restart; two racing increments may pass the check, by far less than 2^62.
        guard value.load(ordering: .relaxed) < Int64.max / 2 else { return }
        value.wrappingAdd(min(amount, Int64.max / 4), ordering: .relaxed)
    }

    package func reset() { value.store(0, ordering: .relaxed) }

    var current: Double { Double(value.load(ordering: .relaxed)) }
}

/// A counter of fractions.
package final class PrometheusFloatingPointCounter: FloatingPointCounterHandler, Sendable {
    private let value = AtomicDouble(0)

    package func increment(by amount: Double) {
        guard amount > 0, amount.isFinite else { return }
        value.add(amount)
    }

    package func reset() { value.store(0) }

    var current: Double { value.load() }
}

/// A value that goes up and down.
package final class PrometheusGauge: MeterHandler, RecorderHandler, Sendable {
    private let value = AtomicDouble(0)

    package func set(_ value: Int64) { self.value.store(Double(value)) }
    package func set(_ value: Double) { self.value.store(value) }
    package func increment(by amount: Double) { value.add(amount) }
    package func decrement(by amount: Double) { value.add(-amount) }
    package func record(_ value: Int64) { self.value.store(Double(value)) }
    package func record(_ value: Double) { self.value.store(value) }

    var current: Double { value.load() }
}

/// Observations counted by fixed buckets.
package final class PrometheusHistogram: TimerHandler, RecorderHandler, Sendable {
    /// Seconds: from a hit in memory to a request that a person gives up on.
    package static let durationBounds: [Double] = [
        0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
    ]
    /// Sizes and counts: powers of four from 1 to 4^15 (1 GiB).
    package static let sizeBounds: [Double] = (0...15).map { Double(1 << (2 * $0)) }

    let bounds: [Double]
    /// One for each bound and one for what lies above the last; each counts its own bucket alone.
    private let counts: [AtomicCount]
    private let sum = AtomicDouble(0)

    init(bounds: [Double]) {
        self.bounds = bounds
        counts = (0...bounds.count).map { _ in AtomicCount() }
    }

    package func recordNanoseconds(_ duration: Int64) { observe(Double(max(0, duration)) / 1e9) }
    package func record(_ value: Int64) { observe(Double(value)) }
    package func record(_ value: Double) { observe(value) }

    private func observe(_ value: Double) {
        guard value.isFinite else { return }
        var low = 0
        var high = bounds.count
        while low < high {
            let middle = (low + high) / 2
            if value <= bounds[middle] { high = middle } else { low = middle + 1 }
        }
        counts[low].increment()
        sum.add(value)
    }

    /// Cumulative counts, the last of them the count of all. Buckets and sum are not read at one instant, but the count is always
    /// that of the last bucket, which is what consumers check.
    var snapshot: (cumulative: [UInt64], sum: Double) {
        var total: UInt64 = 0
        let cumulative = counts.map { count in
            total += count.current
            return total
        }
        return (cumulative, sum.load())
    }
}

/// A count on its own, since an array cannot hold atomics themselves.
private final class AtomicCount: Sendable {
    private let value = Atomic<UInt64>(0)
    func increment() { value.wrappingAdd(1, ordering: .relaxed) }
    var current: UInt64 { value.load(ordering: .relaxed) }
}

/// A double whose bits are updated by compare and exchange.
private final class AtomicDouble: Sendable {
    private let bits: Atomic<UInt64>

    init(_ value: Double) { bits = Atomic(value.bitPattern) }

    func load() -> Double { Double(bitPattern: bits.load(ordering: .relaxed)) }
    func store(_ value: Double) { bits.store(value.bitPattern, ordering: .relaxed) }

    func add(_ amount: Double) {
        var old = bits.load(ordering: .relaxed)
        while true {
            let new = (Double(bitPattern: old) + amount).bitPattern
            let (exchanged, current) = bits.weakCompareExchange(expected: old, desired: new, ordering: .relaxed)
            if exchanged { return }
            old = current
        }
    }
}
