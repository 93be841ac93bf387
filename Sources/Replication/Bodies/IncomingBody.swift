package import ObjectDataStore

/// A body that a peer sends, as a value: whether what comes fits together, and whether its sender still goes on.
///
/// The sender keeps to its window; a peer that does not is no correct one.
package struct IncomingBody: Sendable {
    package enum Verdict: Sendable, Hashable {
        case taken
        /// It does not fit: the reception has ended.
        case broken
        /// It is over already; what still comes is of no interest.
        case ignored
    }

    /// Bytes received and not written, beyond what any sender's window allows.
    private static let queuedByteCountMax: UInt64 = 16 << 20

    package let id: BodyID
    /// When the sender last said that it goes on.
    private var confirmedAt: ClockReading
    private var received: UInt64 = 0
    private var written: UInt64 = 0
    private var hasEnded = false

    package init(_ id: BodyID, at now: ClockReading) {
        self.id = id
        confirmedAt = now
    }

    package mutating func take(byteCount: Int, at offset: UInt64, now: ClockReading) -> Verdict {
        guard !hasEnded else { return .ignored }
        // A gap: something was lost with a connection.
        guard offset == received, received - written <= Self.queuedByteCountMax else { return abort() }
        received += UInt64(byteCount)
        confirmedAt = now
        return .taken
    }

    /// The store has taken all before that byte.
    package mutating func wrote(upTo byteCount: UInt64) { written = byteCount }

    package mutating func finish(length: UInt64) -> Verdict {
        guard !hasEnded else { return .ignored }
        guard length == received else { return abort() }
        hasEnded = true
        return .taken
    }

    /// - Returns: `.broken`, or `.ignored` if it was over already.
    package mutating func abort() -> Verdict {
        guard !hasEnded else { return .ignored }
        hasEnded = true
        return .broken
    }

    package mutating func confirm(at now: ClockReading) { confirmedAt = now }

    /// Whether the sender has been silent for so long.
    package func isGivenUp(after milliseconds: UInt64, at now: ClockReading) -> Bool {
        now.milliseconds(since: confirmedAt) >= milliseconds
    }
}
