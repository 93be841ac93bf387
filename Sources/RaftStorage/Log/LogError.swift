package import FileSystem
package import Raft

/// Why the log could not do what it was asked.
package enum LogError: Error, Sendable, CustomStringConvertible {
    /// The disk refused. Where it was a write or a synchronization the log has failed for good: what is on the disk is unknown, and
    /// another attempt would prove nothing.
    case file(FileSystemError)
    /// It failed earlier, for this reason, and does nothing any more.
    case failed(FileSystemError)
    /// The log's files say something that cannot be trusted: nothing is repaired in silence.
    case refused(LogRefusal)
    /// No segment is in reserve and the disk gives none. Nothing has changed; the same batch may be tried again.
    case noSpace
    /// An entry that no segment can hold. Nothing has changed.
    case entryTooLarge(index: LogIndex, byteCount: Int, byteCountMax: Int)
    /// The entries were compacted away; the first that is left.
    case compacted(firstIndex: LogIndex)
    /// The log ends before.
    case beyondEnd(lastIndex: LogIndex)
    /// As many batches or bytes wait as may.
    case queueFull
    case closed

    package var description: String {
        switch self {
        case .file(let error): "the log: \(error)"
        case .failed(let error): "the log failed earlier: \(error)"
        case .refused(let refusal): "the log: \(refusal)"
        case .noSpace: "the log has no segment in reserve and the disk is full"
        case .entryTooLarge(let index, let count, let max):
            "entry \(index) has \(count) bytes, more than the \(max) of a segment"
        case .compacted(let first): "the log begins at \(first)"
        case .beyondEnd(let last): "the log ends at \(last)"
        case .queueFull: "too much waits to be written to the log"
        case .closed: "the log is closed"
        }
    }
}

/// What recovery or a read found, and where.
package struct LogRefusal: Error, Sendable, Hashable, CustomStringConvertible {
    package let finding: RecoveryFinding
    package let file: String
    package let offset: UInt64
    /// What exactly, in words.
    package let detail: String

    package init(_ finding: RecoveryFinding, file: String, offset: UInt64, _ detail: String) {
        self.finding = finding
        self.file = file
        self.offset = offset
        self.detail = detail
    }

    /// With the file's whole path.
    func inside(_ directory: String) -> LogRefusal {
        LogRefusal(finding, file: directory + "/" + file, offset: offset, detail)
    }

    package var description: String { "\(file) at byte \(offset): \(detail) (\(finding.rawValue))" }
}
