import Synchronization

/// Counters of a server since its start; differences between two readings are rates.
package struct HTTPServerStatistics: Sendable, Equatable {
    package var connectionsAccepted: UInt64 = 0
    package var connectionsOpen: UInt64 = 0
    /// Turned away because `connectionCountMax` were open.
    package var connectionsRefused: UInt64 = 0
    /// Responses by the first digit of their status, 1 to 5 (index 0 is unused).
    package var responsesByClass: [UInt64] = Array(repeating: 0, count: 6)
    /// Connections closed because the client was too slow or too quiet in the middle of a request or a response.
    package var timeouts: UInt64 = 0
    /// Requests refused by the server itself (`HTTPProtocolViolation`).
    package var violations: UInt64 = 0
    package var bytesReceived: UInt64 = 0
    package var bytesSent: UInt64 = 0

    package init() {}

    package var responses: UInt64 { responsesByClass.reduce(0, +) }
}

/// One event loop's counters: written by its loop only, so that counting costs no contention; read by anyone.
final class HTTPServerCounters: Sendable {
    let connectionsAccepted = Atomic<UInt64>(0)
    let connectionsClosed = Atomic<UInt64>(0)
    let connectionsRefused = Atomic<UInt64>(0)
    let informational = Atomic<UInt64>(0)
    let successful = Atomic<UInt64>(0)
    let redirected = Atomic<UInt64>(0)
    let clientErrors = Atomic<UInt64>(0)
    let serverErrors = Atomic<UInt64>(0)
    let timeouts = Atomic<UInt64>(0)
    let violations = Atomic<UInt64>(0)
    let bytesReceived = Atomic<UInt64>(0)
    let bytesSent = Atomic<UInt64>(0)

    func countResponse(status: UInt) {
        switch status / 100 {
        case 1: informational.increment()
        case 2: successful.increment()
        case 3: redirected.increment()
        case 4: clientErrors.increment()
        default: serverErrors.increment()
        }
    }

    func add(to statistics: inout HTTPServerStatistics) {
        // Closed is read first: a connection counted in between then shows as open, never as a negative number.
        let closed = connectionsClosed.load(ordering: .acquiring)
        let accepted = connectionsAccepted.load(ordering: .acquiring)
        statistics.connectionsAccepted += accepted
        statistics.connectionsOpen += accepted - closed
        statistics.connectionsRefused += connectionsRefused.load(ordering: .relaxed)
        statistics.responsesByClass[1] += informational.load(ordering: .relaxed)
        statistics.responsesByClass[2] += successful.load(ordering: .relaxed)
        statistics.responsesByClass[3] += redirected.load(ordering: .relaxed)
        statistics.responsesByClass[4] += clientErrors.load(ordering: .relaxed)
        statistics.responsesByClass[5] += serverErrors.load(ordering: .relaxed)
        statistics.timeouts += timeouts.load(ordering: .relaxed)
        statistics.violations += violations.load(ordering: .relaxed)
        statistics.bytesReceived += bytesReceived.load(ordering: .relaxed)
        statistics.bytesSent += bytesSent.load(ordering: .relaxed)
    }
}

extension Atomic where Value == UInt64 {
    /// There is one writer, so a load and a store do without a locked instruction.
    @inline(__always)
    func increment(by amount: Int = 1) {
        store(load(ordering: .relaxed) &+ UInt64(amount), ordering: .releasing)
    }
}
