/// Checks the end of a file in RocksDB's log format: its write-ahead logs and its manifest.
///
/// RocksDB takes a record that claims to end beyond the file for one that a crash tore, and drops it with all that follows
/// in the block. One flipped bit in a record's *length* looks the same, and would silently cost acknowledged commits, or
/// whole table files when it happens in the manifest. The two can be told apart: a damaged length leaves the record's
/// checksum, so some prefix of what follows has just that checksum; a torn record has lost bytes that the checksum covers.
///
/// ```text
/// block     32,768 bytes of records; the last one is shorter
/// record    checksum 4 (CRC32C of type and payload, masked) | length 2 | type 1 | payload
/// ```
/// Source: https://github.com/facebook/rocksdb/wiki/Write-Ahead-Log-File-Format
struct RocksDBLogFile {
    private static var blockBytes: Int { 32_768 }
    private static var headerBytes: Int { 7 }

    /// The file's offset of the last block.
    private let start: Int
    private let lastBlock: [UInt8]

    /// - Returns: `nil` when the file cannot be read, which RocksDB will report better.
    init?(path: String) {
        guard let size = RocksDBDirectory.size(of: path), size > 0 else { return nil }
        start = (size - 1) / Self.blockBytes * Self.blockBytes
        guard let bytes = RocksDBDirectory.read(path, at: start, count: size - start) else { return nil }
        lastBlock = bytes
    }

    /// The offset in the file of a record that reaches beyond its end and is damaged, not torn.
    func offsetOfDamagedLength() -> Int? {
        var offset = 0
        while offset + Self.headerBytes <= lastBlock.count {
            let length = Int(lastBlock[offset + 4]) | Int(lastBlock[offset + 5]) << 8
            let end = offset + Self.headerBytes + length
            if end > lastBlock.count { return isWhole(at: offset) ? start + offset : nil }
            // Preallocated space; RocksDB reads no further either.
            if length == 0 && lastBlock[offset + 6] == 0 { return nil }
            offset = end
        }
        return nil
    }

    /// The offset of the first record in the file that is not what was written; `nil` when there is none, or when only the
    /// end is torn. Reads the whole file: for saying where the damage is once RocksDB has found it.
    static func offsetOfDamage(in path: String) -> Int? {
        guard let size = RocksDBDirectory.size(of: path) else { return nil }
        for start in stride(from: 0, to: size, by: blockBytes) {
            let count = min(blockBytes, size - start)
            guard let block = RocksDBDirectory.read(path, at: start, count: count) else { return nil }
            var offset = 0
            while offset + headerBytes <= count {
                let length = Int(block[offset + 4]) | Int(block[offset + 5]) << 8
                if length == 0 && block[offset + 6] == 0 { break }
                let end = offset + headerBytes + length
                if end > count { return start + count < size ? start + offset : nil }
                var checksum = RunningCRC32C()
                for byte in block[(offset + 6)..<end] { checksum.update(byte) }
                if checksum.masked != storedChecksum(block, at: offset) { return start + offset }
                offset = end
            }
        }
        return nil
    }

    private static func storedChecksum(_ block: [UInt8], at offset: Int) -> UInt32 {
        block[offset..<offset + 4].reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
    }

    /// Whether some prefix of the bytes after the header has the checksum that the header gives.
    private func isWhole(at offset: Int) -> Bool {
        let stored = Self.storedChecksum(lastBlock, at: offset)
        var checksum = RunningCRC32C()
        // The type, then the payload: byte by byte, because each prefix may be the record.
        for byte in lastBlock[(offset + 6)...] {
            checksum.update(byte)
            if checksum.masked == stored { return true }
        }
        return false
    }
}

/// CRC32C of a growing byte string, with RocksDB's masking.
private struct RunningCRC32C {
    private static let table: [UInt32] = (UInt32(0)..<256).map { byte in
        (0..<8).reduce(byte) { value, _ in value & 1 == 1 ? value >> 1 ^ 0x82F6_3B78 : value >> 1 }
    }

    private var state = UInt32.max
    private let table = Self.table

    mutating func update(_ byte: UInt8) {
        state = table[Int(UInt8(truncatingIfNeeded: state) ^ byte)] ^ state >> 8
    }

    var masked: UInt32 {
        let checksum = ~state
        return (checksum >> 15 | checksum << 17) &+ 0xA282_EAD8
    }
}
