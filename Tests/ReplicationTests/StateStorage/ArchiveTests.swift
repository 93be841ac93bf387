import Checksum
import FileSystem
import KeyValueStore
import Metadata
import Raft
import Replication
import Testing

/// An archive taken apart and put together by docs/formats/snapshot.md alone.
struct CraftedArchive {
    struct File {
        var name: [UInt8]
        var byteCount: UInt64
        var checksum: UInt32
        var content: [UInt8]

        init(_ name: String, _ content: [UInt8]) {
            self.name = Array(name.utf8)
            byteCount = UInt64(content.count)
            checksum = content.withUnsafeBytes { CRC32C.checksum($0) }
            self.content = content
        }
    }

    /// Configuration (33) and genesis (102) of three members without addresses.
    static let fieldByteCount = 8 + 8 + 4 + 16 + 33 + 102

    /// From index to genesis.
    var fields: [UInt8]
    var files: [File] = []
    var trailer: [UInt8] = []

    init(_ bytes: [UInt8]) throws {
        #expect(bytes.prefix(16) == Array("RFSMSNAP".utf8) + [1, 0, 0, 0] + bytes[12..<16])
        let manifestByteCount = Int(bytes.number(at: 12, UInt32.self))
        #expect(
            bytes.number(at: manifestByteCount - 4, UInt32.self)
                == bytes.prefix(manifestByteCount - 4).withUnsafeBytes { CRC32C.checksum($0) })
        fields = Array(bytes[16..<16 + Self.fieldByteCount])
        var offset = 16 + Self.fieldByteCount
        let count = bytes.number(at: offset, UInt32.self)
        offset += 4
        var start = manifestByteCount
        for _ in 0..<count {
            let nameByteCount = Int(bytes[offset])
            let name = String(decoding: bytes[offset + 1..<offset + 1 + nameByteCount], as: UTF8.self)
            offset += 1 + nameByteCount
            let byteCount = Int(bytes.number(at: offset, UInt64.self))
            let file = File(name, Array(bytes[start..<start + byteCount]))
            #expect(file.checksum == bytes.number(at: offset + 8, UInt32.self))
            files.append(file)
            offset += 12
            start += byteCount
        }
        #expect(offset == manifestByteCount - 4)
        #expect(start == bytes.count)
    }

    var index: UInt64 {
        get { fields.number(at: 0, UInt64.self) }
        set { fields.replaceSubrange(0..<8, with: newValue.littleEndianBytes) }
    }

    var manifest: [UInt8] {
        var list = UInt32(files.count).littleEndianBytes
        for file in files {
            list += [UInt8(file.name.count)] + file.name + file.byteCount.littleEndianBytes + file.checksum.littleEndianBytes
        }
        let byteCount = UInt32(16 + fields.count + list.count + 4)
        let bytes = Array("RFSMSNAP".utf8) + [1, 0, 0, 0] + byteCount.littleEndianBytes + fields + list
        return bytes + bytes.withUnsafeBytes { CRC32C.checksum($0) }.littleEndianBytes
    }

    var bytes: [UInt8] { files.reduce(manifest) { $0 + $1.content } + trailer }

    /// Keyed with "rustfs-replicate".
    var fingerprint: UInt64 {
        let key = SipHash128.Key(k0: 0x7275_7374_6673_2d72, k1: 0x6570_6c69_6361_7465)
        return manifest.withUnsafeBytes { UInt64(truncatingIfNeeded: SipHash128.hash($0, key: key)) }
    }
}

extension FixedWidthInteger {
    fileprivate var littleEndianBytes: [UInt8] {
        (0..<Self.bitWidth / 8).map { UInt8(truncatingIfNeeded: self >> ($0 * 8)) }
    }
}

extension [UInt8] {
    fileprivate func number<Number: FixedWidthInteger>(at offset: Int, _: Number.Type) -> Number {
        (0..<Number.bitWidth / 8).reduce(0) { $0 | Number(self[offset + $1]) << ($1 * 8) }
    }
}

@Suite("The archive of a snapshot")
struct ArchiveTests {
    private let source: StateBench
    private let snapshot: SnapshotDescription
    private let archive: CraftedArchive

    init() throws {
        var source = try StateBench()
        try source.put(3)
        try source.put(1, from: 3, byteCount: 20_000)
        snapshot = try source.storage.takeSnapshot(of: source.store)
        archive = try CraftedArchive(try source.archive(snapshot))
        self.source = source
    }

    /// - Returns: what a new node says of it, and all the files that it has afterwards.
    private func receive(
        _ archive: CraftedArchive, index: LogIndex? = nil
    ) throws -> (failure: ReceptionFailure?, files: [String]) {
        // One level more than any name in the table goes up.
        let directory = try TemporaryStateDirectory()
        let paths = StateStorage.Paths(keyValue: "\(directory.path)/a/b/c/kv", snapshots: "\(directory.path)/a/b/c/snapshot")
        let storage = try StateStorage(paths: paths, options: StateBench.options, fileSystem: POSIXFileSystem())
        let bytes = archive.bytes
        var offer = snapshot.offer(chunkByteCount: 4 << 20)
        if let index { offer.mark.index = index }
        offer.fingerprint = archive.fingerprint
        offer.byteCount = UInt64(bytes.count)
        var failure: ReceptionFailure?
        do throws(ReceptionFailure) {
            _ = try storage.openReception(offer)
            try storage.storeChunk(0, of: offer.id, bytes)
            try storage.finishReception(offer.id)
        } catch { failure = error }
        return (failure, try directory.files(below: "."))
    }

    private func expectDamage(_ archive: CraftedArchive, index: LogIndex? = nil) throws {
        let (failure, files) = try receive(archive, index: index)
        guard case .damaged = failure else {
            Issue.record("\(String(describing: failure)): \(archive.files.map { String(decoding: $0.name, as: UTF8.self) })")
            return
        }
        #expect(files == ["a", "a/b", "a/b/c", "a/b/c/kv", "a/b/c/snapshot", "a/b/c/snapshot/incoming"])
    }

    @Test("Its bytes are those of the document")
    func document() throws {
        #expect(archive.bytes == (try source.archive(snapshot)))
        #expect(archive.fingerprint == snapshot.id.fingerprint)
        #expect(archive.index == snapshot.id.index.rawValue)
        #expect(archive.fields.number(at: 8, UInt64.self) == 2)
        #expect(archive.fields.number(at: 16, UInt32.self) == 1)
        #expect(archive.fields.number(at: 20, UInt64.self) == source.digest.low)
        #expect(archive.fields.number(at: 28, UInt64.self) == source.digest.high)
        // Configuration: three voters; genesis: cluster 77 at 1.
        #expect(archive.fields.number(at: 36, UInt16.self) == 3)
        #expect(archive.fields.number(at: 36 + 33, UInt64.self) == 77)
        #expect(archive.fields.number(at: 36 + 33 + 8, UInt64.self) == 1)
        let names = archive.files.map { String(decoding: $0.name, as: UTF8.self) }
        #expect(names == names.sorted() && names.contains("CURRENT"))
        #expect(names.contains { $0.hasSuffix(".sst") } && names.contains { $0.hasSuffix(".blob") })
        // Nothing but what RocksDB needs.
        #expect(!names.contains { ["LOCK", "LOG", "IDENTITY", "manifest"].contains($0) })
    }

    @Test("One that was put together anew is taken as well")
    func control() throws {
        #expect(try receive(archive).failure == nil)
    }

    @Test(
        "A name that is not a file of RocksDB's is refused, and nothing is written anywhere",
        arguments: [
            "../../../evil.sst", "..", ".", "", "/tmp/000001.sst", "a/000001.sst", "000001.sst/..", "../000001.sst", "manifest",
            "STORE", "LOCK", "CURRENT\0", "000001.sst\0", "-000001.sst", "MANIFEST-", "MANIFEST-../1", "OPTIONS-1/2", ".sst",
            "٣.sst", "1.exe", String(repeating: "1", count: 70) + ".sst",
        ])
    func names(_ name: String) throws {
        var archive = archive
        archive.files.append(CraftedArchive.File(name, [1, 2, 3]))
        archive.files.sort { $0.name.lexicographicallyPrecedes($1.name) }
        try expectDamage(archive)
    }

    @Test("Names that are twice there or out of order are refused")
    func order() throws {
        var twice = archive
        twice.files.insert(twice.files[0], at: 0)
        try expectDamage(twice)
        var turned = archive
        turned.files.swapAt(0, 1)
        try expectDamage(turned)
    }

    @Test("Sizes that do not fit are refused", arguments: [0, 1, 1 << 40, 1 << 62, .max] as [UInt64])
    func sizes(_ byteCount: UInt64) throws {
        for place in archive.files.indices {
            var archive = archive
            archive.files[place].byteCount = byteCount
            try expectDamage(archive)
        }
    }

    @Test("Missing files, files that are no store, and bytes behind the end are refused")
    func contents() throws {
        for place in archive.files.indices {
            var archive = archive
            let removed = archive.files.remove(at: place)
            // RocksDB does without its options and an empty log, and looks for blobs only when they are read.
            let name = String(decoding: removed.name, as: UTF8.self)
            if name.hasPrefix("OPTIONS-") || name.hasSuffix(".log") || name.hasSuffix(".blob") { continue }
            try expectDamage(archive)
        }
        var garbage = archive
        for place in garbage.files.indices {
            garbage.files[place] = CraftedArchive.File(
                String(decoding: garbage.files[place].name, as: UTF8.self), [UInt8](repeating: 7, count: 100))
        }
        try expectDamage(garbage)
        var empty = archive
        empty.files = []
        try expectDamage(empty)
        var longer = archive
        longer.trailer = [0]
        try expectDamage(longer)
    }

    @Test("A manifest that says something else than the state inside is refused")
    func state() throws {
        var later = archive
        later.index += 1
        try expectDamage(later, index: LogIndex(later.index))
        for offset in [16, 20, 28, 36 + 33, 36 + 33 + 8] {
            var other = archive
            other.fields[offset] ^= 2
            try expectDamage(other)
        }
    }
}
