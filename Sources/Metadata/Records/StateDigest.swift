/// A sum over the keyed hashes of all records: equal states have equal digests, whatever order they were reached in.
///
/// A change costs the hash of the record before and of the record after it. Two lanes of 64 bits, added with wrap-around.
package struct StateDigest: Hashable, Sendable {
    package var low: UInt64
    package var high: UInt64

    package static let zero = StateDigest(low: 0, high: 0)

    package init(low: UInt64, high: UInt64) {
        self.low = low
        self.high = high
    }

    @inline(__always)
    package mutating func add(_ contribution: StateDigest) {
        low &+= contribution.low
        high &+= contribution.high
    }

    @inline(__always)
    package mutating func subtract(_ contribution: StateDigest) {
        low &-= contribution.low
        high &-= contribution.high
    }
}
