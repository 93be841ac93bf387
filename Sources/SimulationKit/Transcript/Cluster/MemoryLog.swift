import Raft

/// A node's durable log in memory: what remains when the node restarts. It never fails and never forgets; faults are the
/// simulator's business.
struct MemoryLog {
    var hardState = HardState(term: .zero, vote: nil, commit: .zero)
    /// The entry before the first one: a snapshot stands for it and what lies before it.
    private(set) var base: SnapshotMark
    private(set) var entries: [Entry] = []

    init(base: SnapshotMark) {
        self.base = base
    }

    var firstIndex: LogIndex { base.index.next }
    var lastIndex: LogIndex { entries.last?.index ?? base.index }

    /// Replaces the log from the first of these entries on.
    mutating func append(_ new: [Entry]) {
        guard let first = new.first else { return }
        precondition(first.index > base.index && first.index <= lastIndex.next, "entries that do not follow")
        entries.removeLast(lastIndex.next - first.index)
        entries += new
    }

    /// The log restarts behind a snapshot.
    mutating func restart(at mark: SnapshotMark) {
        base = mark
        entries = []
    }

    /// Forgets the entries up to a snapshot's. - Precondition: they are there.
    mutating func compact(to mark: SnapshotMark) {
        entries.removeFirst(mark.index - base.index)
        base = mark
    }

    func entries(from first: LogIndex, to last: LogIndex) -> [Entry] {
        entries.filter { $0.index >= first && $0.index <= last }
    }

    /// What a restart hands to the core. - Parameter applied: how far the state machine has come.
    func stored(applied: LogIndex) -> StoredLog {
        var stored = StoredLog()
        stored.baseIndex = base.index
        stored.baseTerm = base.term
        stored.baseConfiguration = base.configuration
        stored.lastIndex = lastIndex
        for entry in entries where entry.term != stored.termRuns.last?.term {
            stored.termRuns.append(TermRun(firstIndex: entry.index, term: entry.term))
        }
        stored.changes = entries.filter { $0.type == .configurationChange }
        stored.newestEntries = entries
        stored.term = hardState.term
        stored.vote = hardState.vote
        stored.commit = max(hardState.commit, applied)
        stored.applied = applied
        return stored
    }
}
