/// Checks those bytes of a table file that RocksDB believes before it has verified them.
///
/// ```text
/// … | properties block | metaindex block | footer (53 bytes)
/// block     contents, the last 4 bytes a count with a flag in the top bit | compression 1 | checksum 4
/// footer    checksum type 1 | metaindex offset, size | index offset, size | 0… | version 4 | magic number 8
/// ```
///
/// The footer has no checksum: a damaged size there would be allocated as it stands. And the properties block is parsed
/// before its checksum is compared: with its flag set, it is taken for a hash-indexed block, and builds of RocksDB with
/// assertions (Debian's) end the process. Everything else that is damaged is reported by RocksDB itself.
/// Source: https://github.com/facebook/rocksdb/wiki/Rocksdb-BlockBasedTable-Format
enum RocksDBTableFile {
    private static var footerBytes: Int { 53 }
    private static var trailerBytes: Int { 5 }
    /// Of `rocksdb::kBlockBasedTableMagicNumber`, as it lies in the file.
    private static var magic: [UInt8] { [0xF7, 0xCF, 0xF4, 0x85, 0xB7, 0x41, 0xE2, 0x88] }

    /// - Throws: `.corruption`, naming the file.
    static func checkFooter(of path: String) throws(KeyValueStoreError) {
        // A file that is missing, too short or of another kind is RocksDB's to report.
        guard let size = RocksDBDirectory.size(of: path), size >= footerBytes,
            let footer = RocksDBDirectory.read(path, at: size - footerBytes, count: footerBytes),
            Array(footer.suffix(magic.count)) == magic
        else { return }
        // RocksDB would blame the manifest for these two.
        guard footer[0] <= 4, (2...5).contains(footer[41]), footer[42...44].allSatisfy({ $0 == 0 }) else {
            throw KeyValueStoreError(.corruption, "\(path) is damaged: its footer has an unknown checksum type or version")
        }
        var position = 1
        var handles: [(offset: Int, size: Int)] = []
        for _ in 0..<2 {
            guard let offset = number(footer, &position), let length = number(footer, &position),
                length <= size, offset <= size - footerBytes - trailerBytes - length
            else { throw KeyValueStoreError(.corruption, "\(path) is damaged: its footer points outside the file") }
            handles.append((offset, length))
        }
        let flagged = handles[0].offset - trailerBytes - 1
        guard flagged >= 0, let byte = RocksDBDirectory.read(path, at: flagged, count: 1)?.first else { return }
        if byte & 0x80 != 0 {
            throw KeyValueStoreError(.corruption, "\(path) is damaged: its properties block at offset \(flagged)")
        }
    }

    /// A number of up to 63 bits, seven a byte, the lowest first.
    private static func number(_ bytes: [UInt8], _ position: inout Int) -> Int? {
        var value = 0
        for shift in stride(from: 0, to: 63, by: 7) {
            guard position < bytes.count else { return nil }
            let byte = bytes[position]
            position += 1
            value |= Int(byte & 0x7F) << shift
            if byte & 0x80 == 0 { return value }
        }
        return nil
    }
}
