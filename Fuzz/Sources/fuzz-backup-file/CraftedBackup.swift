import Backup
import Checksum
import Metadata
import ObjectDataStore

/// A backup file whose header and heads of bodies come from the input, as docs/formats/backup.md draws them, and whose checksums are right.
///
///     input:  header │ of each body: id (16), length (8)
///
/// Contents are made up: nobody looks into them here, and a small input can be a whole file.
struct CraftedBackup {
    private static let key = SipHash128.Key(k0: 0x7275_7374_6673_2d73, k1: 0x6e61_7073_686f_7431)
    private static let headerByteCountMin = BackupFormat.headByteCount + BackupFormat.checksumByteCount
    private static let idAndLengthByteCount = 24
    /// Room for a body of two blocks. No file is filled beyond this; it ends too early then.
    private static let byteCountMax = 1 << 18

    private(set) var bytes: [UInt8]
    /// Up to the end of the store in it.
    private(set) var stateByteCount: Int
    private var rest: ArraySlice<UInt8>

    /// - Parameter input: if it is too short for a header, it is the file.
    init(_ input: ArraySlice<UInt8>) {
        let fields = Array(input)
        guard fields.count >= Self.headerByteCountMin else {
            (bytes, stateByteCount, rest) = (fields, fields.count, [])
            return
        }
        let stated = Int(fields[12]) | Int(fields[13]) << 8
        let headerByteCount = min(max(stated, Self.headerByteCountMin), fields.count)
        bytes = Array(fields.prefix(headerByteCount))
        stateByteCount = headerByteCount
        rest = fields[headerByteCount...]
        bytes.replaceSubrange(0..<8, with: BackupFormat.headerMagic)
        put(UInt32(headerByteCount), at: 12)
        put(Self.checksum(bytes.dropLast(BackupFormat.checksumByteCount)), at: headerByteCount - BackupFormat.checksumByteCount)
        if let header = try? BackupHeader(decoding: bytes) {
            for file in header.files {
                let content = content(file.byteCount)
                bytes += content
                bytes.appendLittleEndian(Self.checksum(content[...]))
            }
            stateByteCount = bytes.count
            if header.hasBodies { appendBodies(header.figures.bodies) }
        } else {
            bytes += rest
        }
        appendEnd()
    }

    private mutating func appendBodies(_ count: UInt64) {
        for _ in 0..<count {
            let fields = Array(rest.prefix(Self.idAndLengthByteCount))
            guard fields.count == Self.idAndLengthByteCount, bytes.count < Self.byteCountMax else { return }
            rest = rest.dropFirst(fields.count)
            bytes += fields
            bytes.appendLittleEndian(Self.checksum(fields[...]))
            let words = fields.withUnsafeBytes { fields in
                (0..<3).map { UInt64(littleEndian: fields.loadUnaligned(fromByteOffset: 8 * $0, as: UInt64.self)) }
            }
            let content = content(words[2])
            let checksums = BodyFormat.blockChecksums(content, id: BodyID(origin: words[0], sequence: words[1]), firstBlock: 0)
            bytes += content
            for checksum in checksums { bytes.appendLittleEndian(checksum) }
            bytes.appendLittleEndian(BodyFormat.tableChecksum(checksums))
        }
    }

    private mutating func appendEnd() {
        let digest = bytes.withUnsafeBytes { SipHash128.hash($0, key: Self.key) }
        var end = BackupFormat.endMagic
        end.appendLittleEndian(UInt64(bytes.count + BackupFormat.endByteCount))
        end.appendLittleEndian(UInt64(truncatingIfNeeded: digest))
        end.appendLittleEndian(UInt64(truncatingIfNeeded: digest >> 64))
        end.appendLittleEndian(Self.checksum(end[...]))
        bytes += end
    }

    /// So many bytes, or as many as may be.
    private func content(_ byteCount: UInt64) -> [UInt8] {
        [UInt8](repeating: 0x5A, count: Int(min(byteCount, UInt64(max(0, Self.byteCountMax - bytes.count)))))
    }

    private mutating func put(_ value: UInt32, at offset: Int) {
        withUnsafeBytes(of: value.littleEndian) { bytes.replaceSubrange(offset..<offset + 4, with: $0) }
    }

    private static func checksum(_ bytes: ArraySlice<UInt8>) -> UInt32 { bytes.withUnsafeBytes { CRC32C.checksum($0) } }
}
