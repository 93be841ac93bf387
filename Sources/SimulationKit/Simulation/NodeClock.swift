/// The clocks of one node in terms of virtual time (microseconds): one that never goes back, which may drift and stand still, and the
/// wall clock, which is set by hand besides.
struct NodeClock {
    private struct Piece {
        var start: UInt64
        var local: UInt64
        /// Local time per million of virtual time.
        var rate: UInt64
    }

    static var fullRate: UInt64 { 1_000_000 }

    private var pieces: [Piece]
    private var wallOffset: Int64

    /// - Parameter start: what the clock shows at virtual time 0, in microseconds.
    init(start: UInt64, rate: UInt64 = fullRate, wallOffset: Int64 = 0) {
        pieces = [Piece(start: 0, local: start, rate: rate)]
        self.wallOffset = wallOffset
    }

    var rate: UInt64 { pieces[pieces.count - 1].rate }

    /// Microseconds of the clock that never goes back. - Precondition: not before the newest change of the rate.
    func local(at time: UInt64) -> UInt64 {
        let piece = pieces[pieces.count - 1]
        return piece.local + (time - piece.start) * piece.rate / Self.fullRate
    }

    /// Milliseconds of the wall clock.
    func wallMilliseconds(at time: UInt64) -> UInt64 {
        UInt64(max(0, Int64(1_700_000_000_000) + Int64(time / 1000) + wallOffset))
    }

    /// From `time` on the clock goes at this rate; 0: it stands still.
    mutating func setRate(_ rate: UInt64, at time: UInt64) {
        pieces.append(Piece(start: time, local: local(at: time), rate: rate))
    }

    mutating func stepWall(byMilliseconds step: Int64) { wallOffset += step }

    /// The latest virtual time at which the clock showed no more than `local`; 0 if it never did.
    func virtualTime(at local: UInt64) -> UInt64 {
        guard let place = pieces.lastIndex(where: { $0.local <= local }) else { return 0 }
        let piece = pieces[place]
        let end = place + 1 < pieces.count ? pieces[place + 1].start : UInt64.max
        guard piece.rate > 0 else { return end }
        return min(end, piece.start + (local - piece.local) * Self.fullRate / piece.rate)
    }
}
