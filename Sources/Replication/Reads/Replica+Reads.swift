import Metadata
import Raft

/// Reads of this node's clients, at all three levels of consistency (thesis, 6.4).
extension Replica {
    mutating func read(_ request: ReadRequest) {
        guard isMember else {
            effects.append(.completeRead(request.token, .failed(.notMember)))
            return
        }
        guard reads.count < settings.readCountMax else {
            effects.append(.completeRead(request.token, .failed(.overloaded)))
            return
        }
        switch request.consistency {
        case .linearizable:
            reads.unasked.append(WaitingReads.Read(request: request, deadline: request.deadline))
            askForReads()
        case .eventual:
            finish(WaitingReads.Read(request: request, deadline: request.deadline), at: .zero)
        case .boundedStaleness(let bound):
            if isFresh(within: bound), request.minimumIndex <= applied {
                finish(WaitingReads.Read(request: request, deadline: request.deadline), at: .zero)
                refreshIfAgeing(bound)
                return
            }
            // It waits for catching up no longer than the bound.
            let deadline = min(request.deadline, now.adding(milliseconds: bound))
            reads.bounded.append(WaitingReads.Read(request: request, deadline: deadline))
            askForFreshness()
        }
    }

    // MARK: Asking

    private mutating func askForReads() {
        guard !reads.unasked.isEmpty, let position = askForIndex() else { return }
        for read in reads.unasked { reads.add(read, position: position) }
        reads.unasked = []
    }

    /// - Returns: the position to wait for; nil while no leader is known.
    private mutating func askForIndex() -> UInt64? {
        do throws(ProposalRefusal) {
            let position = try core.readIndex()
            reads.ask(position, at: now)
            return position
        } catch { return nil }
    }

    private mutating func askForFreshness() {
        // Calls between two rounds share the next one.
        _ = askForIndex()
    }

    private mutating func refreshIfAgeing(_ bound: UInt64) {
        let (limit, overflows) = bound.multipliedReportingOverflow(by: settings.refreshPercent)
        guard reads.rounds.isEmpty, !overflows, let age = reads.freshness.ageMilliseconds(at: now), age > limit / 100 else {
            return
        }
        askForFreshness()
    }

    // MARK: Confirmed

    mutating func confirmed(_ read: ConfirmedRead) {
        let (askedAt, waiting) = reads.confirm(upTo: read.position)
        if let askedAt {
            let reached = settings.mutations.contains(.ignoresAppliedInStaleness) ? read.index : applied
            reads.freshness.confirm(read.index, askedAt: askedAt, applied: reached)
        }
        for waitingRead in waiting { finish(waitingRead, at: read.index) }
        serveFresh()
    }

    /// Serves the read once that index, and the one that it asks for, are applied here.
    private mutating func finish(_ read: WaitingReads.Read, at index: LogIndex) {
        let isEarly = settings.mutations.contains(.readsBeforeApply)
        let needed = isEarly ? read.request.minimumIndex : max(index, read.request.minimumIndex)
        if needed <= applied {
            effects.append(.completeRead(read.request.token, .ready(applied)))
        } else {
            reads.add(read, index: needed)
        }
    }

    private func isFresh(within bound: UInt64) -> Bool {
        reads.freshness.ageMilliseconds(at: now).map { $0 <= bound } ?? false
    }

    private mutating func serveFresh() {
        guard !reads.bounded.isEmpty else { return }
        let waiting = reads.bounded
        reads.bounded = []
        for read in waiting {
            // Not before its minimum index is applied: by then the state may be too old again.
            guard case .boundedStaleness(let bound) = read.request.consistency, isFresh(within: bound),
                read.request.minimumIndex <= applied
            else {
                reads.bounded.append(read)
                continue
            }
            finish(read, at: .zero)
        }
    }

    /// The state here contains more than before.
    mutating func appliedForReads() {
        reads.freshness.apply(upTo: applied)
        for read in reads.takeConfirmed(upTo: applied) {
            effects.append(.completeRead(read.request.token, .ready(applied)))
        }
        serveFresh()
    }

    // MARK: Time

    mutating func tickReads() {
        for (read, wasConfirmed) in reads.takeExpired(at: now) {
            effects.append(.completeRead(read.request.token, .failed(failure(read, wasConfirmed: wasConfirmed))))
        }
        askForReads()
        // A request or its answer may have been lost; another round confirms the earlier ones too.
        if let oldest = reads.rounds.first, now.milliseconds(since: oldest.askedAt) >= settings.retryMilliseconds {
            reads.askAgain()
            askForReads()
        }
        if !reads.bounded.isEmpty, reads.rounds.isEmpty { askForFreshness() }
    }

    private func failure(_ read: WaitingReads.Read, wasConfirmed: Bool) -> ReadFailure {
        if wasConfirmed { return .behind(applied: applied) }
        switch read.request.consistency {
        case .boundedStaleness where read.request.minimumIndex > applied: return .behind(applied: applied)
        case .boundedStaleness: return .tooStale(ageMilliseconds: reads.freshness.ageMilliseconds(at: now))
        case .linearizable, .eventual: return .timedOut
        }
    }

    mutating func standingChangedForReads() {
        askForReads()
        if !reads.bounded.isEmpty { askForFreshness() }
    }

    // MARK: The end

    mutating func endReads(_ reason: StopReason) {
        for read in reads.takeAll() {
            effects.append(.completeRead(read.request.token, .failed(.stopped(reason))))
        }
    }

    /// A replica that has stopped still has a state of some age.
    mutating func readWhenStopped(_ request: ReadRequest, _ reason: StopReason) {
        switch request.consistency {
        case .eventual where request.minimumIndex <= applied && genesis != nil:
            effects.append(.completeRead(request.token, .ready(applied)))
        case .eventual, .linearizable, .boundedStaleness:
            effects.append(.completeRead(request.token, .failed(.stopped(reason))))
        }
    }
}
