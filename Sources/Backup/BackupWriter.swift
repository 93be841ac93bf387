import Checksum
import FileSystem
import Metadata
import ObjectDataStore
import Synchronization

/// Writes a backup file front to back under a temporary name. Used by one thread at a time; all calls block.
final class BackupWriter: Sendable {
    /// The disk is asked to begin writing after so much, so that nothing waits long behind it.
    private static let writebackByteCount: UInt64 = 256 << 10

    private struct Progress {
        var offset: UInt64 = 0
        var writtenBack: UInt64 = 0
        var hash = SipHash128(key: BackupFormat.digestKey)
    }

    let path: String
    let temporaryPath: String
    private let directory: String
    private let file: any File
    private let fileSystem: any FileSystem
    private let progress = Mutex(Progress())

    /// - Throws: `.fileSystem`.
    init(_ path: String, in directory: String, fileSystem: any FileSystem) throws(BackupError) {
        self.path = path
        self.directory = directory
        self.fileSystem = fileSystem
        let temporaryPath = "\(path).\(String(UInt64.random(in: .min ... .max), radix: 16)).partial"
        self.temporaryPath = temporaryPath
        file = try BackupError.files { () throws(FileSystemError) in try fileSystem.open(temporaryPath, .createNew) }
    }

    var offset: UInt64 { progress.withLock { $0.offset } }

    func write(_ bytes: UnsafeRawBufferPointer) throws(BackupError) {
        let offset = offset
        try BackupError.files { () throws(FileSystemError) in try file.write(bytes, at: offset) }
        let begun: (from: UInt64, byteCount: UInt64)? = progress.withLock { progress in
            progress.hash.update(bytes)
            progress.offset += UInt64(bytes.count)
            let waiting = progress.offset - progress.writtenBack
            guard waiting >= Self.writebackByteCount else { return nil }
            defer { progress.writtenBack = progress.offset }
            return (progress.writtenBack, waiting)
        }
        if let begun { file.startWriteback(from: begun.from, byteCount: begun.byteCount) }
    }

    func write(_ bytes: [UInt8]) throws(BackupError) {
        let outcome = bytes.withUnsafeBytes { buffer in Result { () throws(BackupError) in try write(buffer) } }
        try outcome.get()
    }

    func writeHead(of body: StoredBody) throws(BackupError) {
        var bytes: [UInt8] = []
        bytes.appendLittleEndian(body.id.origin)
        bytes.appendLittleEndian(body.id.sequence)
        bytes.appendLittleEndian(body.length)
        bytes.appendLittleEndian(BackupFormat.checksum(bytes))
        try write(bytes)
    }

    func writeChecksums(_ blockChecksums: [UInt32]) throws(BackupError) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity((blockChecksums.count + 1) * BackupFormat.checksumByteCount)
        for checksum in blockChecksums { bytes.appendLittleEndian(checksum) }
        bytes.appendLittleEndian(BodyFormat.tableChecksum(blockChecksums))
        try write(bytes)
    }

    /// Makes the file durable, then gives it its name, durably; never in the place of another one.
    ///
    /// - Throws: `.exists`, `.fileSystem`; the temporary file is for `abandon` then.
    func finish() throws(BackupError) -> BackupEnd {
        let (offset, digest) = progress.withLock { ($0.offset, $0.hash.value) }
        let end = BackupEnd(fileByteCount: offset + UInt64(BackupFormat.endByteCount), digest: digest)
        let bytes = end.encode()
        do throws(FileSystemError) {
            try file.write(bytes, at: offset)
            try file.synchronize()
            try publish()
        } catch {
            if error.code == .exists { throw .exists(path: path) }
            throw .fileSystem(error)
        }
        do throws(FileSystemError) { try fileSystem.synchronizeDirectory(directory) } catch {
            // Nobody is to find what its maker was told has failed.
            try? fileSystem.unlink(path)
            throw .fileSystem(error)
        }
        return end
    }

    /// A link refuses a name that is taken, which a rename would replace.
    private func publish() throws(FileSystemError) {
        do throws(FileSystemError) {
            try fileSystem.link(temporaryPath, to: path)
            try fileSystem.unlink(temporaryPath)
        } catch {
            guard error.code == .cannotLink else { throw error }
            if try fileSystem.exists(path) {
                throw FileSystemError(number: FileSystemError.Code.exists.number, operation: "rename", path: path)
            }
            try fileSystem.rename(temporaryPath, to: path)
        }
    }

    /// Removes what was written. What cannot be removed stays, under a name that says so.
    func abandon() { try? fileSystem.unlink(temporaryPath) }
}
