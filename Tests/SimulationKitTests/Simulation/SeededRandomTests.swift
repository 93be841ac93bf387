import SimulationKit
import Testing

@Suite("The source of chance")
struct SeededRandomTests {
    @Test("A seed gives the same numbers on every machine")
    func known() {
        var random = SeededRandom(seed: 0)
        #expect((0..<3).map { _ in random.next() } == Self.reference(count: 3))
    }

    /// xoshiro256** written down anew from its definition, with the state that SplitMix64 gives for the seed 0.
    private static func reference(count: Int) -> [UInt64] {
        var state: [UInt64] = [
            0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4, 0x06c4_5d18_8009_454f, 0xf88b_b8a8_724c_81ec,
        ]
        func rotated(_ value: UInt64, _ count: Int) -> UInt64 { value << UInt64(count) | value >> UInt64(64 - count) }
        return (0..<count).map { _ in
            let result = rotated(state[1] &* 5, 7) &* 9
            let shifted = state[1] << 17
            state[2] ^= state[0]
            state[3] ^= state[1]
            state[1] ^= state[2]
            state[0] ^= state[3]
            state[2] ^= shifted
            state[3] = rotated(state[3], 45)
            return result
        }
    }

    @Test("Numbers below a bound are all of those, about equally often")
    func bounded() {
        var random = SeededRandom(seed: 5)
        var counts = [Int](repeating: 0, count: 7)
        for _ in 0..<7_000 { counts[random.next(below: 7)] += 1 }
        #expect(counts.allSatisfy { (800...1_200).contains($0) }, "\(counts)")
        #expect((0..<1_000).allSatisfy { _ in (-3...3).contains(random.next(in: -3...3)) })
        #expect((350...650).contains((0..<1_000).count { _ in random.chance(1, in: 2) }))
    }

    @Test("A fork goes its own way")
    func fork() {
        var one = SeededRandom(seed: 9)
        var other = SeededRandom(seed: 9)
        var fork = one.fork()
        _ = other.next()
        _ = fork.next()
        #expect(one.next() == other.next())
    }
}
