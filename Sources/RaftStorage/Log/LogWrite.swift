package import FileSystem
internal import Raft

/// Bytes on their way to the disk, taken out of the log so that nobody waits for its lock meanwhile.
package struct LogWrite: Sendable {
    struct Chunk: Sendable {
        var file: any File
        var offset: Int
        /// Where its bytes lie in the buffer.
        var start: Int
        var byteCount: Int
        /// The file before, if this chunk begins a segment: it has to be durable first, because the new header says that it is.
        var synchronizesFirst: (any File)?
    }

    let buffer: AlignedBuffer
    let chunks: [Chunk]
    let mutations: StorageMutations

    /// Blocks on the disk. An error is final for the log.
    package func perform() throws(FileSystemError) {
        for chunk in chunks {
            if let file = chunk.synchronizesFirst { try makeDurable(file, mutations) }
            let bytes = UnsafeRawBufferPointer(rebasing: buffer.bytes[chunk.start..<chunk.start + chunk.byteCount])
            try chunk.file.write(bytes, at: UInt64(chunk.offset))
        }
    }
}

/// Makes durable what was written.
package struct LogSynchronization: Sendable {
    /// Nil where writes are durable when they return.
    let file: (any File)?
    let mutations: StorageMutations

    /// Blocks on the disk. An error is final for the log.
    package func perform() throws(FileSystemError) {
        if let file { try makeDurable(file, mutations) }
    }
}

/// How far a write goes.
struct LogMarks: Sendable {
    var end: LogPosition
    /// What the newest written batch header says was synchronized before it.
    var coveredEnd: LogPosition
    var lastIndex: LogIndex
    var snapshotIndex: LogIndex
}

private func makeDurable(_ file: any File, _ mutations: StorageMutations) throws(FileSystemError) {
    if mutations.contains(.acknowledgesBeforeSynchronize) { return }
    do {
        try file.synchronize()
    } catch {
        guard mutations.contains(.retriesSynchronize) else { throw error }
        try file.synchronize()
    }
}
