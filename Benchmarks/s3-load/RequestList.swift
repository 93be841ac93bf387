import NIOCore

/// Requests ready to be sent, end to end in one buffer: a million of them are one allocation.
struct RequestList: Sendable {
    private var bytes = ByteBuffer()
    private var ends: [Int] = []
    /// Sent after each head.
    var body = ByteBuffer()

    var count: Int { ends.count }

    mutating func append(_ head: String) {
        bytes.writeString(head)
        ends.append(bytes.writerIndex)
    }

    func head(_ index: Int) -> ByteBuffer {
        let start = index == 0 ? 0 : ends[index - 1]
        return bytes.getSlice(at: start, length: ends[index] - start) ?? ByteBuffer()
    }
}

/// Counts of latencies by microsecond up to 100 ms, and by millisecond above.
struct LatencyHistogram: Sendable {
    private static let fineCount = 100_000
    private var fine = [UInt32](repeating: 0, count: fineCount)
    private var coarse = [UInt32](repeating: 0, count: 60_000)
    private(set) var count = 0
    private(set) var microsecondsMax = 0

    mutating func record(nanoseconds: Int64) {
        count += 1
        let microseconds = Int(max(nanoseconds, 0) / 1000)
        microsecondsMax = max(microsecondsMax, microseconds)
        if microseconds < Self.fineCount {
            fine[microseconds] += 1
        } else {
            coarse[min(microseconds / 1000, coarse.count - 1)] += 1
        }
    }

    mutating func merge(_ other: LatencyHistogram) {
        count += other.count
        microsecondsMax = max(microsecondsMax, other.microsecondsMax)
        for index in fine.indices { fine[index] += other.fine[index] }
        for index in coarse.indices { coarse[index] += other.coarse[index] }
    }

    /// Microseconds.
    func percentile(_ fraction: Double) -> Int {
        var left = Int(Double(count) * fraction)
        for (microseconds, count) in fine.enumerated() {
            left -= Int(count)
            if left < 0 { return microseconds }
        }
        for (milliseconds, count) in coarse.enumerated() {
            left -= Int(count)
            if left < 0 { return milliseconds * 1000 }
        }
        return 0
    }
}
