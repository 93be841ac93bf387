import Glibc

/// The clock that a replica lives by: CLOCK_BOOTTIME, which goes on while the machine is suspended.
enum BootClock {
    static var now: ClockReading {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        return ClockReading(nanoseconds: UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec))
    }
}

/// How old what a follower lacks is: when the leader's log reached each length, in samples of one a tick.
struct LagClock {
    private static let countMax = 6_000

    /// Ascending in both; a sample says that the log was no longer than that until then.
    private var samples: [(index: UInt64, at: ClockReading)] = []
    private var head = 0

    mutating func tick(at now: ClockReading, last: UInt64) {
        if samples.count > head, samples[samples.count - 1].index == last { samples[samples.count - 1].at = now; return }
        samples.append((last, now))
        if samples.count - head > Self.countMax { head += 1 }
        if head > Self.countMax {
            samples.removeFirst(head)
            head = 0
        }
    }

    /// Milliseconds since the log was no longer than that; 0 for one that has all. At most what is remembered, a minute of changes.
    func milliseconds(behind index: UInt64, last: UInt64, at now: ClockReading) -> UInt64 {
        guard index < last, samples.count > head else { return 0 }
        var (low, high) = (head, samples.count)
        while low < high {
            let middle = (low + high) / 2
            if samples[middle].index <= index { low = middle + 1 } else { high = middle }
        }
        // The last sample that it covers; before the first one nothing is known.
        let since = low > head ? samples[low - 1].at : samples[head].at
        return now.milliseconds(since: since)
    }

}
