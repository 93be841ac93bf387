package import Raft

/// What the records of a log say, folded in order: the one rule book that both writing and recovery go by.
package struct LogContents: Sendable {
    /// The entry before the first that the log holds; (0, 0) if that is the first of all.
    package private(set) var baseIndex: LogIndex
    package private(set) var baseTerm: Term
    package private(set) var lastIndex: LogIndex
    package private(set) var lastTerm: Term
    /// Where each term of the held entries begins.
    package private(set) var termRuns: [TermRun] = []
    package private(set) var hardState: HardState
    package private(set) var snapshot: SnapshotMark?
    /// The held entries of type `configurationChange`.
    package private(set) var configurationEntries: [Entry] = []

    /// A log that begins behind an entry: (0, 0) for an empty one.
    package init(index: LogIndex, term: Term) {
        (baseIndex, baseTerm, lastIndex, lastTerm) = (index, term, index, term)
        hardState = HardState(term: Term.zero, vote: nil, commit: LogIndex.zero)
    }

    /// The term of an entry; nil before the base and behind the end.
    package func term(at index: LogIndex) -> Term? {
        if index == baseIndex { return baseTerm }
        guard index > baseIndex, index <= lastIndex else { return nil }
        var (low, high) = (0, termRuns.count)
        while low < high {
            let middle = (low + high) / 2
            if termRuns[middle].firstIndex <= index { low = middle + 1 } else { high = middle }
        }
        return termRuns[low - 1].term
    }

    /// Takes the next record; what it says against what came before is thrown, and then nothing has changed.
    package mutating func apply(_ record: LogRecord) throws(LogContradiction) {
        switch record.kind {
        case .entry: try applyEntry(record)
        case .hardState: try applyHardState(record)
        case .truncation: try applyTruncation(record)
        case .snapshotMark: try applySnapshotMark(record)
        case .opening: try checkOpening(record)
        }
    }

    @inline(__always)
    private mutating func applyEntry(_ record: LogRecord) throws(LogContradiction) {
        guard record.index.rawValue == lastIndex.rawValue &+ 1 else { throw .indexGap(found: record.index, last: lastIndex) }
        if record.term != lastTerm || termRuns.isEmpty {
            guard record.term >= lastTerm else { throw .termBackwards(found: record.term, last: lastTerm) }
            guard record.term <= hardState.term else {
                throw .termBeyondHardState(found: record.term, hardState: hardState.term)
            }
            termRuns.append(TermRun(firstIndex: record.index, term: record.term))
        }
        guard let type = EntryType(rawValue: record.detail) else { throw .unknownEntryType(record.detail) }
        if type == .configurationChange {
            configurationEntries.append(
                Entry(index: record.index, term: record.term, type: type, payload: Array(record.payload)))
        }
        (lastIndex, lastTerm) = (record.index, record.term)
    }

    private mutating func applyHardState(_ record: LogRecord) throws(LogContradiction) {
        let vote: NodeID?
        switch record.payload.count {
        case 0: vote = nil
        case 8: vote = NodeID(record.payload.load(at: 0, as: UInt64.self))
        default: throw .malformedHardState
        }
        guard record.term >= hardState.term else { throw .hardStateTermBackwards(found: record.term, last: hardState.term) }
        if record.term == hardState.term, let earlier = hardState.vote, vote != earlier {
            throw .voteChanged(term: record.term)
        }
        guard record.index >= hardState.commit else { throw .commitBackwards(found: record.index, last: hardState.commit) }
        guard record.index <= lastIndex else { throw .hardStateBeyondLog(commit: record.index, last: lastIndex) }
        hardState = HardState(term: record.term, vote: vote, commit: record.index)
    }

    private mutating func applyTruncation(_ record: LogRecord) throws(LogContradiction) {
        guard record.index >= hardState.commit else {
            throw .truncationOfCommitted(keep: record.index, commit: hardState.commit)
        }
        // Replay may begin in the middle: then the log from before the first segment is cut too, and the record says where it ends.
        if record.index < baseIndex {
            restart(behind: record.index, record.term)
            return
        }
        guard let term = term(at: record.index), term == record.term else {
            throw .noSuchEntry(index: record.index, term: record.term)
        }
        (lastIndex, lastTerm) = (record.index, record.term)
        while let run = termRuns.last, run.firstIndex > record.index { termRuns.removeLast() }
        while let entry = configurationEntries.last, entry.index > record.index { configurationEntries.removeLast() }
    }

    private mutating func applySnapshotMark(_ record: LogRecord) throws(LogContradiction) {
        if let snapshot {
            guard record.index >= snapshot.index else { throw .snapshotBackwards(found: record.index, last: snapshot.index) }
        }
        guard record.term <= hardState.term else { throw .termBeyondHardState(found: record.term, hardState: hardState.term) }
        let configuration: Configuration
        do {
            configuration = try Configuration(decoding: record.payload)
        } catch {
            throw .malformedConfiguration(error)
        }
        switch record.detail {
        case LogRecord.MarkDetail.keepsTail:
            // A mark that a later segment repeats may lie before what replay saw.
            guard record.index < baseIndex || term(at: record.index) == record.term else {
                throw .snapshotDisagrees(index: record.index, term: record.term)
            }
        case LogRecord.MarkDetail.restarts:
            guard record.index >= hardState.commit else {
                throw .truncationOfCommitted(keep: record.index, commit: hardState.commit)
            }
            restart(behind: record.index, record.term)
        default:
            throw .malformedSnapshotMark
        }
        snapshot = SnapshotMark(index: record.index, term: record.term, configuration: configuration)
        // A snapshot holds committed entries only.
        hardState.commit = max(hardState.commit, record.index)
    }

    /// A segment after the first repeats what the log says at its beginning; so must the replay.
    private func checkOpening(_ record: LogRecord) throws(LogContradiction) {
        guard record.index == lastIndex, record.term == lastTerm else {
            throw .openingDisagrees(found: record.index, last: lastIndex)
        }
    }

    private mutating func restart(behind index: LogIndex, _ term: Term) {
        (baseIndex, baseTerm, lastIndex, lastTerm) = (index, term, index, term)
        termRuns = []
        configurationEntries = []
    }

    /// Forgets the entries up to `index`: their segments are gone. - Precondition: the entry is held, or is the base.
    package mutating func forget(through index: LogIndex) {
        guard index > baseIndex else { return }
        guard let term = term(at: index) else { preconditionFailure("what is forgotten was held") }
        (baseIndex, baseTerm) = (index, term)
        // The run that contains the first entry that stays begins there.
        let stale = termRuns.lastIndex { $0.firstIndex <= index.next } ?? 0
        termRuns.removeSubrange(..<stale)
        if !termRuns.isEmpty {
            if index == lastIndex {
                termRuns = []
            } else if termRuns[0].firstIndex <= index {
                termRuns[0].firstIndex = index.next
            }
        }
        configurationEntries.removeAll { $0.index <= index }
    }
}

/// How a valid record contradicts those before it. No crash does that: a bug, or a record from elsewhere.
package enum LogContradiction: Error, Sendable, Hashable {
    case indexGap(found: LogIndex, last: LogIndex)
    case termBackwards(found: Term, last: Term)
    case termBeyondHardState(found: Term, hardState: Term)
    case unknownEntryType(UInt8)
    case malformedHardState
    case hardStateTermBackwards(found: Term, last: Term)
    case voteChanged(term: Term)
    case commitBackwards(found: LogIndex, last: LogIndex)
    case hardStateBeyondLog(commit: LogIndex, last: LogIndex)
    case truncationOfCommitted(keep: LogIndex, commit: LogIndex)
    case noSuchEntry(index: LogIndex, term: Term)
    case snapshotDisagrees(index: LogIndex, term: Term)
    case snapshotBackwards(found: LogIndex, last: LogIndex)
    case malformedConfiguration(Configuration.DecodingFault)
    case malformedSnapshotMark
    case openingDisagrees(found: LogIndex, last: LogIndex)
}
