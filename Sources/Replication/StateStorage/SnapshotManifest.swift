import Checksum
import KeyValueStore
import Metadata
import Raft

/// What a snapshot is, and the files that it consists of (docs/formats/snapshot.md). A file beside them in the snapshot's directory, and
/// the head of its archive.
///
///     0           8                 12              16
///     │ RFSMSNAP  │ layout version  │ byte count    │ fields … files │ CRC32C │
struct SnapshotManifest: Hashable, Sendable {
    static let magic = Array("RFSMSNAP".utf8)
    static let layoutVersion: UInt32 = 1
    static let headByteCount = 16
    /// A million files of the longest names, and all members.
    static let byteCountMax = 64 << 20
    static let fileCountMax = 1 << 20
    static let fileName = "manifest"

    /// Of the state, as read from inside the checkpoint.
    var mark: SnapshotMark
    var version: ClusterVersion
    var digest: StateDigest
    var genesis: Genesis
    /// Sorted by name, each once.
    var files: [SnapshotFile]

    init(state: SnapshotState, files: [SnapshotFile]) {
        mark = state.mark
        version = state.version
        digest = state.digest
        genesis = state.genesis
        self.files = files
    }

    var state: SnapshotState { SnapshotState(mark: mark, version: version, digest: digest, genesis: genesis) }

    func encode() -> [UInt8] {
        var bytes = Self.magic
        bytes.appendLittleEndian(Self.layoutVersion)
        bytes.appendLittleEndian(UInt32(0))
        bytes.appendLittleEndian(mark.index.rawValue)
        bytes.appendLittleEndian(mark.term.rawValue)
        bytes.appendLittleEndian(version.rawValue)
        bytes.appendLittleEndian(digest.low)
        bytes.appendLittleEndian(digest.high)
        bytes.append(mark.configuration)
        bytes.append(genesis)
        bytes.appendLittleEndian(UInt32(files.count))
        for file in files {
            let name = Array(file.name.text.utf8)
            bytes.append(UInt8(name.count))
            bytes.append(contentsOf: name)
            bytes.appendLittleEndian(file.byteCount)
            bytes.appendLittleEndian(file.checksum)
        }
        let byteCount = UInt32(bytes.count + MemoryLayout<UInt32>.size)
        bytes.replaceSubrange(12..<16, with: [0, 8, 16, 24].map { UInt8(truncatingIfNeeded: byteCount >> $0) })
        bytes.appendLittleEndian(bytes.withUnsafeBytes { CRC32C.checksum($0) })
        return bytes
    }

    /// How many bytes the manifest has that begins with these.
    static func byteCount(head: [UInt8]) throws(DecodingFault) -> Int {
        var reader = BytesReader(head)
        guard try reader.readBytes(magic.count) == magic else { throw .invalid(field: "magic") }
        let version = try reader.readUInt32()
        guard version == layoutVersion else { throw .unknownCode(field: "layout version", code: UInt64(version)) }
        let byteCount = Int(try reader.readUInt32())
        guard byteCount > headByteCount + MemoryLayout<UInt32>.size else { throw .invalid(field: "byte count") }
        guard byteCount <= byteCountMax else { throw .tooMany(field: "byte count", count: byteCount) }
        return byteCount
    }

    init(decoding bytes: [UInt8]) throws(DecodingFault) {
        guard try Self.byteCount(head: Array(bytes.prefix(Self.headByteCount))) == bytes.count else {
            throw .invalid(field: "byte count")
        }
        let content = Array(bytes.dropLast(MemoryLayout<UInt32>.size))
        var end = BytesReader(Array(bytes.suffix(MemoryLayout<UInt32>.size)))
        guard try end.readUInt32() == content.withUnsafeBytes({ CRC32C.checksum($0) }) else {
            throw .invalid(field: "checksum")
        }
        var reader = BytesReader(content)
        _ = try reader.readBytes(Self.headByteCount)
        let index = try reader.readIndex("index")
        let term = try reader.readTerm()
        version = ClusterVersion(try reader.readUInt32())
        digest = StateDigest(low: try reader.readUInt64(), high: try reader.readUInt64())
        mark = SnapshotMark(index: index, term: term, configuration: try reader.readConfiguration())
        genesis = try reader.readGenesis()
        files = try Self.readFiles(&reader)
        try reader.expectEnd()
    }

    private static func readFiles(_ reader: inout BytesReader) throws(DecodingFault) -> [SnapshotFile] {
        let count = try reader.readCount32("files", max: fileCountMax, elementByteCountMin: 14)
        var files: [SnapshotFile] = []
        files.reserveCapacity(count)
        var sum: UInt64 = 0
        for _ in 0..<count {
            let nameByteCount = Int(try reader.readUInt8())
            guard let name = RocksDBFileName(utf8: try reader.readBytes(nameByteCount)) else {
                throw .invalid(field: "file name")
            }
            if let last = files.last, last.name >= name { throw .invalid(field: "order of file names") }
            let file = SnapshotFile(name: name, byteCount: try reader.readUInt64(), checksum: try reader.readUInt32())
            // So that no sum of theirs overflows.
            guard file.byteCount <= SnapshotFile.byteCountMax - sum else { throw .invalid(field: "file size") }
            sum += file.byteCount
            files.append(file)
        }
        return files
    }
}

/// The state that a snapshot holds.
struct SnapshotState: Hashable, Sendable {
    var mark: SnapshotMark
    var version: ClusterVersion
    var digest: StateDigest
    var genesis: Genesis
}

struct SnapshotFile: Hashable, Sendable {
    /// Of all files of a snapshot together.
    static let byteCountMax: UInt64 = 1 << 60

    var name: RocksDBFileName
    var byteCount: UInt64
    /// CRC-32C of its content.
    var checksum: UInt32
}
