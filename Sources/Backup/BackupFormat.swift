import Checksum

/// The layout of a backup file (`.snap`), version 1. Drawn and argued in docs/formats/backup.md, which a test compares with this.
///
///     header │ each store file, its CRC32C │ each body: head, content, blocks' checksums, their CRC32C │ end
package enum BackupFormat {
    package static let version: UInt32 = 1
    package static let headerMagic = Array("RFSMBKUP".utf8)
    package static let endMagic = Array("RFSMBKND".utf8)
    /// Magic, version, byte count: what stands at the beginning of each version.
    package static let headByteCount = 16
    /// A million files of the longest names.
    package static let headerByteCountMax = 128 << 20
    package static let fileCountMax = 1 << 20
    package static let checksumByteCount = 4
    package static let bodyHeadByteCount = 28
    package static let endByteCount = 36
    /// Of the whole file, so that no sum of sizes overflows.
    package static let byteCountMax: UInt64 = 1 << 60
    /// What a file's name must end with.
    package static let nameSuffix = ".snap"

    /// "rustfs-snapshot1" is not secret: it only separates this use of the hash from others.
    static let digestKey = SipHash128.Key(k0: 0x7275_7374_6673_2d73, k1: 0x6e61_7073_686f_7431)

    static func checksum(_ bytes: [UInt8]) -> UInt32 { bytes.withUnsafeBytes { CRC32C.checksum($0) } }
}

/// Reading integers at a place. Precondition: they lie within the array.
extension [UInt8] {
    func uint32(at offset: Int) -> UInt32 {
        withUnsafeBytes { UInt32(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: UInt32.self)) }
    }

    func uint64(at offset: Int) -> UInt64 {
        withUnsafeBytes { UInt64(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: UInt64.self)) }
    }
}
