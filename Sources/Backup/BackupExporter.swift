import Checksum
import FileSystem
import Glibc
package import Logging
import Metadata
import NIOPosix
import ObjectDataStore
import Synchronization

/// Writes an engine's state to files, one at a time, beside whatever else the engine does.
///
/// ```
///   checkpoint (links) ─► header ─► files, at a rate ─► bodies, at a rate ─► end ─► sync ─► name
/// ```
///
/// What blocks runs on a thread of its own and of low priority. Bodies that the state names are kept for as long, whatever is deleted
/// meanwhile. A failure leaves nothing; a crash may leave `<path>.….partial`, which can be removed.
package final class BackupExporter: Sendable {
    /// Bytes that are written at once: what else the disk is asked for meanwhile waits for no more. A multiple of a body's block.
    private static let chunkByteCount = 2 * BodyFormat.blockByteCount

    private struct State {
        var progress: BackupProgress?
        var task: Task<Result<BackupFile, BackupError>, Never>?
        var isClosed = false
    }

    private let source: BackupSource
    private let program: String
    private let clock: @Sendable () -> UInt64
    private let logger: Logger
    private let state = Mutex(State())

    /// - Parameters:
    ///   - program: is written into the files.
    ///   - clock: milliseconds UTC.
    package init(
        _ source: BackupSource, program: String = "rustfs-metadata", logger: Logger? = nil,
        clock: @escaping @Sendable () -> UInt64 = LocalMetadataEngineConfiguration.systemClock
    ) {
        self.source = source
        self.program = program
        self.clock = clock
        self.logger = logger ?? Logger(label: "backup") { _ in SwiftLogNoOpLogHandler() }
    }

    /// Of the export that began last; nil: none has.
    package var progress: BackupProgress? { state.withLock { $0.progress } }

    /// Makes a backup, and returns when it is durable under its name.
    package func create(_ request: BackupRequest) async throws(BackupError) -> BackupFile {
        try await start(request).value.get()
    }

    /// Begins to make a backup, if the path will do.
    ///
    /// - Throws: `.badPath`, `.exists`, `.busy`, `.fileSystem`, `.stopped`.
    @discardableResult
    package func start(_ request: BackupRequest) async throws(BackupError) -> Task<Result<BackupFile, BackupError>, Never> {
        let fileSystem = source.fileSystem
        let threads = NIOThreadPool(numberOfThreads: 1)
        threads.start()
        do throws(BackupError) {
            let directory = try await BackupError.blocking(on: threads) { () throws(BackupError) in
                // Of this thread alone, on Linux.
                _ = setpriority(Int32(PRIO_PROCESS.rawValue), 0, 10)
                return try Self.check(request.path, fileSystem)
            }
            return try begin(request, in: directory, threads)
        } catch {
            try? await threads.shutdownGracefully()
            throw error
        }
    }

    /// Ends an export that is under way, without a file, and refuses others.
    package func close() async {
        let task = state.withLock { state in
            state.isClosed = true
            return state.task
        }
        task?.cancel()
        _ = await task?.value
    }

    private func begin(
        _ request: BackupRequest, in directory: String, _ threads: NIOThreadPool
    ) throws(BackupError) -> Task<Result<BackupFile, BackupError>, Never> {
        try state.withLock { state throws(BackupError) in
            if state.isClosed { throw .stopped }
            if let progress = state.progress, case .running = progress.state { throw .busy(path: progress.request.path) }
            state.progress = BackupProgress(request)
            let task = Task { [self] in
                let result = await run(request, in: directory, threads)
                try? await threads.shutdownGracefully()
                return result
            }
            state.task = task
            return task
        }
    }

    /// - Returns: the directory that the file will be in.
    private static func check(_ path: String, _ fileSystem: any FileSystem) throws(BackupError) -> String {
        guard path.hasPrefix("/"), !path.utf8.contains(0) else {
            throw .badPath(path: path, reason: "it must be an absolute path")
        }
        guard path.hasSuffix(BackupFormat.nameSuffix), !path.hasSuffix("/\(BackupFormat.nameSuffix)") else {
            throw .badPath(path: path, reason: "its name must end with \(BackupFormat.nameSuffix)")
        }
        let end = path.lastIndex(of: "/") ?? path.startIndex
        let directory = end == path.startIndex ? "/" : String(path[..<end])
        let isDirectory: Bool
        do throws(FileSystemError) { isDirectory = try fileSystem.status(directory).isDirectory } catch {
            guard error.code == .notFound else { throw .fileSystem(error) }
            throw .badPath(path: path, reason: "there is no directory \(directory)")
        }
        guard isDirectory else { throw .badPath(path: path, reason: "\(directory) is no directory") }
        // Whatever has the name, be it a directory.
        do throws(FileSystemError) { _ = try fileSystem.status(path) } catch {
            guard error.code == .notFound else { throw .fileSystem(error) }
            return directory
        }
        throw .exists(path: path)
    }

    // MARK: One export

    private func run(
        _ request: BackupRequest, in directory: String, _ threads: NIOThreadPool
    ) async -> Result<BackupFile, BackupError> {
        logger.info(
            "A snapshot is being written to a file", metadata: ["path": "\(request.path)", "with_data": "\(request.withData)"])
        // Before the checkpoint: what that names is kept until the end.
        let lookup = source.lifetimes.beginLookup()
        let result: Result<BackupFile, BackupError>
        do throws(BackupError) {
            result = .success(try await export(request, in: directory, threads))
        } catch { result = .failure(error) }
        source.lifetimes.endLookup(lookup, pinning: [])
        report(result, request)
        return result
    }

    private func report(_ result: Result<BackupFile, BackupError>, _ request: BackupRequest) {
        switch result {
        case .success(let file):
            change { $0.state = .done(id: file.end.id) }
            logger.info(
                "A snapshot was written to a file",
                metadata: [
                    "path": "\(request.path)", "id": "\(file.end.id)", "index": "\(file.header.index)",
                    "bytes": "\(file.header.fileByteCount)",
                ])
        case .failure(let error):
            change { $0.state = .failed(error) }
            logger.error("No snapshot was written to a file", metadata: ["path": "\(request.path)", "error": "\(error)"])
        }
    }

    private func change(_ body: (inout BackupProgress) -> Void) {
        state.withLock { state in
            if var progress = state.progress {
                body(&progress)
                state.progress = progress
            }
        }
    }

    private func export(
        _ request: BackupRequest, in directory: String, _ threads: NIOThreadPool
    ) async throws(BackupError) -> BackupFile {
        let source = source
        let exported = try await BackupError.blocking(on: threads) { () throws(BackupError) in try ExportedState(source) }
        let result: Result<BackupFile, BackupError>
        do throws(BackupError) {
            result = .success(try await write(exported, request, in: directory, threads))
        } catch { result = .failure(error) }
        _ = await threads.runBlocking { exported.remove() }
        return try result.get()
    }

    private func write(
        _ exported: ExportedState, _ request: BackupRequest, in directory: String, _ threads: NIOThreadPool
    ) async throws(BackupError) -> BackupFile {
        let (source, program, created) = (source, program, clock())
        let header = try await BackupError.blocking(on: threads) { () throws(BackupError) in
            let header = try exported.makeHeader(request, source, program: program, created: created)
            let available = try BackupError.files { () throws(FileSystemError) in
                try source.fileSystem.availableByteCount(at: directory)
            }
            guard header.fileByteCount <= available else {
                throw BackupError.spaceMissing(path: directory, needed: header.fileByteCount, available: available)
            }
            return header
        }
        change { progress in
            progress.index = header.index
            progress.fileByteCount = header.fileByteCount
        }
        let writer = try await BackupError.blocking(on: threads) { () throws(BackupError) in
            try BackupWriter(request.path, in: directory, fileSystem: source.fileSystem)
        }
        do throws(BackupError) {
            try await BackupError.blocking(on: threads) { () throws(BackupError) in try writer.write(header.encode()) }
            var pace = BackupPace(bytesPerSecond: request.bytesPerSecond)
            for file in header.files { try await copy(file, of: exported, to: writer, &pace, threads) }
            if header.hasBodies { try await copyBodies(of: exported, to: writer, &pace, threads) }
            return try await BackupError.blocking(on: threads) { () throws(BackupError) in
                let end = try writer.finish()
                return BackupFile(header, end, path: request.path)
            }
        } catch {
            _ = await threads.runBlocking { writer.abandon() }
            throw error
        }
    }

    private func copy(
        _ file: BackupHeader.StoreFile, of exported: ExportedState, to writer: BackupWriter, _ pace: inout BackupPace,
        _ threads: NIOThreadPool
    ) async throws(BackupError) {
        let path = "\(exported.directory)/\(file.name)"
        let fileSystem = source.fileSystem
        let opened = try await BackupError.blocking(on: threads) { () throws(BackupError) in
            try BackupError.files { () throws(FileSystemError) in try fileSystem.open(path, .read) }
        }
        var (done, checksum): (UInt64, UInt32) = (0, 0)
        while done < file.byteCount {
            let (place, seed) = (done, checksum)
            let count = Int(min(file.byteCount - done, UInt64(Self.chunkByteCount)))
            checksum = try await BackupError.blocking(on: threads) { () throws(BackupError) in
                let bytes = try BackupError.files { () throws(FileSystemError) in
                    try opened.readBytes(at: place, byteCount: count)
                }
                guard bytes.count == count else { throw BackupError.damaged(path: path, reason: "it has become shorter") }
                try writer.write(bytes)
                return bytes.withUnsafeBytes { CRC32C.checksum($0, seed: seed) }
            }
            done += UInt64(count)
            try await written(count, writer, &pace)
        }
        let sum = checksum
        try await BackupError.blocking(on: threads) { () throws(BackupError) in
            var bytes: [UInt8] = []
            bytes.appendLittleEndian(sum)
            try writer.write(bytes)
        }
    }

    private func copyBodies(
        of exported: ExportedState, to writer: BackupWriter, _ pace: inout BackupPace, _ threads: NIOThreadPool
    ) async throws(BackupError) {
        var last: BodyID?
        while true {
            let after = last
            let page = try await BackupError.blocking(on: threads) { () throws(BackupError) in try exported.bodies(after: after)
            }
            if page.isEmpty { return }
            for body in page { try await copy(body, to: writer, &pace, threads) }
            last = page.last?.id
        }
    }

    private func copy(
        _ body: StoredBody, to writer: BackupWriter, _ pace: inout BackupPace, _ threads: NIOThreadPool
    ) async throws(BackupError) {
        try await BackupError.blocking(on: threads) { () throws(BackupError) in try writer.writeHead(of: body) }
        var reader: ObjectDataReader?
        var offset: UInt64 = 0
        var blockChecksums: [UInt32] = []
        while offset < body.length {
            let count = Int(min(body.length - offset, UInt64(Self.chunkByteCount)))
            let bytes = try await source.read(body, at: offset, byteCount: count, &reader)
            let first = UInt64(blockChecksums.count)
            blockChecksums += try await BackupError.blocking(on: threads) { () throws(BackupError) in
                try writer.write(bytes)
                return BodyFormat.blockChecksums(bytes, id: body.id, firstBlock: first)
            }
            offset += UInt64(count)
            try await written(count, writer, &pace)
        }
        let checksums = blockChecksums
        try await BackupError.blocking(on: threads) { () throws(BackupError) in try writer.writeChecksums(checksums) }
    }

    private func written(_ byteCount: Int, _ writer: BackupWriter, _ pace: inout BackupPace) async throws(BackupError) {
        let offset = writer.offset
        change { $0.writtenByteCount = offset }
        try await pace.spend(byteCount)
    }
}
