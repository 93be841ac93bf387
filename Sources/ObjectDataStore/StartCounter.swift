import FileSystem

/// Counts how often a store was opened, so that no id is ever used twice. A new store begins anywhere, and not at 1: a directory that was
/// wiped would otherwise give the ids of its former bodies again, which other nodes may still know.
///
///     0        8          16       20
///     │ RFSMSTRT │ count (LE) │ CRC32C │
package struct StartCounter {
    package static let magic = Array("RFSMSTRT".utf8)
    package static let byteCount = 20
    /// Bits of an id's origin.
    static let countMax: UInt64 = 1 << 48 - 1

    /// Bits of the count that are for a store's starts; those above them are where a new store begins.
    static let startBitCount: UInt64 = 16

    let layout: StoreLayout
    let fileSystem: any FileSystem
    /// Where a new store begins: at random, but in tests.
    let beginning: UInt32

    /// Makes the store's directories, and the next count durable, which it returns.
    func countStart() throws(ObjectDataStoreError) -> UInt64 {
        do throws(FileSystemError) {
            try fileSystem.makeDirectories(layout.root)
        } catch {
            throw ObjectDataStoreError(error)
        }
        let next = try read() + 1
        guard next <= Self.countMax else { throw damaged("the count of starts is used up") }
        do throws(FileSystemError) {
            try fileSystem.replaceFile(layout.start, in: layout.root, with: Self.encode(next))
            try fileSystem.makeDirectories(layout.temporaryDirectory)
        } catch {
            throw ObjectDataStoreError(error)
        }
        return next
    }

    /// The last start's count; in a new store what the first one follows.
    private func read() throws(ObjectDataStoreError) -> UInt64 {
        let bytes: [UInt8]
        do throws(FileSystemError) {
            bytes = try fileSystem.readFile(layout.start, byteCountMax: Self.byteCount + 1)
        } catch {
            guard error.code == .notFound else { throw ObjectDataStoreError(error) }
            try ensureEmpty()
            return UInt64(beginning) << Self.startBitCount
        }
        guard bytes.count == Self.byteCount, bytes.starts(with: Self.magic),
            bytes == Self.encode(bytes.uint64(at: Self.magic.count))
        else { throw damaged("it is not a start counter, or its checksum is wrong") }
        return bytes.uint64(at: Self.magic.count)
    }

    /// The counter is durable before the first directory is made, so a store without one that holds something has lost it.
    private func ensureEmpty() throws(ObjectDataStoreError) {
        let names: [String]
        do throws(FileSystemError) {
            names = try fileSystem.list(layout.root)
        } catch {
            throw ObjectDataStoreError(error)
        }
        guard !names.contains(where: { $0 == "tmp" || StoreLayout.isDirectoryName($0) }) else {
            throw damaged("it is missing, though the store holds bodies: their ids could be used again")
        }
    }

    private func damaged(_ reason: String) -> ObjectDataStoreError {
        .damaged(file: layout.start, block: nil, reason: reason)
    }

    private static func encode(_ count: UInt64) -> [UInt8] {
        var bytes = magic
        bytes.append(littleEndian: count)
        bytes.append(littleEndian: BodyFormat.checksum(bytes[...]))
        return bytes
    }
}
