internal import Raft

/// What the log says, and where in its segments each entry lies.
struct LogTable {
    var contents: LogContents
    /// In use, oldest first; the last one is appended to.
    var segments: [Segment]

    /// Takes a record that lies in the last segment.
    @inline(__always)
    mutating func apply(_ record: LogRecord, at offset: Int) throws(LogContradiction) {
        try contents.apply(record)
        switch record.kind {
        case .entry:
            segments[segments.count - 1].add(record.index, at: offset)
        case .truncation:
            truncate(after: record.index)
        case .snapshotMark:
            // Nothing from before counts any more: replay may begin at any of these segments.
            if record.detail == LogRecord.MarkDetail.restarts { truncate(after: LogIndex.zero, base: record.index) }
        case .hardState, .opening:
            break
        }
    }

    private func truncate(after index: LogIndex, base: LogIndex? = nil) {
        for segment in segments {
            segment.truncate(after: index)
            segment.baseIndex = base ?? min(segment.baseIndex, index)
        }
    }

    /// The segment that holds an entry. - Precondition: the log holds it.
    func segment(of index: LogIndex) -> Segment {
        // From the end: there are some dozens at most, and it is nearly always the newest that is asked for.
        guard let segment = segments.last(where: { $0.holds(index) }) else {
            preconditionFailure("an entry that the log holds is in one of its segments")
        }
        return segment
    }
}
