package import Raft

/// What is to become durable together.
package struct LogBatch: Sendable {
    /// A snapshot that the log is to know of.
    package enum SnapshotChange: Sendable {
        /// A local snapshot: the log holds its last entry, and may forget what lies before when nobody needs it.
        case compaction(SnapshotMark)
        /// A received snapshot that the log does not hold: it begins anew behind it.
        case installation(SnapshotMark)

        package var mark: SnapshotMark {
            switch self {
            case .compaction(let mark), .installation(let mark): mark
            }
        }
    }

    package var snapshot: SnapshotChange?
    /// The new hard state, if it changed.
    package var hardState: HardState?
    /// In order, without gaps. The first may lie inside the log: from there on the log is replaced.
    package var entries: [Entry]

    package init(snapshot: SnapshotChange? = nil, hardState: HardState? = nil, entries: [Entry] = []) {
        self.snapshot = snapshot
        self.hardState = hardState
        self.entries = entries
    }

    /// What the Raft core wants written.
    package init(_ append: LogAppend) {
        self.init(
            snapshot: append.snapshot.map { .installation($0) }, hardState: append.hardState, entries: append.entries)
    }

    package var isEmpty: Bool { snapshot == nil && hardState == nil && entries.isEmpty }

    /// What the batch's records take, at most, except those of the entries; the last one is written behind these.
    var recordsByteCountMax: [Int] {
        let state = LogFormat.recordByteCount(payloadByteCount: 8)
        let mark = snapshot.map { LogFormat.recordByteCount(payloadByteCount: $0.mark.configuration.bytes().count) }
        let truncation = entries.isEmpty ? nil : LogFormat.recordByteCount(payloadByteCount: 0)
        return [state, mark, truncation, state].compactMap(\.self)
    }

    /// What the batch asks of a queue: its payloads and its own storage.
    package var byteCount: Int {
        entries.reduce(MemoryLayout<LogBatch>.stride) { $0 + $1.payload.count + MemoryLayout<Entry>.stride }
    }
}
