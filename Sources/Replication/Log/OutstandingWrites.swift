/// Writes to the log that are not known to be durable, oldest first, with when each was handed out: a disk that does not answer makes a
/// node that must not lead.
struct OutstandingWrites: Sendable {
    private var writes: [(token: UInt64, since: ClockReading)] = []
    var isStalled = false

    mutating func add(_ token: UInt64, at now: ClockReading) {
        writes.append((token, now))
    }

    mutating func complete(upTo token: UInt64) {
        writes.removeFirst(writes.firstIndex { $0.token > token } ?? writes.count)
    }

    var oldest: ClockReading? { writes.first?.since }
    var count: Int { writes.count }
}
