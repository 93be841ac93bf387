import Raft
import RaftStorage

/// What a log has to say, kept in the simplest way: the states that a crash may leave.
struct LogModel {
    struct State: Equatable {
        var hardState = HardState(term: Term(0), vote: nil, commit: LogIndex(0))
        var snapshot: SnapshotMark?
        var entries: [UInt64: Entry] = [:]
        var lastIndex: UInt64 = 0
        var lastTerm: UInt64 = 0
    }

    /// The newest state that was said to be durable, and every one after it, step by step.
    private(set) var states = [State()]
    private var writtenCount = 1

    var latest: State { states[states.count - 1] }
    var durable: State { states[0] }

    /// In the order that a batch promises: hard state, snapshot mark, truncation, entries, commit.
    mutating func append(_ batch: LogBatch) {
        if var state = batch.hardState {
            state.commit = LogIndex(min(state.commit.rawValue, latest.lastIndex))
            if let first = batch.entries.first { state.commit = min(state.commit, LogIndex(first.index.rawValue - 1)) }
            state.commit = max(state.commit, latest.hardState.commit)
            step { $0.hardState = state }
        }
        if let change = batch.snapshot {
            let mark = change.mark
            step { state in
                state.snapshot = mark
                state.hardState.commit = max(state.hardState.commit, mark.index)
                if case .installation = change {
                    state.entries = [:]
                    (state.lastIndex, state.lastTerm) = (mark.index.rawValue, mark.term.rawValue)
                }
            }
        }
        if let first = batch.entries.first, first.index.rawValue <= latest.lastIndex {
            let keep = first.index.rawValue - 1
            step { state in
                for index in keep + 1...state.lastIndex { state.entries[index] = nil }
                state.lastIndex = keep
                state.lastTerm = state.entries[keep]?.term.rawValue ?? state.snapshot?.term.rawValue ?? 0
            }
        }
        for entry in batch.entries {
            step { state in
                state.entries[entry.index.rawValue] = entry
                (state.lastIndex, state.lastTerm) = (entry.index.rawValue, entry.term.rawValue)
            }
        }
        if let state = batch.hardState, state.commit > latest.hardState.commit { step { $0.hardState.commit = state.commit } }
    }

    private mutating func step(_ change: (inout State) -> Void) {
        var next = latest
        change(&next)
        states.append(next)
    }

    mutating func write() { writtenCount = states.count }

    mutating func synchronize() {
        states.removeFirst(writtenCount - 1)
        writtenCount = 1
    }

    /// Why what was recovered cannot be; nil if it is one of the states. That one is the model's from now on.
    mutating func recover(_ recovered: RecoveredLog, _ entries: [Entry]) -> String? {
        guard let position = states.lastIndex(where: { Self.agree($0, recovered, entries) }) else {
            return
                "recovered \(recovered.hardState), snapshot \(String(describing: recovered.snapshot)), last \(recovered.lastIndex), "
                + "entries \(entries.map { [$0.index.rawValue, $0.term.rawValue] }); durable was \(durable.hardState), "
                + "snapshot \(String(describing: durable.snapshot)), last \(durable.lastIndex); latest \(latest.hardState), last \(latest.lastIndex)"
        }
        states = [states[position]]
        writtenCount = 1
        return nil
    }

    private static func agree(_ state: State, _ recovered: RecoveredLog, _ entries: [Entry]) -> Bool {
        guard recovered.hardState == state.hardState, recovered.snapshot == state.snapshot,
            recovered.lastIndex.rawValue == state.lastIndex, recovered.lastTerm.rawValue == state.lastTerm,
            recovered.baseIndex <= state.snapshot?.index ?? LogIndex(0)
        else { return false }
        // What lies before the snapshot may have been given up; the rest may not.
        var next = recovered.baseIndex.rawValue + 1
        for entry in entries {
            guard entry.index.rawValue == next else { return false }
            if let expected = state.entries[next], expected != entry { return false }
            if state.entries[next] == nil, next > state.snapshot?.index.rawValue ?? 0 { return false }
            next += 1
        }
        return next == state.lastIndex + 1
    }
}
