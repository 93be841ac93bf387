import Checksum
package import FileSystem
import Metadata
package import ObjectDataStore

/// Reads a backup file front to back, once, and compares everything with its checksums on the way. Holds a MiB of it, and four bytes for
/// each block of the body that it is at. All calls block.
///
///     while let section = try sections.next() { while let bytes = try sections.read() { … } }
package struct BackupSections {
    package enum Section: Hashable, Sendable {
        case file(BackupHeader.StoreFile)
        case body(StoredBody)
    }

    /// A multiple of a body's block.
    package static let byteCountMax = 8 * BodyFormat.blockByteCount

    private let file: OpenedBackup
    private var offset: UInt64 = 0
    private var hash = SipHash128(key: BackupFormat.digestKey)
    private var fileCount = 0
    private var bodyCount: UInt64 = 0
    private var lastBody: BodyID?
    private var current: Section?
    /// Content of the current section that is still to be read.
    private var remaining: UInt64 = 0
    private var checksum = CRC32C()
    private var blockChecksums: [UInt32] = []
    /// Of the body that was read last, once `read` has said nil.
    package private(set) var tableChecksum: UInt32 = 0

    package init(of file: OpenedBackup) {
        self.file = file
    }

    /// - Precondition: the section before was read to its end.
    /// - Returns: nil at the end of the file: it is whole, and every byte of it is what was written.
    package mutating func next() throws(BackupError) -> Section? {
        precondition(current == nil, "a section was left before its end")
        if offset == 0 { _ = try take(file.headerByteCount) }
        if fileCount < file.header.files.count {
            let next = file.header.files[fileCount]
            fileCount += 1
            begin(.file(next), next.byteCount)
        } else if file.isStateAlone {
            guard offset == contentEnd else { throw damaged("its parts are shorter than the whole") }
        } else if file.header.hasBodies, bodyCount < file.header.figures.bodies {
            bodyCount += 1
            let body = try readBodyHead()
            begin(.body(body), body.length)
        } else {
            guard offset == contentEnd, hash.value == file.end.digest else {
                throw damaged("its digest is not that of its bytes")
            }
        }
        return current
    }

    /// The next bytes of the section, at most `byteCountMax`; of a body whole blocks, but for the last.
    ///
    /// - Returns: nil when there are no more: what was read of the section is what was written.
    package mutating func read() throws(BackupError) -> [UInt8]? {
        guard let section = current else { preconditionFailure("there is no section to read") }
        guard remaining > 0 else {
            try finish(section)
            current = nil
            return nil
        }
        let bytes = try take(Int(min(remaining, UInt64(Self.byteCountMax))))
        remaining -= UInt64(bytes.count)
        switch section {
        case .file: bytes.withUnsafeBytes { checksum.update($0) }
        case .body(let body):
            blockChecksums += BodyFormat.blockChecksums(bytes, id: body.id, firstBlock: UInt64(blockChecksums.count))
        }
        return bytes
    }

    private var contentEnd: UInt64 {
        file.isStateAlone ? file.stateByteCount : file.header.fileByteCount - UInt64(BackupFormat.endByteCount)
    }

    /// Writes the store's files, durably, to a directory that has none of these names. The first thing to be done with the sections.
    ///
    /// - Returns: the section behind them.
    package mutating func unpackStore(
        into directory: String, _ fileSystem: any FileSystem
    ) throws(BackupError) -> Section? {
        while let section = try next() {
            guard case .file(let file) = section else { return section }
            let copy = try BackupError.files { () throws(FileSystemError) in
                try fileSystem.open("\(directory)/\(file.name)", .createNew)
            }
            var offset: UInt64 = 0
            while let bytes = try read() {
                let place = offset
                try BackupError.files { () throws(FileSystemError) in try copy.write(bytes, at: place) }
                offset += UInt64(bytes.count)
            }
            try BackupError.files { () throws(FileSystemError) in try copy.synchronize() }
        }
        return nil
    }

    private mutating func begin(_ section: Section, _ byteCount: UInt64) {
        current = section
        remaining = byteCount
        checksum = CRC32C()
        blockChecksums = []
    }

    private mutating func take(_ byteCount: Int) throws(BackupError) -> [UInt8] {
        guard UInt64(byteCount) <= contentEnd - offset else { throw damaged("its parts are longer than the whole") }
        let (file, place) = (file.file, offset)
        let bytes = try BackupError.files { () throws(FileSystemError) in try file.readBytes(at: place, byteCount: byteCount) }
        guard bytes.count == byteCount else {
            throw .cutShort(
                path: self.file.path, byteCount: offset + UInt64(bytes.count), expected: self.file.header.fileByteCount)
        }
        bytes.withUnsafeBytes { hash.update($0) }
        offset += UInt64(byteCount)
        return bytes
    }

    private mutating func readBodyHead() throws(BackupError) -> StoredBody {
        let bytes = try take(BackupFormat.bodyHeadByteCount)
        guard BackupFormat.checksum(Array(bytes.prefix(24))) == bytes.uint32(at: 24) else {
            throw damaged("the head of a body")
        }
        let body = StoredBody(
            id: BodyID(origin: bytes.uint64(at: 0), sequence: bytes.uint64(at: 8)),
            length: bytes.uint64(at: 16))
        guard lastBody.map({ $0 < body.id }) ?? true else { throw damaged("its bodies are not in order") }
        guard body.length <= contentEnd - offset else { throw damaged("the body \(body.id) is longer than the whole") }
        lastBody = body.id
        return body
    }

    private mutating func finish(_ section: Section) throws(BackupError) {
        switch section {
        case .file(let file):
            guard try takeChecksum() == checksum.value else { throw damaged("\(file.name) in it does not have its checksum") }
        case .body(let body):
            var block = 0
            while block < blockChecksums.count {
                let count = min(blockChecksums.count - block, Self.byteCountMax / BackupFormat.checksumByteCount)
                let bytes = try take(count * BackupFormat.checksumByteCount)
                for place in 0..<count {
                    guard bytes.uint32(at: BackupFormat.checksumByteCount * place) == blockChecksums[block + place] else {
                        throw damaged("the body \(body.id) in it, in block \(block + place)")
                    }
                }
                block += count
            }
            tableChecksum = BodyFormat.tableChecksum(blockChecksums)
            guard try takeChecksum() == tableChecksum else { throw damaged("the checksums of the body \(body.id) in it") }
        }
    }

    private mutating func takeChecksum() throws(BackupError) -> UInt32 {
        try take(BackupFormat.checksumByteCount).uint32(at: 0)
    }

    private func damaged(_ reason: String) -> BackupError { .damaged(path: file.path, reason: reason) }
}
