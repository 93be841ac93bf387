package import FileSystem
internal import Raft

/// A file of the log, in use or in reserve, with the places of the entries that it holds.
///
/// Places cost four bytes an entry. Entries of one segment are neighbours in the log, and later ones lie further back in the file.
final class Segment {
    let number: UInt64
    let path: String
    let byteCount: Int
    /// Through the cache, for reading.
    let reader: any File
    /// What is written through: `reader` itself where the file system has no direct files.
    let writer: any File
    let isDirect: Bool
    /// Behind the last batch that was put here, written or waiting.
    var end = 0
    /// The index that the log would begin behind if replay started at this segment.
    var baseIndex = LogIndex.zero
    private(set) var firstIndex = LogIndex.zero
    private var offsets: [UInt32] = []

    init(_ prepared: PreparedSegment) {
        number = prepared.number
        path = prepared.path
        byteCount = prepared.byteCount
        reader = prepared.reader
        writer = prepared.writer ?? prepared.reader
        isDirect = prepared.writer != nil
    }

    var entryCount: Int { offsets.count }
    /// - Precondition: there are entries.
    var lastIndex: LogIndex { firstIndex + (offsets.count - 1) }

    func holds(_ index: LogIndex) -> Bool { !offsets.isEmpty && index >= firstIndex && index <= lastIndex }

    @inline(__always)
    func add(_ index: LogIndex, at offset: Int) {
        if offsets.isEmpty { firstIndex = index }
        offsets.append(UInt32(truncatingIfNeeded: offset))
    }

    func offset(of index: LogIndex) -> Int { Int(offsets[index - firstIndex]) }

    /// Where the bytes of an entry end, at the latest.
    func limit(of index: LogIndex) -> Int { index < lastIndex ? offset(of: index.next) : end }

    /// Forgets the entries behind `index`.
    func truncate(after index: LogIndex) {
        guard !offsets.isEmpty, lastIndex > index else { return }
        offsets.removeLast(index < firstIndex ? offsets.count : lastIndex - index)
    }

    func reserveCapacity(_ count: Int) { offsets.reserveCapacity(count) }
}

/// A file of full size under its own, durable name: what a segment needs before it may be used.
package struct PreparedSegment: Sendable {
    package let number: UInt64
    package let path: String
    package let byteCount: Int
    package let reader: any File
    /// A direct file; nil where there are none.
    package let writer: (any File)?
}

/// The file of a segment that the log does not need any more.
struct ReleasedSegment: Sendable {
    var path: String
    var byteCount: Int
}

/// The next change of the log's files. A value, so that a thread of its own may do it: filling 64 MiB takes a while.
package struct ReservePlan: Sendable {
    enum Action: Sendable {
        case create
        case reuse(String)
        case delete(String)
    }

    let number: UInt64
    let action: Action
    let directory: String
    let byteCount: Int
    let fileSystem: any FileSystem
    let mutations: StorageMutations

    /// The file of a released segment; nil if a new one is made.
    var source: String? {
        switch action {
        case .create: nil
        case .reuse(let path), .delete(let path): path
        }
    }

    /// Blocks on the disk. The new reserve; nil if a file was deleted. A full disk leaves nothing that the next attempt minds.
    package func perform() throws(FileSystemError) -> PreparedSegment? {
        let path = directory + "/" + LogFormat.segmentName(number)
        switch action {
        case .delete(let source):
            // Not synchronized: if it comes back after a crash it is a leftover again.
            try fileSystem.unlink(source)
            return nil
        case .reuse(let source):
            try fileSystem.rename(source, to: path)
        case .create:
            // Under another name until it is durable: after a synchronization that failed the next start could not tell.
            let temporary = path + LogFormat.temporarySuffix
            try fill(try fileSystem.open(temporary, .createIfMissing))
            try fileSystem.rename(temporary, to: path)
        }
        // Before anything is written into it: else a crash may take the name, and the segment with it.
        if !mutations.contains(.renamesWithoutDirectorySync) { try fileSystem.synchronizeDirectory(directory) }
        return try Self.open(path, number: number, byteCount: byteCount, in: fileSystem)
    }

    static func open(
        _ path: String, number: UInt64, byteCount: Int, in fileSystem: any FileSystem
    ) throws(FileSystemError) -> PreparedSegment {
        PreparedSegment(
            number: number, path: path, byteCount: byteCount, reader: try fileSystem.open(path, .update),
            writer: try fileSystem.openDirect(path, .update))
    }

    /// Written, not only allocated: the first write of an allocated block has to tell the file system that it is used now.
    private func fill(_ file: any File) throws(FileSystemError) {
        let zeros = [UInt8](repeating: 0, count: min(byteCount, 1 << 20))
        for offset in stride(from: 0, to: byteCount, by: zeros.count) {
            let count = min(zeros.count, byteCount - offset)
            try file.write(count == zeros.count ? zeros : Array(zeros.prefix(count)), at: UInt64(offset))
        }
        try file.synchronize()
    }
}
