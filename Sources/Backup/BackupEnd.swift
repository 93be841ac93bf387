import Metadata

/// The last bytes of a backup file. A file without them was cut short, or is still being written.
///
///     │ RFSMBKND │ byte count of the file (8) │ digest of all before (16) │ CRC32C of the 32 bytes before (4) │
package struct BackupEnd: Hashable, Sendable {
    package var fileByteCount: UInt64
    /// SipHash-2-4-128 of every byte before the end: the snapshot's id.
    package var digest: UInt128

    /// The digest as 32 hexadecimal digits.
    package var id: String {
        let digits = String(digest, radix: 16)
        return String(repeating: "0", count: 32 - digits.count) + digits
    }

    init(fileByteCount: UInt64, digest: UInt128) {
        self.fileByteCount = fileByteCount
        self.digest = digest
    }

    func encode() -> [UInt8] {
        var bytes = BackupFormat.endMagic
        bytes.appendLittleEndian(fileByteCount)
        bytes.appendLittleEndian(UInt64(truncatingIfNeeded: digest))
        bytes.appendLittleEndian(UInt64(truncatingIfNeeded: digest >> 64))
        bytes.appendLittleEndian(BackupFormat.checksum(bytes))
        return bytes
    }

    /// - Returns: nil: it is not an end, or damaged.
    init?(decoding bytes: [UInt8]) {
        guard bytes.count == BackupFormat.endByteCount, bytes.starts(with: BackupFormat.endMagic) else { return nil }
        guard bytes.uint32(at: 32) == BackupFormat.checksum(Array(bytes.prefix(32))) else { return nil }
        fileByteCount = bytes.uint64(at: 8)
        digest = UInt128(bytes.uint64(at: 24)) << 64 | UInt128(bytes.uint64(at: 16))
    }
}
