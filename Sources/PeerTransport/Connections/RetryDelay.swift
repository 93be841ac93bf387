import NIOCore

/// How long to wait before the next dial: doubled each time up to a maximum, the upper half of it at random, so that nodes that lost
/// each other at one instant do not dial at one instant for ever.
struct RetryDelay {
    private let min: Int64
    private let max: Int64
    private var next: Int64

    init(_ settings: PeerTransportSettings) {
        min = settings.retryMillisecondsMin
        max = settings.retryMillisecondsMax
        next = min
    }

    mutating func take() -> TimeAmount {
        let whole = next
        next = Swift.min(next * 2, max)
        return .microseconds(Int64.random(in: whole * 500...whole * 1000))
    }

    mutating func reset() { next = min }

    /// Dialling again soon would lead to the same.
    mutating func raise() { next = max }
}
