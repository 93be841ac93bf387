/// The simulation's only source of chance: xoshiro256** (Blackman and Vigna, 2018), seeded by SplitMix64 as its authors advise.
///
/// Everything that is decided by chance in a run comes from one of these in a fixed order, so that a seed is a run.
package struct SeededRandom: RandomNumberGenerator, Sendable {
    private var state: (UInt64, UInt64, UInt64, UInt64)

    package init(seed: UInt64) {
        var mixer = seed
        func mix() -> UInt64 {
            mixer &+= 0x9e37_79b9_7f4a_7c15
            var value = mixer
            value = (value ^ value >> 30) &* 0xbf58_476d_1ce4_e5b9
            value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
            return value ^ value >> 31
        }
        state = (mix(), mix(), mix(), mix())
    }

    package mutating func next() -> UInt64 {
        func rotated(_ value: UInt64, _ count: UInt64) -> UInt64 { value << count | value >> (64 - count) }
        let result = rotated(state.1 &* 5, 7) &* 9
        let shifted = state.1 << 17
        state.2 ^= state.0
        state.3 ^= state.1
        state.1 ^= state.2
        state.0 ^= state.3
        state.2 ^= shifted
        state.3 = rotated(state.3, 45)
        return result
    }

    /// - Precondition: `bound` is at least 1.
    package mutating func next(below bound: Int) -> Int {
        Int(next().multipliedFullWidth(by: UInt64(bound)).high)
    }

    package mutating func next(in range: ClosedRange<Int>) -> Int {
        range.lowerBound + next(below: range.upperBound - range.lowerBound + 1)
    }

    /// True once in so many times.
    package mutating func chance(_ count: Int, in total: Int) -> Bool {
        next(below: total) < count
    }

    /// - Precondition: there is one.
    package mutating func pick<Element>(_ elements: [Element]) -> Element {
        elements[next(below: elements.count)]
    }

    /// A source of its own, so that one part drawing more does not change what another draws.
    package mutating func fork() -> SeededRandom {
        SeededRandom(seed: next())
    }
}
