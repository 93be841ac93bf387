import Checksum
import FileSystem
import Metadata
import Raft

/// Which directory holds the state, in `<kv_path>/STORE`. Without that file it is `<kv_path>` itself: a store that was never replaced.
///
///     0           8                 12      20     28
///     │ RFSMSTOR  │ layout version  │ index │ term │ name length (1), name │ CRC32C │
struct StorePointer: Hashable, Sendable {
    static let magic = Array("RFSMSTOR".utf8)
    static let layoutVersion: UInt32 = 1
    static let fileName = "STORE"
    private static let byteCountMax = 512

    enum Origin: String, Sendable {
        /// A snapshot of a peer: the log begins behind it.
        case installed
        /// A snapshot file, by an entry of the log, which goes on.
        case restored
    }

    var origin: Origin
    /// Where the state was replaced.
    var index: LogIndex
    var term: Term
    /// Tells directories of the same index and term apart.
    var number: UInt64

    var directoryName: String { "\(origin.rawValue)-\(index.rawValue)-\(term.rawValue)-\(number)" }

    init(_ origin: Origin, index: LogIndex, term: Term, number: UInt64) {
        self.origin = origin
        self.index = index
        self.term = term
        self.number = number
    }

    /// Of a directory that a replacement made.
    init?(directoryName name: String) {
        let parts = name.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 4, let origin = Origin(rawValue: String(parts[0])), let index = UInt64(parts[1]),
            let term = UInt64(parts[2]),
            let number = UInt64(parts[3])
        else { return nil }
        self.init(origin, index: LogIndex(index), term: Term(term), number: number)
        guard directoryName == name else { return nil }
    }

    // MARK: Bytes

    func encode() -> [UInt8] {
        var bytes = Self.magic
        bytes.appendLittleEndian(Self.layoutVersion)
        bytes.appendLittleEndian(index.rawValue)
        bytes.appendLittleEndian(term.rawValue)
        let name = Array(directoryName.utf8)
        bytes.append(UInt8(name.count))
        bytes.append(contentsOf: name)
        bytes.appendLittleEndian(bytes.withUnsafeBytes { CRC32C.checksum($0) })
        return bytes
    }

    init(decoding bytes: [UInt8]) throws(DecodingFault) {
        let content = Array(bytes.dropLast(MemoryLayout<UInt32>.size))
        var reader = BytesReader(bytes)
        guard try reader.readBytes(Self.magic.count) == Self.magic else { throw .invalid(field: "magic") }
        let version = try reader.readUInt32()
        guard version == Self.layoutVersion else { throw .unknownCode(field: "layout version", code: UInt64(version)) }
        let (index, term) = (try reader.readIndex("index"), try reader.readTerm())
        let nameByteCount = Int(try reader.readUInt8())
        let name = String(decoding: try reader.readBytes(nameByteCount), as: UTF8.self)
        guard try reader.readUInt32() == content.withUnsafeBytes({ CRC32C.checksum($0) }) else {
            throw .invalid(field: "checksum")
        }
        try reader.expectEnd()
        guard let pointer = Self(directoryName: name), pointer.index == index, pointer.term == term else {
            throw .invalid(field: "name")
        }
        self = pointer
    }

    // MARK: File

    /// - Returns: nil: there is none.
    static func load(in directory: String, _ fileSystem: any FileSystem) throws(StateStorageError) -> StorePointer? {
        let path = "\(directory)/\(fileName)"
        let bytes: [UInt8]
        do throws(FileSystemError) {
            bytes = try fileSystem.readFile(path, byteCountMax: byteCountMax)
        } catch {
            guard error.code == .notFound else { throw .fileSystem(error) }
            return nil
        }
        do throws(DecodingFault) {
            return try StorePointer(decoding: bytes)
        } catch { throw .damaged(path: path, reason: error.description) }
    }

    /// Durable when it returns. After an error it may be there or not.
    func store(in directory: String, _ fileSystem: any FileSystem) throws(StateStorageError) {
        try StateStorageError.files { () throws(FileSystemError) in
            try fileSystem.replaceFile("\(directory)/\(Self.fileName)", in: directory, with: encode())
        }
    }
}
