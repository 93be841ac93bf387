import Raft

/// About how many bytes of log lie behind an index: a sample for every 256 KiB, so that compaction can be told in bytes.
struct LogSizes: Sendable {
    /// Besides its payload an entry takes about so much.
    private static let entryByteCount: UInt64 = 32
    private static let sampleByteCount: UInt64 = 256 << 10

    /// So many bytes lie before and at the index, since the base; ascending. The first is the base.
    private var samples: [(index: LogIndex, byteCount: UInt64)]
    private var last: LogIndex
    private var total: UInt64

    init(base: LogIndex, last: LogIndex, byteCount: UInt64) {
        samples = [(base, 0)]
        if last > base { samples.append((last, byteCount)) }
        self.last = last
        total = byteCount
    }

    mutating func append(_ entries: [Entry]) {
        guard let first = entries.first else { return }
        if first.index <= last { truncate(from: first.index) }
        for entry in entries {
            total += UInt64(entry.payload.count) + Self.entryByteCount
            last = entry.index
            if total - samples[samples.count - 1].byteCount >= Self.sampleByteCount { samples.append((last, total)) }
        }
    }

    private mutating func truncate(from index: LogIndex) {
        total = byteCount(upTo: index.previous)
        last = index.previous
        while samples.count > 1, samples[samples.count - 1].index >= index { samples.removeLast() }
    }

    mutating func restart(at index: LogIndex) {
        self = LogSizes(base: index, last: index, byteCount: 0)
    }

    mutating func compact(to index: LogIndex) {
        let gone = byteCount(upTo: index)
        samples = [(index, 0)] + samples.filter { $0.index > index }.map { ($0.index, $0.byteCount - min(gone, $0.byteCount)) }
        total -= min(gone, total)
    }

    /// Between two samples as if all entries were alike.
    private func byteCount(upTo index: LogIndex) -> UInt64 {
        guard index < last else { return total }
        guard let place = samples.lastIndex(where: { $0.index <= index }) else { return 0 }
        let low = samples[place]
        let high = place + 1 < samples.count ? samples[place + 1] : (index: last, byteCount: total)
        guard high.index > low.index else { return low.byteCount }
        let share = UInt64(index - low.index)
        return low.byteCount + (high.byteCount - low.byteCount) / UInt64(high.index - low.index) * share
    }

    func byteCount(behind index: LogIndex) -> UInt64 { total - min(total, byteCount(upTo: index)) }

    /// The last index that has about so many bytes behind it; the base if the log is shorter.
    func index(with byteCount: UInt64) -> LogIndex {
        guard total >= byteCount else { return samples[0].index }
        let limit = total - byteCount
        guard let place = samples.lastIndex(where: { $0.byteCount <= limit }) else { return samples[0].index }
        let low = samples[place]
        let high = place + 1 < samples.count ? samples[place + 1] : (index: last, byteCount: total)
        guard high.byteCount > low.byteCount else { return high.index }
        let share = Double(limit - low.byteCount) / Double(high.byteCount - low.byteCount)
        return low.index + Int(share * Double(high.index - low.index))
    }
}
