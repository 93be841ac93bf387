package import FileSystem
internal import Raft

extension SegmentedLog {
    /// Writes what was appended. In a file without direct writes it is durable only after `synchronize`.
    ///
    /// - Throws: `.file` when the disk refuses, after which the log has failed; `.failed`.
    package func write() throws(LogError) {
        guard let write = try beginWrite() else { return }
        try end(write, failure: Self.outcome { () throws(FileSystemError) in try write.perform() })
    }

    /// Makes durable what was written.
    ///
    /// - Throws: as `write`.
    package func synchronize() throws(LogError) {
        guard let synchronization = try beginSynchronization() else { return }
        try end(synchronization, failure: Self.outcome { () throws(FileSystemError) in try synchronization.perform() })
    }

    private static func outcome(_ body: () throws(FileSystemError) -> Void) -> FileSystemError? {
        do throws(FileSystemError) {
            try body()
            return nil
        } catch {
            return error
        }
    }

    // MARK: In steps, for a driver that lets others use the log while the disk works.

    /// Takes what was appended; nil if nothing was. - Precondition: no other write is under way.
    package func beginWrite() throws(LogError) -> LogWrite? {
        try ensureHealthy()
        precondition(writing == nil, "one write at a time")
        closeBatch()
        guard !chunks.isEmpty, let segment = table.segments.last else { return nil }
        writing = LogMarks(
            end: LogPosition(segment: segment.number, offset: UInt64(segment.end)), coveredEnd: statedEnd,
            lastIndex: table.contents.lastIndex, snapshotIndex: table.contents.snapshot?.index ?? durable.snapshotIndex)
        let write = LogWrite(buffer: buffer, chunks: chunks, mutations: settings.mutations)
        chunks = []
        buffer = spareBuffer ?? AlignedBuffer(capacity: 1 << 16)
        spareBuffer = nil
        return write
    }

    /// - Parameter failure: what `perform` threw.
    package func end(_ write: LogWrite, failure: FileSystemError?) throws(LogError) {
        guard let marks = writing else { preconditionFailure("a write ends once") }
        writing = nil
        write.buffer.removeAll()
        spareBuffer = write.buffer
        if let failure, !settings.mutations.contains(.ignoresWriteError) { throw fail(failure) }
        written = marks
    }

    /// What makes the written durable; nil if all is. - Precondition: no other synchronization is under way.
    package func beginSynchronization() throws(LogError) -> LogSynchronization? {
        try ensureHealthy()
        precondition(synchronizing == nil, "one synchronization at a time")
        guard written.end != durable.end, let segment = table.segments.last(where: { $0.number == written.end.segment }) else {
            return nil
        }
        synchronizing = written
        return LogSynchronization(file: segment.isDirect ? nil : segment.writer, mutations: settings.mutations)
    }

    /// - Parameter failure: what `perform` threw.
    package func end(_ synchronization: LogSynchronization, failure: FileSystemError?) throws(LogError) {
        guard let marks = synchronizing else { preconditionFailure("a synchronization ends once") }
        synchronizing = nil
        if let failure { throw fail(failure) }
        durable = marks
        promisedEnd = max(promisedEnd, marks.end)
        cache.evict(through: durable.lastIndex)
    }
}
