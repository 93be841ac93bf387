/// The core's own source of chance, so that a seed decides a run: SplitMix64 (Steele, Lea and Flood, 2014).
package struct RaftRandom: Sendable {
    private var state: UInt64

    package init(seed: UInt64) {
        state = seed
    }

    package mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ value >> 30) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
        return value ^ value >> 31
    }

    /// A number of the range, each as likely as the next to one part in 2^32 or better.
    package mutating func next(in range: ClosedRange<Int>) -> Int {
        let count = UInt64(range.upperBound - range.lowerBound) + 1
        return range.lowerBound + Int(((next() >> 32) &* count) >> 32)
    }
}
