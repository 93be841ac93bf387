/// The follower's side: entries, heartbeats and snapshots of the leader (Raft paper, sections 5.3 and 7).
extension RaftCore {
    /// Whoever sends these in this term is its leader.
    private mutating func follow(_ node: NodeID) {
        precondition(role != .leader && (leader == nil || leader == node), "a second leader in one term")
        if role != .follower { becomeFollower(term: term, leader: node) }
        leader = node
        electionElapsed = 0
        fastCampaignCountdown = nil
    }

    mutating func receiveAppend(_ request: AppendRequest, from node: NodeID) {
        follow(node)
        // Late or repeated: all that is committed agrees, whatever comes from a leader.
        guard request.previousIndex >= log.commit else {
            send(.appendResponse(AppendResponse(index: log.commit)), to: node)
            return
        }
        guard log.term(at: request.previousIndex) == request.previousTerm else {
            let hint = log.newestEntry(upTo: request.previousIndex, term: request.previousTerm)
            let rejection = AppendResponse.Rejection(hintIndex: hint.index, hintTerm: hint.term)
            send(.appendResponse(AppendResponse(index: request.previousIndex, rejection: rejection)), to: node)
            return
        }
        let last = request.previousIndex + request.entries.count
        take(request.entries)
        let cutsTail = settings.mutations.contains(.truncatesOnAgreement) && last < log.lastIndex && last >= log.commit
        if cutsTail { replace(from: last.next) }
        log.advanceCommit(to: min(request.commit, last))
        send(.appendResponse(AppendResponse(index: last)), to: node)
    }

    /// Takes entries that follow one that agrees: those that are there already stay, and only a conflict cuts.
    private mutating func take(_ entries: [Entry]) {
        guard let first = entries.first else { return }
        var new = entries[...]
        if first.index <= log.lastIndex {
            new = new.drop { log.term(at: $0.index) == $0.term }
            if let conflict = new.first, conflict.index <= log.lastIndex { replace(from: conflict.index) }
        }
        for entry in new { log.append(entry) }
    }

    private mutating func replace(from index: LogIndex) {
        log.truncate(from: index, keepsChanges: settings.mutations.contains(.keepsTruncatedChanges))
        writes.replaced(from: index)
    }

    mutating func receiveHeartbeat(_ heartbeat: Heartbeat, from node: NodeID) {
        follow(node)
        log.advanceCommit(to: min(heartbeat.commit, log.lastIndex))
        send(.heartbeatResponse(HeartbeatResponse(readPosition: heartbeat.readPosition)), to: node)
    }

    // MARK: Snapshots

    /// The bytes of a snapshot are here and whole: the log restarts behind it, unless it holds all of it anyway.
    mutating func receiveSnapshot(_ mark: SnapshotMark, from node: NodeID) {
        follow(node)
        let isStale = mark.index <= log.commit && !settings.mutations.contains(.installsStaleSnapshots)
        let isHeld = log.term(at: mark.index) == mark.term
        if isStale || isHeld || settings.mutations.contains(.keepsTailBehindSnapshot) && mark.index < log.lastIndex {
            // What the log holds is no worse, and its tail stays.
            if !isStale { log.advanceCommit(to: mark.index) }
            send(.appendResponse(AppendResponse(index: log.commit)), to: node)
            return
        }
        log.restart(at: mark)
        writes.replaced(from: .zero.next)
        var append = ready.append ?? LogAppend(token: 0, snapshot: nil, hardState: nil, entries: [])
        append.snapshot = mark
        ready.append = append
        // Entries that were read for the old state are of no use.
        applyFetch = .idle
        ready.apply = []
        send(.appendResponse(AppendResponse(index: mark.index)), to: node)
    }

    /// The snapshot is the state machine's state and the log's beginning, durably.
    mutating func installed(_ mark: SnapshotMark) {
        log.advanceApplied(to: mark.index)
        unapplied.remove(upTo: mark.index)
        snapshotTaken(mark)
        adopt(mark.configuration)
    }
}
