import Checksum
import FileSystem
import KeyValueStore
import Raft

/// A snapshot as one string of bytes: its manifest, then its files in the manifest's order, nothing between or behind them. So the bytes
/// of a snapshot's directory can be sent without writing them a second time.
///
///     │ manifest │ CURRENT │ MANIFEST-000005 │ OPTIONS-000007 │ 000009.sst │ …
struct SnapshotArchive: Sendable {
    let manifest: SnapshotManifest
    let manifestBytes: [UInt8]
    /// Of the whole archive.
    let byteCount: UInt64
    /// Where the file of the same place in the manifest begins.
    let offsets: [UInt64]

    static let bufferByteCount = 1 << 20
    /// Space that unpacking needs beside the archive: RocksDB's largest files, of blobs, have as many bytes.
    static let unpackingByteCount: UInt64 = 256 << 20

    init(_ manifest: SnapshotManifest) {
        self.init(manifest, bytes: manifest.encode())
    }

    private init(_ manifest: SnapshotManifest, bytes: [UInt8]) {
        self.manifest = manifest
        manifestBytes = bytes
        var end = UInt64(bytes.count)
        offsets = manifest.files.map { file in
            defer { end += file.byteCount }
            return end
        }
        byteCount = end
    }

    var id: SnapshotID {
        SnapshotID(index: manifest.mark.index, term: manifest.mark.term, fingerprint: Fingerprint.of(manifestBytes))
    }

    var description: SnapshotDescription {
        SnapshotDescription(
            id: id, configuration: manifest.mark.configuration, version: manifest.version, byteCount: byteCount)
    }

    /// Reads the head of an archive, or the manifest of a directory.
    init(readingHeadOf file: any File) throws(StateStorageError) {
        let bytes: [UInt8]
        do {
            let head = try StateStorageError.files { () throws(FileSystemError) in
                try file.readBytes(at: 0, byteCount: SnapshotManifest.headByteCount)
            }
            let count = try SnapshotManifest.byteCount(head: head)
            // Not more memory than there are bytes, whatever the head says.
            let there = try StateStorageError.files { () throws(FileSystemError) in try file.byteCount() }
            guard UInt64(count) <= there else { throw DecodingFault.truncated(missing: count - Int(there)) }
            bytes = try StateStorageError.files { () throws(FileSystemError) in try file.readBytes(at: 0, byteCount: count) }
            self.init(try SnapshotManifest(decoding: bytes), bytes: bytes)
        } catch let fault as DecodingFault {
            throw .damaged(path: file.path, reason: "its manifest: \(fault)")
        } catch let error as StateStorageError {
            throw error
        } catch {
            throw .damaged(path: file.path, reason: "its manifest cannot be read")
        }
    }
}

extension SnapshotArchive {
    // MARK: Writing

    /// The archive's bytes from there on, read from the snapshot's directory.
    ///
    /// - Precondition: they lie within the archive.
    /// - Throws: `.damaged` where a file is shorter than the manifest says.
    func bytes(
        at offset: UInt64, byteCount: Int, in directory: String, _ fileSystem: any FileSystem
    ) throws(StateStorageError) -> [UInt8] {
        precondition(offset <= self.byteCount && UInt64(byteCount) <= self.byteCount - offset, "bytes beyond the archive")
        var bytes: [UInt8] = []
        bytes.reserveCapacity(byteCount)
        if offset < UInt64(manifestBytes.count) { bytes += manifestBytes[Int(offset)...].prefix(byteCount) }
        var place = self.place(of: offset + UInt64(bytes.count))
        while bytes.count < byteCount {
            let file = manifest.files[place]
            let start = offset + UInt64(bytes.count) - offsets[place]
            let count = Int(min(file.byteCount - start, UInt64(byteCount - bytes.count)))
            if count > 0 {
                let path = "\(directory)/\(file.name)"
                let part = try StateStorageError.files { () throws(FileSystemError) in
                    try fileSystem.open(path, .read).readBytes(at: start, byteCount: count)
                }
                guard part.count == count else { throw .damaged(path: path, reason: "it is shorter than its manifest says") }
                bytes += part
            }
            place += 1
        }
        return bytes
    }

    /// The first file that ends behind that offset.
    private func place(of offset: UInt64) -> Int {
        var (low, high) = (0, offsets.count)
        while low < high {
            let middle = (low + high) / 2
            if offsets[middle] + manifest.files[middle].byteCount <= offset { low = middle + 1 } else { high = middle }
        }
        return low
    }

    // MARK: Reading

    /// Moves the files of an archive, and its manifest, into an empty directory, and makes them durable. The last comes first, and is
    /// then cut off the archive, so that all of it together takes up the space of one snapshot and one file.
    ///
    /// - Throws: `.damaged` where the archive does not end where it says, or a file does not have its checksum.
    func unpack(_ archive: any File, into directory: String, _ fileSystem: any FileSystem) throws(StateStorageError) {
        let there = try StateStorageError.files { () throws(FileSystemError) in try archive.byteCount() }
        guard there == byteCount else {
            throw .damaged(path: archive.path, reason: "it has \(there) bytes instead of \(byteCount)")
        }
        for (file, offset) in zip(manifest.files, offsets).reversed() {
            let checksum = try StateStorageError.files { () throws(FileSystemError) in
                let target = try fileSystem.open("\(directory)/\(file.name)", .createNew)
                let checksum = try archive.copy(at: offset, byteCount: file.byteCount, to: target)
                try target.synchronize()
                return checksum
            }
            guard checksum == file.checksum else {
                throw .damaged(path: archive.path, reason: "\(file.name) in it does not have its checksum")
            }
            try StateStorageError.files { () throws(FileSystemError) in try archive.truncate(to: offset) }
        }
        try writeManifest(in: directory, fileSystem)
    }

    /// Last of all: a directory without it is nothing whole.
    func writeManifest(in directory: String, _ fileSystem: any FileSystem) throws(StateStorageError) {
        try StateStorageError.files { () throws(FileSystemError) in
            let file = try fileSystem.open("\(directory)/\(SnapshotManifest.fileName)", .createNew)
            try file.write(manifestBytes)
            try file.synchronize()
            try fileSystem.synchronizeDirectory(directory)
        }
    }
}

extension File {
    /// Copies so many bytes to the start of another file, if there are as many. - Returns: their CRC-32C.
    func copy(at offset: UInt64, byteCount: UInt64, to target: any File) throws(FileSystemError) -> UInt32 {
        try copy(at: offset, byteCount: byteCount) { (bytes, place) throws(FileSystemError) in
            try target.write(bytes, at: place)
        }
    }

    /// The CRC-32C of all of it.
    func checksum() throws(FileSystemError) -> UInt32 {
        try copy(at: 0, byteCount: try byteCount()) { _, _ throws(FileSystemError) in }
    }

    private func copy(
        at offset: UInt64, byteCount: UInt64, _ write: ([UInt8], UInt64) throws(FileSystemError) -> Void
    ) throws(FileSystemError) -> UInt32 {
        var (done, checksum): (UInt64, UInt32) = (0, 0)
        while done < byteCount {
            let count = Int(min(byteCount - done, UInt64(SnapshotArchive.bufferByteCount)))
            let bytes = try readBytes(at: offset + done, byteCount: count)
            if bytes.isEmpty { break }
            checksum = bytes.withUnsafeBytes { CRC32C.checksum($0, seed: checksum) }
            try write(bytes, done)
            done += UInt64(bytes.count)
        }
        return checksum
    }
}
