import CChecksum

/// CRC-64/NVME (NVM Express command set specification): S3's `x-amz-checksum-crc64nvme`.
package struct CRC64NVME: Sendable, Equatable {
    /// The checksum of the bytes so far; 0 before the first.
    package private(set) var value: UInt64

    /// Continues from the checksum of the bytes before.
    package init(seed: UInt64 = 0) {
        value = seed
    }

    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        value = Self.checksum(bytes, seed: value)
    }

    /// The checksum of `bytes`; with the checksum of what comes before them as `seed`, that of both.
    package static func checksum(_ bytes: UnsafeRawBufferPointer, seed: UInt64 = 0) -> UInt64 {
        cchecksum_crc64nvme(seed, bytes.baseAddress, bytes.count)
    }

    /// As `checksum`, by tables alone: what a processor without the instructions runs.
    package static func portableChecksum(_ bytes: UnsafeRawBufferPointer, seed: UInt64 = 0) -> UInt64 {
        cchecksum_crc64nvme_portable(seed, bytes.baseAddress, bytes.count)
    }

    /// The checksum of a concatenation, from those of its halves: the first may be of any length, the second's counts.
    /// Costs some microseconds, whatever the length.
    package static func combine(_ first: UInt64, _ second: UInt64, secondByteCount: UInt64) -> UInt64 {
        cchecksum_crc64nvme_combine(first, second, secondByteCount)
    }
}
