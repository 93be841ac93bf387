import Checksum
package import FileSystem
import Metadata

/// What a backup file says of itself.
package struct BackupFile: Hashable, Sendable {
    package let path: String
    package let header: BackupHeader
    package let end: BackupEnd

    init(_ header: BackupHeader, _ end: BackupEnd, path: String) {
        self.header = header
        self.end = end
        self.path = path
    }
}

/// A backup file whose beginning and end were found right. What is between is for `BackupSections`.
package struct OpenedBackup: Sendable {
    package let path: String
    package let header: BackupHeader
    package let end: BackupEnd
    let file: any File
    let headerByteCount: Int
    /// What is open ends behind the store: see `init(openingStateOf:)`.
    let isStateAlone: Bool

    package var summary: BackupFile { BackupFile(header, end, path: path) }

    /// Blocks.
    ///
    /// - Throws: `.foreign`, `.unknownVersion`, `.unknownSchema`, `.cutShort`, `.damaged`, `.fileSystem`.
    package init(opening path: String, fileSystem: any FileSystem) throws(BackupError) {
        self.path = path
        let (file, byteCount, head, tail) = try BackupError.files { () throws(FileSystemError) in
            if try fileSystem.status(path).isDirectory {
                throw FileSystemError(number: FileSystemError.Code.isDirectory.number, operation: "open", path: path)
            }
            let file = try fileSystem.open(path, .read)
            let byteCount = try file.byteCount()
            let tailStart = byteCount - min(byteCount, UInt64(BackupFormat.endByteCount))
            return (
                file, byteCount, try file.readBytes(at: 0, byteCount: BackupFormat.headByteCount),
                try file.readBytes(at: tailStart, byteCount: BackupFormat.endByteCount)
            )
        }
        self.file = file
        let end = BackupEnd(decoding: tail)
        try Self.checkMagic(head, hasEnd: end != nil, path)
        headerByteCount = Int(head.uint32(at: 12))
        header = try Self.decodeHeader(file, head, headerByteCount, of: byteCount, path)
        guard byteCount >= header.fileByteCount else {
            throw .cutShort(path: path, byteCount: byteCount, expected: header.fileByteCount)
        }
        guard byteCount == header.fileByteCount else {
            throw .damaged(path: path, reason: "\(byteCount - header.fileByteCount) bytes follow its end")
        }
        guard let end, end.fileByteCount == byteCount else { throw .damaged(path: path, reason: "its end") }
        self.end = end
        isStateAlone = false
        guard header.schemaVersion == KeySchema.schemaVersion else {
            throw .unknownSchema(path: path, header.schemaVersion)
        }
    }

    /// Opens the beginning of a backup file, up to the end of the store in it (`stateByteCount`): the state without bodies. Its bytes have
    /// the checksums of the parts only, not the digest of the whole. Blocks.
    ///
    /// - Parameter id: of the whole file.
    /// - Throws: as `init(opening:)`.
    package init(openingStateOf path: String, id: UInt128, fileSystem: any FileSystem) throws(BackupError) {
        self.path = path
        let (file, byteCount, head) = try BackupError.files { () throws(FileSystemError) in
            let file = try fileSystem.open(path, .read)
            return (file, try file.byteCount(), try file.readBytes(at: 0, byteCount: BackupFormat.headByteCount))
        }
        self.file = file
        try Self.checkMagic(head, hasEnd: false, path)
        headerByteCount = Int(head.uint32(at: 12))
        header = try Self.decodeHeader(file, head, headerByteCount, of: byteCount, path)
        end = BackupEnd(fileByteCount: header.fileByteCount, digest: id)
        isStateAlone = true
        guard byteCount == stateByteCount else {
            throw .cutShort(path: path, byteCount: byteCount, expected: stateByteCount)
        }
        guard header.schemaVersion == KeySchema.schemaVersion else {
            throw .unknownSchema(path: path, header.schemaVersion)
        }
    }

    /// Bytes up to the end of the store in it.
    package var stateByteCount: UInt64 {
        UInt64(headerByteCount) + header.storeByteCount + UInt64(BackupFormat.checksumByteCount * header.files.count)
    }

    /// Some of the bytes of the file as they are, without any comparison. Blocks.
    package func bytes(at offset: UInt64, byteCount: Int) throws(BackupError) -> [UInt8] {
        try BackupError.files { () throws(FileSystemError) in try file.readBytes(at: offset, byteCount: byteCount) }
    }

    /// A file that does not begin as one may still end as one.
    private static func checkMagic(_ head: [UInt8], hasEnd: Bool, _ path: String) throws(BackupError) {
        let magic = BackupFormat.headerMagic
        guard head.starts(with: magic.prefix(head.count)) else {
            if hasEnd { throw .damaged(path: path, reason: "its first bytes") }
            throw .foreign(path: path, reason: "it does not begin as one")
        }
        if head.isEmpty { throw .foreign(path: path, reason: "it is empty") }
        guard head.count == BackupFormat.headByteCount else {
            throw .cutShort(path: path, byteCount: UInt64(head.count), expected: nil)
        }
    }

    private static func decodeHeader(
        _ file: any File, _ head: [UInt8], _ headerByteCount: Int, of fileByteCount: UInt64, _ path: String
    ) throws(BackupError) -> BackupHeader {
        let bytes = try readHeader(file, headerByteCount, of: fileByteCount, path)
        let version = head.uint32(at: 8)
        guard version == BackupFormat.version else { throw .unknownVersion(path: path, version) }
        do throws(RecordDamage) { return try BackupHeader(decoding: bytes) } catch {
            throw .damaged(path: path, reason: "\(error)")
        }
    }

    /// The checksum is compared before anything of it is believed.
    private static func readHeader(
        _ file: any File, _ byteCount: Int, of fileByteCount: UInt64, _ path: String
    ) throws(BackupError) -> [UInt8] {
        let headerByteCountMin = BackupFormat.headByteCount + BackupFormat.checksumByteCount
        guard byteCount >= headerByteCountMin, byteCount <= BackupFormat.headerByteCountMax else {
            throw .damaged(path: path, reason: "its header's length")
        }
        guard UInt64(byteCount) <= fileByteCount else {
            throw .cutShort(path: path, byteCount: fileByteCount, expected: nil)
        }
        let bytes = try BackupError.files { () throws(FileSystemError) in try file.readBytes(at: 0, byteCount: byteCount) }
        let content = Array(bytes.dropLast(BackupFormat.checksumByteCount))
        guard bytes.count == byteCount,
            BackupFormat.checksum(content) == bytes.uint32(at: content.count)
        else { throw .damaged(path: path, reason: "its header") }
        return bytes
    }

    /// Reads all of it and compares every checksum; nothing is kept. Blocks.
    ///
    /// - Parameter read: is told of so many more bytes.
    /// - Throws: `.damaged`, `.cutShort`, `.fileSystem`.
    package func verify(_ read: (Int) -> Void = { _ in }) throws(BackupError) {
        var sections = BackupSections(of: self)
        while try sections.next() != nil {
            while let bytes = try sections.read() { read(bytes.count) }
        }
    }
}
