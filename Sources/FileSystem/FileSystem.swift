/// The seam between what keeps data and the disk it keeps it on: POSIX in the server, memory with faults in tests.
///
/// Calls block, so they belong on a thread that may (never on an event loop or in the cooperative pool). Paths are absolute.
/// What a crash leaves is POSIX's: written bytes survive it once the file was synchronized, a name (created, renamed, unlinked)
/// once its directory was. Anything not synchronized may or may not survive, wholly or in parts.
package protocol FileSystem: Sendable {
    /// - Throws: `.notFound`, `.exists` (exclusive creation), `.tooManyOpenFiles`, `.permission`, and what else the disk says.
    func open(_ path: String, _ mode: OpenMode) throws(FileSystemError) -> any File
    /// As `open`, for a file whose writes go past the cache and are durable when they return, with the file's size; nil where
    /// the file system has no such files. Offset, length and memory of each write are multiples of `directAlignment`.
    /// It is for files that have their final size: growth goes through `open`.
    func openDirect(_ path: String, _ mode: OpenMode) throws(FileSystemError) -> (any File)?
    /// Replaces what `target` names, atomically: at any time it is the old file or the new one.
    func rename(_ source: String, to target: String) throws(FileSystemError)
    /// Removes a file's name. Handles that are open stay readable.
    func unlink(_ path: String) throws(FileSystemError)
    /// Gives a file a second name, which must be free. Both are the file; its bytes go with the last one.
    /// - Throws: `.cannotLink` where it has to be copied instead: the names would be on different file systems, or theirs has no links.
    func link(_ source: String, to target: String) throws(FileSystemError)
    /// - Throws: `.exists`, also if `path` is a file.
    func makeDirectory(_ path: String) throws(FileSystemError)
    /// - Throws: `.exists` while there is anything in it.
    func removeDirectory(_ path: String) throws(FileSystemError)
    /// The names in a directory, without `.` and `..`, in no order.
    func list(_ path: String) throws(FileSystemError) -> [String]
    /// Makes the names in a directory durable.
    func synchronizeDirectory(_ path: String) throws(FileSystemError)
    func status(_ path: String) throws(FileSystemError) -> FileStatus
    /// What an unprivileged process can still write on the file system that holds `path`.
    func availableByteCount(at path: String) throws(FileSystemError) -> UInt64
}

/// An open file. Closed when the last reference goes. Safe to use from several threads, as the system calls are.
package protocol File: AnyObject, Sendable {
    var path: String { get }
    /// Writes all of `bytes`, or throws after a part of them.
    func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(FileSystemError)
    /// Fills `buffer`, unless the file ends before; returns how many bytes there were.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(FileSystemError) -> Int
    /// Makes content and size durable. After a failure nothing is known of what was written since the last success, and
    /// another attempt proves nothing (Linux forgets the error and the pages): give the file up.
    func synchronize() throws(FileSystemError)
    /// Asks that these bytes begin to move to the disk, so that a later `synchronize` is short. Promises nothing.
    func startWriteback(from offset: UInt64, byteCount: UInt64)
    /// Asks that these bytes begin to come from the disk, so that a later `read` is short. Promises nothing.
    func startReadahead(from offset: UInt64, byteCount: UInt64)
    func truncate(to byteCount: UInt64) throws(FileSystemError)
    func byteCount() throws(FileSystemError) -> UInt64
    /// Takes the file's exclusive lock for as long as this handle is open.
    /// - Throws: `.locked` if another handle has it, in this process or another.
    func lock() throws(FileSystemError)
}

/// How a file is opened, and whether it may or must be new.
package enum OpenMode: Sendable {
    case read
    /// Existing, for reading and writing.
    case update
    /// Created if missing, for reading and writing; content is kept.
    case createIfMissing
    /// Must not exist; for reading and writing.
    case createNew
}

package struct FileStatus: Sendable, Equatable {
    package let isDirectory: Bool
    package let byteCount: UInt64

    package init(isDirectory: Bool, byteCount: UInt64) {
        self.isDirectory = isDirectory
        self.byteCount = byteCount
    }
}

/// What direct writes are aligned to, in bytes: no disk asks for more.
package let directAlignment = 4_096

extension FileSystem {
    package func openDirect(_ path: String, _ mode: OpenMode) throws(FileSystemError) -> (any File)? { nil }

    /// Makes `path` and what is missing above it, durably.
    package func makeDirectories(_ path: String) throws(FileSystemError) {
        var parent = "/"
        var prefix = ""
        for component in path.split(separator: "/") {
            prefix += "/" + component
            var isThere = false
            do {
                try makeDirectory(prefix)
            } catch {
                guard error.code == .exists, try status(prefix).isDirectory else { throw error }
                isThere = true
            }
            // Also of one that is there: whoever made it may have come no further than that.
            do {
                try synchronizeDirectory(parent)
            } catch {
                guard isThere, error.code == .permission else { throw error }
            }
            parent = prefix
        }
    }

    /// Removes what `path` names, file or directory, with all that is in it; nothing if there is nothing. Not durable by itself.
    package func removeAll(_ path: String) throws(FileSystemError) {
        // A directory stands a second time in front of what is in it: by then it is empty.
        var rest: [(path: String, isEmptied: Bool)] = [(path, false)]
        while let (path, isEmptied) = rest.popLast() {
            do throws(FileSystemError) {
                if isEmptied {
                    try removeDirectory(path)
                } else if try status(path).isDirectory {
                    rest.append((path, true))
                    for name in try list(path) { rest.append(("\(path)/\(name)", false)) }
                } else {
                    try unlink(path)
                }
            } catch {
                guard error.code == .notFound || error.code == .notDirectory else { throw error }
            }
        }
    }

    /// Whether there is a file of that name; a directory is none.
    package func exists(_ path: String) throws(FileSystemError) -> Bool {
        do throws(FileSystemError) {
            return try !status(path).isDirectory
        } catch {
            switch error.code {
            case .notFound, .notDirectory: return false
            default: throw error
            }
        }
    }

    /// A whole file's content, at most `byteCountMax` of it.
    package func readFile(_ path: String, byteCountMax: Int) throws(FileSystemError) -> [UInt8] {
        let file = try open(path, .read)
        return try file.readBytes(at: 0, byteCount: Int(min(try file.byteCount(), UInt64(byteCountMax))))
    }

    /// Replaces a small file durably and whole: after a crash it has the old content or the new.
    /// Uses, and leaves nothing at, `path` with `.new` behind it.
    package func replaceFile(_ path: String, in directory: String, with bytes: [UInt8]) throws(FileSystemError) {
        let temporary = path + ".new"
        let file = try open(temporary, .createIfMissing)
        try file.truncate(to: 0)
        try file.write(bytes)
        try file.synchronize()
        try rename(temporary, to: path)
        try synchronizeDirectory(directory)
    }
}

extension File {
    package func startReadahead(from offset: UInt64, byteCount: UInt64) {}

    /// So many bytes, or those up to the file's end.
    package func readBytes(at offset: UInt64, byteCount: Int) throws(FileSystemError) -> [UInt8] {
        var outcome: Result<Int, FileSystemError> = .success(0)
        let bytes = [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, initializedCount in
            do throws(FileSystemError) {
                initializedCount = try read(into: UnsafeMutableRawBufferPointer(buffer), at: offset)
            } catch {
                outcome = .failure(error)
            }
        }
        _ = try outcome.get()
        return bytes
    }

    /// Writes an array's bytes, by default at the start.
    package func write(_ bytes: [UInt8], at offset: UInt64 = 0) throws(FileSystemError) {
        var outcome: Result<Void, FileSystemError> = .success(())
        bytes.withUnsafeBytes { buffer in
            do throws(FileSystemError) {
                try write(buffer, at: offset)
            } catch {
                outcome = .failure(error)
            }
        }
        try outcome.get()
    }
}
