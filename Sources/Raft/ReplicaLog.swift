/// The log as the core knows it: the terms of all entries, the changes of members among them, and the newest entries themselves.
///
/// ```
///   base          applied   handedToApply   commit        durable      last
///    |---------------|-----------|------------|--------------|-----------|
///          snapshot         cached entries: cacheFirst … last
/// ```
///
/// `commit` may lie beyond `durable`; what is handed to the applier never does.
struct ReplicaLog: Sendable {
    /// The last entry that the log has forgotten; a snapshot contains it.
    private(set) var baseIndex: LogIndex
    private(set) var baseTerm: Term
    private(set) var termRuns: [TermRun]
    private(set) var commit: LogIndex
    /// Up to here the log on the disk is this one.
    private(set) var durable: LogIndex
    private(set) var applied: LogIndex
    private(set) var handedToApply: LogIndex
    /// The next entry to be handed to the log's writer.
    private(set) var firstUnwritten: LogIndex
    /// Entries of type `configurationChange` that the log holds.
    private(set) var changes: [Entry]
    private(set) var cache: EntryCache

    /// - Precondition: the parts belong to one log.
    init(_ stored: StoredLog, entryOverheadByteCount: Int) {
        baseIndex = stored.baseIndex
        baseTerm = stored.baseTerm
        termRuns = stored.termRuns
        changes = stored.changes
        commit = stored.commit
        durable = stored.lastIndex
        applied = stored.applied
        handedToApply = stored.applied
        firstUnwritten = stored.lastIndex.next
        cache = EntryCache(
            stored.newestEntries, endingAt: stored.lastIndex, entryOverheadByteCount: entryOverheadByteCount)
        precondition(
            max(baseIndex, stored.configurationIndex) <= applied && applied <= commit && commit <= lastIndex,
            "the stored positions are out of order")
    }

    var lastIndex: LogIndex { cache.lastIndex }
    var lastTerm: Term { termRuns.last?.term ?? baseTerm }

    // MARK: Terms

    /// Nil before the base and behind the end.
    func term(at index: LogIndex) -> Term? {
        if index == baseIndex { return baseTerm }
        guard index > baseIndex, index <= lastIndex else { return nil }
        // What is asked for is mostly near the end.
        if let last = termRuns.last, index >= last.firstIndex { return last.term }
        return termRuns[run(holding: index)].term
    }

    /// - Precondition: behind the base, not behind the end.
    private func run(holding index: LogIndex) -> Int {
        var (low, high) = (0, termRuns.count)
        while low < high {
            let middle = (low + high) / 2
            if termRuns[middle].firstIndex <= index { low = middle + 1 } else { high = middle }
        }
        return low - 1
    }

    /// The newest entry at or before `index` of a term not later than `term`, with its term; what lies before the base counts as
    /// the base's.
    func newestEntry(upTo index: LogIndex, term: Term) -> (index: LogIndex, term: Term) {
        var index = min(index, lastIndex)
        while index > baseIndex {
            let run = termRuns[run(holding: index)]
            if run.term <= term { return (index, run.term) }
            index = run.firstIndex.previous
        }
        return (baseIndex, baseTerm)
    }

    /// Whether a log that ends there has all that this one may have committed (Raft paper, section 5.4.1).
    func isUpToDate(lastIndex index: LogIndex, lastTerm term: Term) -> Bool {
        term > lastTerm || (term == lastTerm && index >= lastIndex)
    }

    // MARK: Changing

    /// - Precondition: it follows the last one.
    mutating func append(_ entry: Entry) {
        precondition(entry.index == lastIndex.next && entry.term >= lastTerm, "an entry that does not follow")
        if termRuns.last?.term != entry.term { termRuns.append(TermRun(firstIndex: entry.index, term: entry.term)) }
        if entry.type == .configurationChange { changes.append(entry) }
        cache.append(entry)
    }

    /// Takes away the entries from `index` on.
    ///
    /// - Parameter keepsChanges: a bug, `RaftMutations.keepsTruncatedChanges`.
    mutating func truncate(from index: LogIndex, keepsChanges: Bool = false) {
        precondition(index > commit, "a committed entry would be taken away")
        while let run = termRuns.last, run.firstIndex >= index { termRuns.removeLast() }
        while !keepsChanges, let change = changes.last, change.index >= index { changes.removeLast() }
        cache.truncate(from: index)
        firstUnwritten = min(firstUnwritten, index)
        durable = min(durable, index.previous)
    }

    mutating func restart(at mark: SnapshotMark) {
        baseIndex = mark.index
        baseTerm = mark.term
        termRuns = []
        changes = []
        cache = EntryCache([], endingAt: mark.index, entryOverheadByteCount: cache.entryOverheadByteCount)
        commit = mark.index
        durable = mark.index
        firstUnwritten = mark.index.next
        handedToApply = mark.index
    }

    /// Forgets what a snapshot contains. - Precondition: it is applied.
    mutating func compact(to index: LogIndex) {
        guard index > baseIndex, let term = term(at: index) else { return }
        precondition(index <= applied, "an entry that is not applied would be forgotten")
        let run = run(holding: index)
        // The run goes on behind the new base, or a later one begins there.
        let isRunOver = run + 1 < termRuns.count ? termRuns[run + 1].firstIndex == index.next : index == lastIndex
        termRuns.removeFirst(isRunOver ? run + 1 : run)
        if !isRunOver { termRuns[0].firstIndex = index.next }
        changes.removeAll { $0.index <= index }
        cache.forget(upTo: index)
        (baseIndex, baseTerm) = (index, term)
    }

    // MARK: Positions

    mutating func advanceCommit(to index: LogIndex) {
        precondition(index <= lastIndex, "what is not there cannot be committed")
        commit = max(commit, index)
    }

    /// The entries that wait for the log's writer.
    mutating func takeUnwritten() -> [Entry] {
        guard firstUnwritten <= lastIndex else { return [] }
        let entries = cache.entries(from: firstUnwritten, to: lastIndex)
        firstUnwritten = lastIndex.next
        return entries
    }

    mutating func advanceDurable(to index: LogIndex) {
        durable = max(durable, min(index, lastIndex))
    }

    mutating func advanceApplied(to index: LogIndex) {
        precondition(index <= handedToApply, "an entry was applied that was not handed out")
        applied = max(applied, index)
    }

    mutating func handToApply(upTo index: LogIndex) {
        handedToApply = index
    }

    /// Bounds the cache. What is not durable stays, and what is not committed, of which there is little; an applier that lags behind
    /// the cache has the rest read from the log.
    mutating func trimCache(byteCountMax: Int) {
        cache.trim(byteCountMax: byteCountMax, keepingFrom: min(firstUnwritten, min(durable, commit).next))
    }

    /// The oldest change of members behind `floor`.
    func firstChange(after floor: LogIndex) -> LogIndex? {
        changes.first { $0.index > floor }?.index
    }
}

/// The newest entries, in a row up to the log's end.
struct EntryCache: Sendable {
    /// Those before `start` are forgotten; they go when they are many.
    private var storage: [Entry] = []
    private var start = 0
    private(set) var byteCount = 0
    private(set) var lastIndex: LogIndex
    /// What an entry counts for besides its payload.
    let entryOverheadByteCount: Int

    init(_ entries: [Entry], endingAt last: LogIndex, entryOverheadByteCount: Int) {
        precondition(entries.isEmpty || entries[entries.count - 1].index == last, "the newest entries end elsewhere")
        storage = entries
        lastIndex = last
        self.entryOverheadByteCount = entryOverheadByteCount
        byteCount = entries.reduce(0) { $0 + cost($1) }
    }

    private func cost(_ entry: Entry) -> Int { entry.payload.count + entryOverheadByteCount }

    /// `lastIndex` + 1 if nothing is kept.
    var firstIndex: LogIndex { lastIndex + (1 - (storage.count - start)) }

    func has(_ index: LogIndex) -> Bool { index >= firstIndex && index <= lastIndex }

    mutating func append(_ entry: Entry) {
        storage.append(entry)
        lastIndex = entry.index
        byteCount += cost(entry)
    }

    mutating func truncate(from index: LogIndex) {
        while start < storage.count, let last = storage.last, last.index >= index {
            byteCount -= cost(last)
            storage.removeLast()
        }
        lastIndex = min(lastIndex, index.previous)
    }

    mutating func forget(upTo index: LogIndex) {
        while start < storage.count, storage[start].index <= index { dropFirst() }
        shrink()
    }

    mutating func trim(byteCountMax: Int, keepingFrom kept: LogIndex) {
        guard byteCount > byteCountMax else { return }
        while byteCount > byteCountMax, start < storage.count, storage[start].index < kept { dropFirst() }
        shrink()
    }

    private mutating func dropFirst() {
        byteCount -= cost(storage[start])
        // Its memory goes at once, its place later.
        storage[start].payload = []
        start += 1
    }

    private mutating func shrink() {
        if start > 1024, start > storage.count / 2 {
            storage.removeFirst(start)
            start = 0
        }
    }

    /// - Precondition: all are kept.
    func entries(from first: LogIndex, to last: LogIndex) -> [Entry] {
        let low = start + (first - firstIndex)
        return Array(storage[low...low + (last - first)])
    }

    /// As many entries from `first` on as fit, at least one. - Precondition: `first` is kept.
    func entries(from first: LogIndex, to last: LogIndex, byteCountMax: Int) -> ArraySlice<Entry> {
        let low = start + (first - firstIndex)
        let end = low + (last - first) + 1
        var high = low + 1
        var total = cost(storage[low])
        while high < end {
            total += cost(storage[high])
            if total > byteCountMax { break }
            high += 1
        }
        return storage[low..<high]
    }
}

/// What a start finds on the disk.
package struct StoredLog: Sendable {
    /// The entry before the first that the log holds; (0, 0) if none was forgotten.
    package var baseIndex = LogIndex.zero
    package var baseTerm = Term.zero
    /// The configuration at the base, or at `configurationIndex` if that lies behind it.
    package var baseConfiguration = Configuration()
    /// The changes up to there are in `baseConfiguration`, which the log's older entries do not say; not beyond what is applied.
    package var configurationIndex = LogIndex.zero
    package var lastIndex = LogIndex.zero
    /// Where each term of the held entries begins.
    package var termRuns: [TermRun] = []
    /// The held entries of type `configurationChange`.
    package var changes: [Entry] = []
    /// Held entries up to the last one; fewer are read when they are needed.
    package var newestEntries: [Entry] = []
    package var term = Term.zero
    package var vote: NodeID?
    package var commit = LogIndex.zero
    /// The state machine contains these; not before the base, nor beyond the log.
    package var applied = LogIndex.zero

    package init() {}
}
