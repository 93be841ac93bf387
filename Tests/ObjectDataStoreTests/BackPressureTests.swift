import FileSystem
import Logging
import NIOCore
import NIOPosix
import ObjectDataStore
import Synchronization
import Testing

#if canImport(Glibc)
    import func Glibc.usleep
#elseif canImport(Darwin)
    import func Darwin.usleep
#elseif canImport(Musl)
    import func Musl.usleep
#endif

@Suite struct BackPressureTests {
    @Test("A writer in front of a slow disk goes on only when the disk has all but one of its batches")
    func slowDisk() async throws {
        let threads = NIOThreadPool(numberOfThreads: 2)
        threads.start()
        let disk = SlowDisk()
        let store = try ObjectDataStore(
            root: "/data/mx", fileSystem: disk, node: 1, threads: threads,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let writer = try await store.makeWriter()
        let batch = ByteBuffer(repeating: 1, count: ObjectDataWriter.batchByteCount)
        var acceptedCount = 0
        for _ in 0..<12 {
            try await writer.write(batch)
            acceptedCount += 1
            // Read after acceptance: the disk may have taken more by now, never less.
            #expect(acceptedCount - disk.writtenBatchCount < 2)
        }
        _ = try await writer.finish()
        #expect(disk.writtenBatchCount == 12)
        try await threads.shutdownGracefully()
    }
}

@Suite struct WholeBatchTests {
    @Test("What comes as a whole batch goes to the disk as it is, and is nobody's buffer afterwards")
    func takenAsItIs() async throws {
        let threads = NIOThreadPool(numberOfThreads: 2)
        threads.start()
        let disk = SlowDisk()
        let store = try ObjectDataStore(
            root: "/data/mx", fileSystem: disk, node: 1, threads: threads,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let size = ObjectDataWriter.batchByteCount
        let content = pseudoRandomBytes(5 * size + 77)
        let pieces = [
            0..<size, size..<2 * size, 2 * size..<2 * size + 9, 2 * size + 9..<4 * size, 4 * size..<5 * size,
            5 * size..<5 * size + 77,
        ]
        let buffers = pieces.map { ByteBuffer(bytes: content[$0]) }
        let writer = try await store.makeWriter()
        for buffer in buffers { try await writer.write(buffer) }
        let body = try await writer.finish()
        let given = [0, 1, 4].map { buffers[$0].withUnsafeReadableBytes { UInt(bitPattern: $0.baseAddress) } }
        let written = disk.batchAddresses
        #expect(written.count == 5)
        #expect([written[0], written[1], written[4]] == given)
        #expect(!given.contains(written[2]) && !given.contains(written[3]))
        for (buffer, piece) in zip(buffers, pieces) { #expect(buffer.readableBytesView.elementsEqual(content[piece])) }
        #expect(try await store.readAll(body) == content)
        try await threads.shutdownGracefully()
    }
}

/// Takes its time for each batch, so that a writer that does not wait would be far ahead of it.
private final class SlowDisk: FileSystem {
    private let memory = FaultyFileSystem()
    private let written = Atomic<Int>(0)

    /// Where the batches lay in memory.
    private let addresses = Mutex<[UInt]>([])

    var batchAddresses: [UInt] { addresses.withLock { $0 } }
    var writtenBatchCount: Int { written.load(ordering: .acquiring) }

    func open(_ path: String, _ mode: OpenMode) throws(FileSystemError) -> any File {
        SlowFile(try memory.open(path, mode), self)
    }
    func rename(_ source: String, to target: String) throws(FileSystemError) { try memory.rename(source, to: target) }
    func unlink(_ path: String) throws(FileSystemError) { try memory.unlink(path) }
    func link(_ source: String, to target: String) throws(FileSystemError) { try memory.link(source, to: target) }
    func makeDirectory(_ path: String) throws(FileSystemError) { try memory.makeDirectory(path) }
    func removeDirectory(_ path: String) throws(FileSystemError) { try memory.removeDirectory(path) }
    func list(_ path: String) throws(FileSystemError) -> [String] { try memory.list(path) }
    func synchronizeDirectory(_ path: String) throws(FileSystemError) { try memory.synchronizeDirectory(path) }
    func status(_ path: String) throws(FileSystemError) -> FileStatus { try memory.status(path) }
    func availableByteCount(at path: String) throws(FileSystemError) -> UInt64 { try memory.availableByteCount(at: path) }

    private final class SlowFile: File {
        private let file: any File
        private let disk: SlowDisk

        init(_ file: any File, _ disk: SlowDisk) {
            self.file = file
            self.disk = disk
        }

        var path: String { file.path }
        func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(FileSystemError) {
            if bytes.count == ObjectDataWriter.batchByteCount {
                usleep(3_000)
                disk.addresses.withLock { $0.append(UInt(bitPattern: bytes.baseAddress)) }
            }
            try file.write(bytes, at: offset)
            if bytes.count == ObjectDataWriter.batchByteCount { disk.written.add(1, ordering: .releasing) }
        }
        func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(FileSystemError) -> Int {
            try file.read(into: buffer, at: offset)
        }
        func synchronize() throws(FileSystemError) { try file.synchronize() }
        func startWriteback(from offset: UInt64, byteCount: UInt64) { file.startWriteback(from: offset, byteCount: byteCount) }
        func truncate(to byteCount: UInt64) throws(FileSystemError) { try file.truncate(to: byteCount) }
        func byteCount() throws(FileSystemError) -> UInt64 { try file.byteCount() }
        func lock() throws(FileSystemError) { try file.lock() }
    }
}
