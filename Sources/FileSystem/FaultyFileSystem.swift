import Synchronization

/// A file system in memory that fails as disks and machines do, for tests and simulation.
///
/// It keeps what was written and what was synchronized apart, so that `crash` can take back the difference. Operations are
/// numbered from 1; a fault is tied to a number, so that a test enumerates every point of a run: count the operations of one
/// that succeeds, then fail each in turn.
package final class FaultyFileSystem: FileSystem {
    /// What a crash leaves of what was not synchronized.
    package enum Survival: Sendable {
        case nothing
        /// As if the machine had written all of it in its last moment.
        case everything
        /// Each name and each 512-byte sector by the toss of a coin, the same for the same seed.
        case some(seed: UInt64)
    }

    package enum Fault: Sendable {
        /// The operation fails, and changes nothing.
        case failure(FileSystemError.Code)
        /// A write that fails after its first bytes; any other operation fails whole.
        case tornWrite(byteCount: Int, FileSystemError.Code)
        /// A write that says it was done, and was not. Any other operation is performed.
        case lostWrite
        /// A write that says it was done, and landed at this offset of the file. Any other operation is performed.
        case misdirectedWrite(to: UInt64)
        /// It and all that follow fail, until `crash`: the machine has stopped.
        case halt
        /// As `halt`, in the middle of a write: of a direct one those sectors are on disk that the survival says; of another
        /// one `crash` decides, as of all that was not synchronized. Any other operation fails as with `halt`.
        case haltDuringWrite(Survival)
    }

    private let tree: Mutex<FaultyTree>
    private let hasDirectFiles: Bool

    /// - Parameter hasDirectFiles: whether `openDirect` gives files or nil.
    package init(availableByteCount: UInt64 = 1 << 40, hasDirectFiles: Bool = false) {
        tree = Mutex(FaultyTree(availableByteCount: availableByteCount))
        self.hasDirectFiles = hasDirectFiles
    }

    // MARK: Faults

    /// How many operations there were.
    package var operationCount: Int { tree.withLock { $0.operationCount } }

    /// Arms a fault for the operation of that number.
    package func inject(_ fault: Fault, at operation: Int) { tree.withLock { $0.faults[operation] = fault } }

    /// Arms a fault for the next operation of that name: a system call, as in `FileSystemError.operation` (`pwrite`, `pread`,
    /// `fdatasync`, `fsync` of a directory, `open`, `rename`, `unlink`, …). Several for one name strike one after the other.
    package func inject(_ fault: Fault, atNext operation: String) {
        tree.withLock { $0.faultsByName[operation, default: []].append(fault) }
    }

    /// Whether the machine has stopped, by a `halt`.
    package var isHalted: Bool { tree.withLock { $0.isHalted } }

    /// Takes back all faults that have not struck.
    package func disarm() {
        tree.withLock { tree in
            tree.faults = [:]
            tree.faultsByName = [:]
        }
    }

    /// Takes or gives space, as other programs on the disk do.
    package func setAvailableByteCount(_ count: UInt64) { tree.withLock { $0.availableByteCount = count } }

    /// Stops the machine and starts it again: open files are gone (their handles fail), locks too, and what was not
    /// synchronized survives as said. Armed faults are disarmed.
    package func crash(keeping survival: Survival = .nothing) { tree.withLock { $0.crash(keeping: survival) } }

    /// Kills the process, not the machine: open files are gone (their handles fail), locks too, and what was written is still there,
    /// synchronized or not.
    package func kill() { tree.withLock { $0.kill() } }

    /// Inverts one bit of a file's content, as stored: rot. A file that is too short stays as it is.
    package func flipBit(_ bit: Int, ofByte offset: Int, in path: String) throws(FileSystemError) {
        try locked { tree throws(FileSystemError) in
            let file = try tree.file(path, "flip")
            guard offset < file.content.count else { return }
            file.content[offset] ^= 1 << UInt8(bit)
            if offset < file.durable.count { file.durable[offset] ^= 1 << UInt8(bit) }
        }
    }

    /// Puts bytes into a file's content, as stored: what a misdirected write of another file leaves there, or a lost one.
    /// What lies beyond the file's end is left out.
    package func damage(_ path: String, at offset: Int, with bytes: [UInt8]) throws(FileSystemError) {
        try locked { tree throws(FileSystemError) in
            let file = try tree.file(path, "damage")
            for (index, byte) in bytes.enumerated() {
                if offset + index < file.content.count { file.content[offset + index] = byte }
                if offset + index < file.durable.count { file.durable[offset + index] = byte }
            }
        }
    }

    // MARK: FileSystem

    package func open(_ path: String, _ mode: OpenMode) throws(FileSystemError) -> any File {
        try open(path, mode, isDirect: false)
    }

    package func openDirect(_ path: String, _ mode: OpenMode) throws(FileSystemError) -> (any File)? {
        hasDirectFiles ? try open(path, mode, isDirect: true) : nil
    }

    private func open(_ path: String, _ mode: OpenMode, isDirect: Bool) throws(FileSystemError) -> any File {
        try operate("open", path) { tree throws(FileSystemError) in
            let inode = try tree.open(path, mode)
            return FaultyFile(path: path, inode: inode, generation: tree.generation, isDirect: isDirect, in: self)
        }
    }

    package func rename(_ source: String, to target: String) throws(FileSystemError) {
        try operate("rename", target) { tree throws(FileSystemError) in try tree.rename(source, to: target) }
    }

    package func unlink(_ path: String) throws(FileSystemError) {
        try operate("unlink", path) { tree throws(FileSystemError) in try tree.unlink(path) }
    }

    package func link(_ source: String, to target: String) throws(FileSystemError) {
        try operate("link", target) { tree throws(FileSystemError) in try tree.link(source, to: target) }
    }

    package func removeDirectory(_ path: String) throws(FileSystemError) {
        try operate("rmdir", path) { tree throws(FileSystemError) in try tree.removeDirectory(path) }
    }

    package func makeDirectory(_ path: String) throws(FileSystemError) {
        try operate("mkdir", path) { tree throws(FileSystemError) in try tree.makeDirectory(path) }
    }

    package func list(_ path: String) throws(FileSystemError) -> [String] {
        try operate("list", path) { tree throws(FileSystemError) in
            Array(try tree.directory(path, "list").entries.keys)
        }
    }

    package func synchronizeDirectory(_ path: String) throws(FileSystemError) {
        try operate("fsync", path) { tree throws(FileSystemError) in
            let directory = try tree.directory(path, "fsync")
            directory.durableEntries = directory.entries
        }
    }

    package func status(_ path: String) throws(FileSystemError) -> FileStatus {
        try operate("stat", path) { tree throws(FileSystemError) in
            switch try tree.node(path, "stat") {
            case .directory: FileStatus(isDirectory: true, byteCount: 0)
            case .file(let file): FileStatus(isDirectory: false, byteCount: UInt64(file.content.count))
            }
        }
    }

    package func availableByteCount(at path: String) throws(FileSystemError) -> UInt64 {
        try operate("statvfs", path) { tree throws(FileSystemError) in tree.availableByteCount }
    }

    // MARK: What FaultyFile needs

    /// Counts an operation, lets an armed fault happen, else performs it.
    func operate<Value>(
        _ operation: String, _ path: String,
        _ body: (inout FaultyTree) throws(FileSystemError) -> Value
    ) throws(FileSystemError) -> Value {
        try locked { tree throws(FileSystemError) in
            switch tree.nextFault(operation) {
            case nil, .lostWrite, .misdirectedWrite:
                return try body(&tree)
            case .failure(let code), .tornWrite(_, let code):
                throw FileSystemError(code, operation, path)
            case .halt, .haltDuringWrite:
                throw FileSystemError(.io, operation, path)
            }
        }
    }

    /// As `operate`, for a write, of which a fault may leave a part, or which it may put elsewhere.
    func operateWrite(
        _ path: String, _ bytes: UnsafeRawBufferPointer, at offset: UInt64,
        _ write: (inout FaultyTree, FaultyTree.Inode.Change, Survival) throws(FileSystemError) -> Void
    ) throws(FileSystemError) {
        func change(_ byteCount: Int, at offset: UInt64) -> FaultyTree.Inode.Change {
            .write(offset: Int(offset), bytes: Array(bytes.prefix(byteCount)))
        }
        try locked { tree throws(FileSystemError) in
            switch tree.nextFault("pwrite") {
            case nil:
                try write(&tree, change(bytes.count, at: offset), .everything)
            case .failure(let code):
                throw FileSystemError(code, "pwrite", path)
            case .tornWrite(let torn, let code):
                try write(&tree, change(torn, at: offset), .everything)
                throw FileSystemError(code, "pwrite", path)
            case .lostWrite:
                break
            case .misdirectedWrite(let target):
                try write(&tree, change(bytes.count, at: target), .everything)
            case .halt:
                throw FileSystemError(.io, "pwrite", path)
            case .haltDuringWrite(let survival):
                try write(&tree, change(bytes.count, at: offset), survival)
                throw FileSystemError(.io, "pwrite", path)
            }
        }
    }

    func locked<Value>(
        _ body: (inout FaultyTree) throws(FileSystemError) -> Value
    ) throws(FileSystemError) -> Value {
        // A Result, because the mutex would demand that values be sent across.
        let outcome = tree.withLock { tree -> UncheckedBox<Result<Value, FileSystemError>> in
            do throws(FileSystemError) {
                return UncheckedBox(value: .success(try body(&tree)))
            } catch {
                return UncheckedBox(value: .failure(error))
            }
        }
        return try outcome.value.get()
    }
}

/// Carries a value out of the lock. Sound: what leaves are copies, names, numbers and file handles that lock again for each use.
private struct UncheckedBox<Value>: @unchecked Sendable {
    let value: Value
}
