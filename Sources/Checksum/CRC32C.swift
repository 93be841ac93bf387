import CChecksum

/// CRC-32C (Castagnoli, RFC 3720): guards our own files, and is S3's `x-amz-checksum-crc32c`.
package struct CRC32C: Sendable, Equatable {
    /// The checksum of the bytes so far; 0 before the first.
    package private(set) var value: UInt32

    /// Continues from the checksum of the bytes before.
    package init(seed: UInt32 = 0) {
        value = seed
    }

    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        value = Self.checksum(bytes, seed: value)
    }

    /// The checksum of `bytes`; with the checksum of what comes before them as `seed`, that of both.
    package static func checksum(_ bytes: UnsafeRawBufferPointer, seed: UInt32 = 0) -> UInt32 {
        cchecksum_crc32c(seed, bytes.baseAddress, bytes.count)
    }

    /// As `checksum`, by tables alone: what a processor without the instructions runs.
    package static func portableChecksum(_ bytes: UnsafeRawBufferPointer, seed: UInt32 = 0) -> UInt32 {
        cchecksum_crc32c_portable(seed, bytes.baseAddress, bytes.count)
    }

    /// The checksum of a concatenation, from those of its halves: the first may be of any length, the second's counts.
    /// Costs some microseconds, whatever the length.
    package static func combine(_ first: UInt32, _ second: UInt32, secondByteCount: UInt64) -> UInt32 {
        cchecksum_crc32c_combine(first, second, secondByteCount)
    }
}
