import CChecksum

/// SipHash-2-4 with 128 bits of output (Aumasson and Bernstein, "SipHash: a fast short-input PRF"): a keyed hash, so that who
/// does not know the key cannot choose records that collide. Not a signature: 128 bits of sums can be forged by who has the key.
package struct SipHash128: Sendable {
    /// The 16 bytes of key as the paper's k0 and k1, each little-endian.
    package struct Key: Hashable, Sendable {
        package let k0: UInt64
        package let k1: UInt64

        package init(k0: UInt64, k1: UInt64) {
            self.k0 = k0
            self.k1 = k1
        }
    }

    private var state: cchecksum_siphash128_state

    package init(key: Key) {
        state = cchecksum_siphash128_start(key.k0, key.k1)
    }

    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        cchecksum_siphash128_update(&state, bytes.baseAddress, bytes.count)
    }

    /// The hash of the bytes so far; more may follow. Its 16 bytes in the paper's order are the little-endian bytes of this value.
    package var value: UInt128 {
        let hash = withUnsafePointer(to: state) { cchecksum_siphash128_finish($0) }
        return UInt128(hash.high) << 64 | UInt128(hash.low)
    }

    package static func hash(_ bytes: UnsafeRawBufferPointer, key: Key) -> UInt128 {
        var hash = SipHash128(key: key)
        hash.update(bytes)
        return hash.value
    }
}
