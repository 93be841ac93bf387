/// Writes to the log that have been handed out and are not known to be durable, oldest first.
struct PendingWrites: Sendable {
    struct Write: Sendable {
        let token: UInt64
        /// Up to here the log of now will be durable with it; later writes that replace entries lower it, since what lies on the disk
        /// then is not what the log says.
        var durable: LogIndex
        let snapshot: SnapshotMark?
        /// What may be said when it is durable.
        var responses: [Message]
    }

    private var writes: [Write] = []
    private var lastToken: UInt64 = 0

    var isEmpty: Bool { writes.isEmpty }
    var isInstalling: Bool { writes.contains { $0.snapshot != nil } }

    mutating func add(durable: LogIndex, snapshot: SnapshotMark?, responses: [Message]) -> UInt64 {
        lastToken += 1
        writes.append(Write(token: lastToken, durable: durable, snapshot: snapshot, responses: responses))
        return lastToken
    }

    /// What is said already is not said twice: a leader goes on asking a disk that stands still.
    mutating func appendToLast(_ responses: [Message]) {
        for response in responses where !writes[writes.count - 1].responses.contains(response) {
            writes[writes.count - 1].responses.append(response)
        }
    }

    /// What may be said to other nodes when these writes are durable; it is said once.
    mutating func takeResponses(upTo token: UInt64, exceptTo node: NodeID) -> [Message] {
        var taken: [Message] = []
        for position in writes.indices where writes[position].token <= token {
            taken += writes[position].responses.filter { $0.to != node }
            writes[position].responses.removeAll { $0.to != node }
        }
        return taken
    }

    mutating func replaced(from index: LogIndex) {
        for position in writes.indices { writes[position].durable = min(writes[position].durable, index.previous) }
    }

    mutating func takeOldest() -> [Write] { writes.isEmpty ? [] : [writes.removeFirst()] }

    mutating func take(upTo token: UInt64) -> [Write] {
        let end = writes.firstIndex { $0.token > token } ?? writes.count
        let done = Array(writes[..<end])
        writes.removeFirst(end)
        return done
    }
}

/// Bytes of entries that the applier has been given, by the last index of each batch.
struct UnappliedBytes: Sendable {
    private var batches: [(last: LogIndex, byteCount: Int)] = []
    private(set) var byteCount = 0

    mutating func add(_ last: LogIndex, byteCount: Int) {
        batches.append((last, byteCount))
        self.byteCount += byteCount
    }

    mutating func remove(upTo index: LogIndex) {
        let end = batches.firstIndex { $0.last > index } ?? batches.count
        for batch in batches[..<end] { byteCount -= batch.byteCount }
        batches.removeFirst(end)
    }
}

extension RaftCore {
    // MARK: Writing

    /// Hands out what is not on its way to the disk, together with the messages that wait for it.
    mutating func handOutWrites() {
        let entries = log.takeUnwritten()
        let hasVoted = handedHardState.term != term || handedHardState.vote != vote
        if !entries.isEmpty || hasVoted || ready.append != nil {
            let snapshot = ready.append?.snapshot
            let hardState = HardState(term: term, vote: vote, commit: log.commit)
            let isChanged = hardState != handedHardState
            let token = writes.add(durable: log.lastIndex, snapshot: snapshot, responses: responses)
            ready.append = LogAppend(
                token: token, snapshot: snapshot, hardState: isChanged ? hardState : nil, entries: entries)
            handedHardState = hardState
            responses = []
            if settings.mutations.contains(.countsOwnBeforeDurable), role == .leader { acknowledgeSelf(log.lastIndex) }
            return
        }
        guard !responses.isEmpty else { return }
        if !writes.isEmpty {
            writes.appendToLast(responses)
            responses = []
            return
        }
        // Nothing has to be written for them.
        let released = responses
        responses = []
        release(released)
        // What this node said to itself may have made it say more.
        handOutWrites()
    }

    /// All writes up to that one are durable. Older and repeated reports do no harm.
    package mutating func written(upTo token: UInt64) {
        let done = settings.mutations.contains(.countsReports) ? writes.takeOldest() : writes.take(upTo: token)
        for write in done {
            if let mark = write.snapshot { installed(mark) }
            log.advanceDurable(to: settings.mutations.contains(.ignoresReplacedWrites) ? log.lastIndex : write.durable)
            if role == .leader { acknowledgeSelf(log.durable) }
            release(write.responses)
        }
    }

    /// The messages to other nodes that wait for the writes up to that one: for a driver that sends them as soon as the disk has
    /// answered, and calls `written` later.
    package mutating func takeResponses(upTo token: UInt64) -> [Message] {
        writes.takeResponses(upTo: token, exceptTo: id)
    }

    private mutating func release(_ messages: [Message]) {
        for message in messages {
            if message.to != id {
                ready.messages.append(message)
            } else if case .voteResponse(let response) = message.body, message.term == (response.isPreVote ? term.next : term) {
                receiveVote(from: id, response)
            }
        }
    }

    /// The log's thread does not keep up, or does again: a node that cannot write must not lead.
    package mutating func storageStalled(_ isStalled: Bool) {
        if settings.mutations.contains(.leadsOnStalledDisk) { return }
        isStorageStalled = isStalled
        if isStalled, role != .follower { becomeFollower(term: term, leader: nil) }
    }

    // MARK: Applying

    /// Commit may outrun the local disk, apply must not: a crash would leave a state beyond the log.
    private var applicable: LogIndex {
        settings.mutations.contains(.appliesBeforeDurable) ? log.commit : min(log.commit, log.durable)
    }

    var canHandOutEntriesToApply: Bool {
        log.handedToApply < applicable && unapplied.byteCount < settings.unappliedByteCountMax && applyFetch == .idle
            && !writes.isInstalling
    }

    mutating func handOutEntriesToApply() {
        guard canHandOutEntriesToApply else { return }
        let first = log.handedToApply.next
        let byteCountMax = applyByteCountMax
        guard log.cache.has(first) else {
            applyFetch = .underWay
            let last = min(applicable, log.cache.firstIndex.previous)
            ready.fetches.append(LogFetch(purpose: .apply, first: first, last: last, byteCountMax: byteCountMax))
            return
        }
        handOut(Array(log.cache.entries(from: first, to: applicable, byteCountMax: byteCountMax)))
    }

    /// Bytes that the applier may be given now.
    private var applyByteCountMax: Int {
        min(settings.applyByteCountMax, settings.unappliedByteCountMax - unapplied.byteCount)
    }

    private mutating func handOut(_ entries: [Entry]) {
        guard let last = entries.last else { return }
        unapplied.add(last.index, byteCount: settings.byteCount(of: entries))
        log.handToApply(upTo: last.index)
        ready.apply += entries
    }

    /// The state machine contains all entries up to that one.
    package mutating func applied(to index: LogIndex) {
        guard index > log.applied else { return }
        let before = log.applied
        log.advanceApplied(to: index)
        unapplied.remove(upTo: index)
        for change in log.changes where change.index > before && change.index <= index { apply(change) }
        leaveJointIfDue()
    }

    // MARK: Older entries

    /// Entries from the log, as asked for; none if the log does not have them any more, or not now. It is asked again at the next tick.
    package mutating func fetched(_ fetch: LogFetch, _ entries: [Entry]) {
        switch fetch.purpose {
        case .apply:
            guard applyFetch == .underWay else { return }
            applyFetch = entries.isEmpty ? .fruitless : .idle
            // A snapshot may have taken their place meanwhile.
            if fetch.first == log.handedToApply.next, entries.first?.index == fetch.first {
                handOut(settings.prefix(of: entries, byteCountMax: applyByteCountMax))
            }
        case .peer(let node):
            guard let position = peerPosition(node) else { return }
            guard role == .leader, peers[position].fetch == .underWay else { return }
            peers[position].fetch = entries.isEmpty ? .fruitless : .idle
            let entries = settings.prefix(of: entries, byteCountMax: settings.messageByteCountMax)
            // The log may have been replaced since it was asked; if the last entry is still this log's, all before it are.
            let isWanted = entries.first?.index == peers[position].next
            let isOfThisLog = entries.last.map { log.term(at: $0.index) == $0.term } ?? false
            if isWanted, isOfThisLog, !peers[position].isPaused { sendEntries(entries, to: position) }
            sendAppends(to: position)
        }
    }

    mutating func retryFruitlessFetches() {
        if applyFetch == .fruitless { applyFetch = .idle }
        for position in peers.indices where peers[position].fetch == .fruitless {
            peers[position].fetch = .idle
            sendAppends(to: position)
        }
    }

    // MARK: Compaction

    /// A snapshot stands for the log up to a mark; followers can be given it from now on.
    package mutating func snapshotTaken(_ mark: SnapshotMark) {
        if mark.index > snapshot?.index ?? .zero { snapshot = mark }
    }

    /// The log has forgotten the entries up to there, which the newest snapshot contains.
    package mutating func compacted(to index: LogIndex) {
        precondition(index <= snapshot?.index ?? .zero, "what no snapshot contains must not be forgotten")
        log.compact(to: index)
    }
}
