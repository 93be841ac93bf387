import Checksum
import Testing

/// A CRC under test beside the definition it must agree with, so that one body of tests serves all three.
struct Algorithm: Sendable, CustomTestStringConvertible {
    let name: String
    let width: Int
    let reflectedPolynomial: UInt64
    /// Of the nine digits "123456789", from the catalogue of parametrised CRC algorithms.
    let check: UInt64
    let checksum: @Sendable (UnsafeRawBufferPointer, UInt64) -> UInt64
    let portable: @Sendable (UnsafeRawBufferPointer, UInt64) -> UInt64
    let combine: @Sendable (UInt64, UInt64, UInt64) -> UInt64

    var testDescription: String { name }

    /// The definition: one bit at a time.
    func reference(_ bytes: some Sequence<UInt8>) -> UInt64 {
        let ones = UInt64.max >> UInt64(64 - width)
        var state = ones
        for byte in bytes { state = referenceStep(state, byte) }
        return state ^ ones
    }

    func referenceStep(_ state: UInt64, _ byte: UInt8) -> UInt64 {
        var state = state ^ UInt64(byte)
        for _ in 0..<8 { state = state & 1 == 1 ? state >> 1 ^ reflectedPolynomial : state >> 1 }
        return state
    }

    static let all: [Algorithm] = [
        Algorithm(
            name: "CRC32C", width: 32, reflectedPolynomial: 0x82f6_3b78, check: 0xe306_9283,
            checksum: { UInt64(CRC32C.checksum($0, seed: UInt32($1))) },
            portable: { UInt64(CRC32C.portableChecksum($0, seed: UInt32($1))) },
            combine: { UInt64(CRC32C.combine(UInt32($0), UInt32($1), secondByteCount: $2)) }
        ),
        Algorithm(
            name: "CRC32", width: 32, reflectedPolynomial: 0xedb8_8320, check: 0xcbf4_3926,
            checksum: { UInt64(CRC32.checksum($0, seed: UInt32($1))) },
            portable: { UInt64(CRC32.portableChecksum($0, seed: UInt32($1))) },
            combine: { UInt64(CRC32.combine(UInt32($0), UInt32($1), secondByteCount: $2)) }
        ),
        Algorithm(
            name: "CRC64NVME", width: 64, reflectedPolynomial: 0x9a6c_9329_ac4b_c9b5, check: 0xae8b_1486_0a79_9888,
            checksum: { CRC64NVME.checksum($0, seed: $1) },
            portable: { CRC64NVME.portableChecksum($0, seed: $1) },
            combine: { CRC64NVME.combine($0, $1, secondByteCount: $2) }
        ),
    ]
}

/// Bytes without a pattern that a CRC could be blind to, the same in every run.
func pseudoRandomBytes(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
    var state = seed
    return (0..<count).map { _ in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return UInt8(truncatingIfNeeded: state >> 56)
    }
}

@Suite struct ChecksumTests {
    @Test("The published check value comes out", arguments: Algorithm.all)
    func checkValue(_ algorithm: Algorithm) {
        let digits = Array("123456789".utf8)
        #expect(algorithm.reference(digits) == algorithm.check)
        digits.withUnsafeBytes {
            #expect(algorithm.checksum($0, 0) == algorithm.check)
            #expect(algorithm.portable($0, 0) == algorithm.check)
        }
    }

    @Test("Every length up to 4,096 agrees with the bitwise definition", arguments: Algorithm.all)
    func lengths(_ algorithm: Algorithm) {
        let bytes = pseudoRandomBytes(4_096)
        let ones = UInt64.max >> UInt64(64 - algorithm.width)
        var state = ones
        bytes.withUnsafeBytes { all in
            for length in 0...4_096 {
                if length > 0 { state = algorithm.referenceStep(state, all[length - 1]) }
                let prefix = UnsafeRawBufferPointer(rebasing: all[0..<length])
                #expect(algorithm.checksum(prefix, 0) == state ^ ones, "length \(length)")
                #expect(algorithm.portable(prefix, 0) == state ^ ones, "length \(length), by table")
            }
        }
    }

    @Test("Every alignment agrees with the bitwise definition, across the sizes where streams begin", arguments: Algorithm.all)
    func alignments(_ algorithm: Algorithm) {
        let bytes = pseudoRandomBytes(20_000, seed: 2)
        bytes.withUnsafeBytes { all in
            for offset in 0..<16 {
                for length in [0, 1, 127, 128, 143, 767, 768, 769, 1_537, 6_143, 6_144, 6_913, 13_057, 19_984] {
                    let part = UnsafeRawBufferPointer(rebasing: all[offset..<offset + length])
                    #expect(algorithm.checksum(part, 0) == algorithm.reference(part), "offset \(offset), length \(length)")
                }
            }
        }
    }

    @Test("A checksum continues from the one before, wherever the bytes are cut", arguments: Algorithm.all)
    func seeds(_ algorithm: Algorithm) {
        let bytes = pseudoRandomBytes(3_000, seed: 3)
        let whole = algorithm.reference(bytes)
        bytes.withUnsafeBytes { all in
            for cut in stride(from: 0, through: 3_000, by: 7) {
                let first = UnsafeRawBufferPointer(rebasing: all[..<cut])
                let second = UnsafeRawBufferPointer(rebasing: all[cut...])
                #expect(algorithm.checksum(second, algorithm.checksum(first, 0)) == whole, "cut at \(cut)")
                #expect(algorithm.portable(second, algorithm.portable(first, 0)) == whole, "cut at \(cut), by table")
            }
        }
    }

    @Test("Combining two checksums gives that of the concatenation", arguments: Algorithm.all)
    func combination(_ algorithm: Algorithm) {
        let bytes = pseudoRandomBytes(10_000, seed: 4)
        let whole = bytes.withUnsafeBytes { algorithm.checksum($0, 0) }
        bytes.withUnsafeBytes { all in
            for cut in [0, 1, 2, 8, 255, 256, 4_095, 9_999, 10_000] {
                let first = algorithm.checksum(UnsafeRawBufferPointer(rebasing: all[..<cut]), 0)
                let second = algorithm.checksum(UnsafeRawBufferPointer(rebasing: all[cut...]), 0)
                #expect(algorithm.combine(first, second, UInt64(10_000 - cut)) == whole, "cut at \(cut)")
            }
        }
    }

    @Test("Combining is associative at lengths that no test could hold in memory", arguments: Algorithm.all)
    func combinationOfHugeParts(_ algorithm: Algorithm) {
        let part: UInt64 = 5 << 30
        let (a, b, c) = (algorithm.check, algorithm.check ^ 1, algorithm.check ^ 0x8000_0001)
        let left = algorithm.combine(algorithm.combine(a, b, part), c, part * 1_000)
        let right = algorithm.combine(a, algorithm.combine(b, c, part * 1_000), part * 1_001)
        #expect(left == right)
    }

    @Test("The incremental forms agree with the one-shot forms")
    func incremental() {
        let bytes = pseudoRandomBytes(2_000, seed: 5)
        bytes.withUnsafeBytes { all in
            var (crc32c, crc32, crc64) = (CRC32C(), CRC32(), CRC64NVME())
            for start in stride(from: 0, to: 2_000, by: 333) {
                let part = UnsafeRawBufferPointer(rebasing: all[start..<min(start + 333, 2_000)])
                crc32c.update(part)
                crc32.update(part)
                crc64.update(part)
            }
            #expect(crc32c.value == CRC32C.checksum(all))
            #expect(crc32.value == CRC32.checksum(all))
            #expect(crc64.value == CRC64NVME.checksum(all))
        }
    }
}
