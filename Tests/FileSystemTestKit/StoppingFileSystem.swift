package import FileSystem
import Synchronization

/// The real file system, which fails: from a step on (the process is killed there), or in one step only.
///
/// Steps are what changes the disk or makes it durable, counted from 1.
package final class StoppingFileSystem: FileSystem {
    package enum Fault: Sendable {
        /// Nothing is done from that step on.
        case stop(at: Int)
        /// That step fails.
        case failure(at: Int, FileSystemError.Code)
        /// No step of that name succeeds.
        case failures(of: String, FileSystemError.Code)
    }

    private struct State {
        var count = 0
        var isCounting = true
        var fault: Fault?
    }

    private let base = POSIXFileSystem()
    private let state = Mutex(State())
    private let available: UInt64?

    package init(_ fault: Fault? = nil, availableByteCount: UInt64? = nil) {
        available = availableByteCount
        state.withLock { $0.fault = fault }
    }

    /// Counts from here.
    package func arm(_ fault: Fault?) { state.withLock { $0 = State(fault: fault) } }

    /// All is well from here on, and not counted.
    package func disarm() {
        state.withLock { state in
            state.fault = nil
            state.isCounting = false
        }
    }

    package var stepCount: Int { state.withLock { $0.count } }

    func step<Result>(
        _ operation: String, _ path: String, _ body: () throws(FileSystemError) -> Result
    ) throws(FileSystemError) -> Result {
        let code = state.withLock { state -> FileSystemError.Code? in
            if state.isCounting { state.count += 1 }
            return switch state.fault {
            case .stop(let step) where state.count >= step: .io
            case .failure(let step, let code) where state.count == step: code
            case .failures(let name, let code) where name == operation: code
            case .stop, .failure, .failures, nil: nil
            }
        }
        if let code { throw FileSystemError(number: code.number, operation: operation, path: path) }
        return try body()
    }

    package func open(_ path: String, _ mode: OpenMode) throws(FileSystemError) -> any File {
        switch mode {
        case .read, .update: StoppingFile(try base.open(path, mode), self)
        case .createIfMissing, .createNew:
            StoppingFile(try step("open", path) { () throws(FileSystemError) in try base.open(path, mode) }, self)
        }
    }
    package func rename(_ source: String, to target: String) throws(FileSystemError) {
        try step("rename", target) { () throws(FileSystemError) in try base.rename(source, to: target) }
    }
    package func unlink(_ path: String) throws(FileSystemError) {
        try step("unlink", path) { () throws(FileSystemError) in try base.unlink(path) }
    }
    package func link(_ source: String, to target: String) throws(FileSystemError) {
        try step("link", target) { () throws(FileSystemError) in try base.link(source, to: target) }
    }
    package func makeDirectory(_ path: String) throws(FileSystemError) {
        try step("mkdir", path) { () throws(FileSystemError) in try base.makeDirectory(path) }
    }
    package func removeDirectory(_ path: String) throws(FileSystemError) {
        try step("rmdir", path) { () throws(FileSystemError) in try base.removeDirectory(path) }
    }
    package func synchronizeDirectory(_ path: String) throws(FileSystemError) {
        try step("fsync", path) { () throws(FileSystemError) in try base.synchronizeDirectory(path) }
    }
    package func list(_ path: String) throws(FileSystemError) -> [String] { try base.list(path) }
    package func status(_ path: String) throws(FileSystemError) -> FileStatus { try base.status(path) }
    package func availableByteCount(at path: String) throws(FileSystemError) -> UInt64 {
        if let available { return available }
        return try base.availableByteCount(at: path)
    }
}

private final class StoppingFile: File {
    private let file: any File
    private let fileSystem: StoppingFileSystem

    init(_ file: any File, _ fileSystem: StoppingFileSystem) {
        self.file = file
        self.fileSystem = fileSystem
    }

    var path: String { file.path }
    func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(FileSystemError) {
        try fileSystem.step("pwrite", path) { () throws(FileSystemError) in try file.write(bytes, at: offset) }
    }
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(FileSystemError) -> Int {
        try file.read(into: buffer, at: offset)
    }
    func synchronize() throws(FileSystemError) {
        try fileSystem.step("fdatasync", path) { () throws(FileSystemError) in try file.synchronize() }
    }
    func startWriteback(from offset: UInt64, byteCount: UInt64) { file.startWriteback(from: offset, byteCount: byteCount) }
    func truncate(to byteCount: UInt64) throws(FileSystemError) {
        try fileSystem.step("ftruncate", path) { () throws(FileSystemError) in try file.truncate(to: byteCount) }
    }
    func byteCount() throws(FileSystemError) -> UInt64 { try file.byteCount() }
    func lock() throws(FileSystemError) { try file.lock() }
}
