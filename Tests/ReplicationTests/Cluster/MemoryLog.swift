import Raft
import Replication

/// A node's Raft log as its disk would have it: what was written is durable.
struct MemoryLog {
    private(set) var base = SnapshotMark(index: .zero, term: .zero, configuration: Configuration())
    private(set) var entries: [Entry] = []
    private(set) var hardState = HardState(term: .zero, vote: nil, commit: .zero)

    var lastIndex: LogIndex { base.index + entries.count }

    mutating func begin(behind mark: SnapshotMark) {
        base = mark
        entries = []
        hardState.term = max(hardState.term, mark.term)
        hardState.commit = max(hardState.commit, mark.index)
    }

    mutating func write(_ append: LogAppend) {
        if let mark = append.snapshot { begin(behind: mark) }
        if let hardState = append.hardState { self.hardState = hardState }
        if let first = append.entries.first {
            precondition(first.index > base.index && first.index <= lastIndex.next, "a write that leaves a gap")
            entries.removeLast(lastIndex - first.index.previous)
            entries += append.entries
        }
    }

    mutating func compact(_ mark: SnapshotMark, keepingAfter floor: LogIndex) {
        precondition(floor <= mark.index && floor >= base.index, "what no snapshot contains is forgotten")
        guard let term = term(at: floor) else { preconditionFailure("the floor lies in the log") }
        entries.removeFirst(floor - base.index)
        // The configuration at the floor is not asked for: a start begins at the snapshot.
        base = SnapshotMark(index: floor, term: term, configuration: base.configuration)
        snapshot = mark
    }

    /// The newest mark that the log was cut by.
    private var snapshot: SnapshotMark?

    private func term(at index: LogIndex) -> Term? {
        index == base.index ? base.term : entry(index)?.term
    }

    func entry(_ index: LogIndex) -> Entry? {
        guard index > base.index, index <= lastIndex else { return nil }
        return entries[index - base.index - 1]
    }

    func fetch(_ fetch: LogFetch) -> [Entry] {
        guard let first = entry(fetch.first) else { return [] }
        var found = [first]
        var index = fetch.first.next
        var byteCount = first.payload.count
        while index <= fetch.last, let entry = entry(index), byteCount + entry.payload.count <= fetch.byteCountMax {
            found.append(entry)
            byteCount += entry.payload.count
            index = index.next
        }
        return found
    }

    /// What recovery would find.
    var stored: StoredLog {
        let mark = max(snapshot?.index ?? .zero, base.index) == base.index ? base : snapshot ?? base
        var stored = StoredLog()
        stored.baseIndex = mark.index
        stored.baseTerm = mark.term
        stored.baseConfiguration = mark.configuration
        stored.lastIndex = max(lastIndex, mark.index)
        let kept = entries.filter { $0.index > mark.index }
        for entry in kept where stored.termRuns.last?.term != entry.term {
            stored.termRuns.append(TermRun(firstIndex: entry.index, term: entry.term))
        }
        stored.changes = kept.filter { $0.type == .configurationChange }
        stored.newestEntries = kept
        stored.term = hardState.term
        stored.vote = hardState.vote
        stored.commit = max(hardState.commit, mark.index)
        stored.applied = mark.index
        return stored
    }
}
