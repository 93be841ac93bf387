/// The name of a file of RocksDB that belongs to a store's content: never a path, nor anything that RocksDB does not call its files.
///
///     CURRENT   MANIFEST-000005   OPTIONS-000007   000009.log   000011.sst   000012.blob
package struct RocksDBFileName: Hashable, Comparable, Sendable, CustomStringConvertible {
    package static let byteCountMax = 64
    /// Without it a directory is no store.
    package static let current = "CURRENT"

    package let text: String

    /// - Returns: nil for any other name.
    package init?(_ text: String) { self.init(utf8: Array(text.utf8)) }

    package init?(utf8 bytes: [UInt8]) {
        guard bytes.count <= Self.byteCountMax else { return nil }
        let text = String(decoding: bytes, as: UTF8.self)
        let prefixed = ["MANIFEST-", "OPTIONS-"].contains { text.hasPrefix($0) && Self.isNumber(text.dropFirst($0.count)) }
        let suffixed = [".sst", ".blob", ".log"].contains { text.hasSuffix($0) && Self.isNumber(text.dropLast($0.count)) }
        guard text == Self.current || prefixed || suffixed else { return nil }
        self.text = text
    }

    /// Never changed once it is there: may be shared by links, and has one checksum.
    package var isImmutable: Bool { text.hasSuffix(".sst") || text.hasSuffix(".blob") }

    package static func < (first: RocksDBFileName, second: RocksDBFileName) -> Bool { first.text < second.text }

    package var description: String { text }

    private static func isNumber(_ text: Substring) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    }
}
