import Metadata
import Raft

/// Writes of this node's clients: from the call to exactly one outcome.
///
/// A write is given to the leader of a term, this node itself or by a forward, again and again with the same serial until it is found
/// applied here or its caller's time is over. What it may still come to is known at each moment: an attempt counts for one term only, so
/// that it is over once an entry of a later term is applied and the write was not among those before it.
extension Replica {
    mutating func propose(_ proposal: Proposal) {
        let byteCount = proposal.operation.count + Command.operationHeaderByteCount
        if let rejection = rejection(byteCount) {
            effects.append(.complete(proposal.token, .refused(rejection)))
            return
        }
        proposals.add(
            BatchWriter.Pending(
                token: proposal.token, kind: proposal.kind, operation: proposal.operation, level: proposal.level,
                deadline: proposal.deadline))
    }

    private func rejection(_ byteCount: Int) -> ProposalRejection? {
        guard isMember else { return .notMember }
        guard byteCount <= settings.raft.proposalByteCountMax else { return .tooLarge(byteCount: byteCount) }
        let hasRoom =
            proposals.count < settings.proposalCountMax && proposals.spanCount < Int(SessionLimits.windowCount)
            && (proposals.count == 0 || proposals.byteCount + byteCount <= settings.proposalByteCountMax)
        return hasRoom ? nil : .overloaded
    }

    // MARK: To the leader

    /// Gives the leader what waits.
    mutating func flushProposals() {
        guard isMember, !proposals.isBlocked, core.leader != nil, core.transferTarget == nil else { return }
        guard case .open = proposals.standing else {
            openSession()
            return
        }
        while !proposals.waiting.isEmpty, !proposals.isBlocked {
            let serials = proposals.takeBatch(countMax: settings.batchCountMax, byteCountMax: settings.batchByteCountMax)
            guard !serials.isEmpty else { return }
            give(serials)
        }
    }

    private mutating func openSession() {
        if case .opening(let attempt) = proposals.standing, !isSilent(attempt) { return }
        guard core.configuration.members.hasSorted(node) else { return }
        let payload = Command.openSession(proposals.session).encoded()
        if isLeader {
            do throws(ProposalRefusal) {
                let place = try core.propose(payload)
                proposals.standing = .opening(
                    BatchWriter.Attempt(term: place.term, sequence: 0, sentAt: now, index: place.index))
            } catch { proposals.isBlocked = true }
        } else if let leader = core.leader {
            let sequence = forward([ForwardedCommand(level: .majority, payload: payload)], [], to: leader)
            proposals.standing = .opening(BatchWriter.Attempt(term: core.term, sequence: sequence, sentAt: now))
        }
    }

    /// Nothing was heard of it. What the leader of now has appended waits for its commit, however long that takes.
    private func isSilent(_ attempt: BatchWriter.Attempt) -> Bool {
        guard attempt.term == core.term else { return true }
        return attempt.index == nil && now.milliseconds(since: attempt.sentAt) >= settings.retryMilliseconds
    }

    private mutating func give(_ serials: [Serial]) {
        let mark = settings.mutations.contains(.marksTooFar) ? nil : proposals.mark
        var commands: [ForwardedCommand] = []
        commands.reserveCapacity(serials.count)
        for serial in serials {
            guard let pending = proposals[serial] else { preconditionFailure("a write without its data") }
            let operation = SessionOperation(
                session: proposals.session, serial: serial, mark: mark ?? serial, kind: pending.kind,
                operation: pending.operation)
            commands.append(ForwardedCommand(level: pending.level, payload: Command.operation(operation).encoded()))
        }
        if isLeader {
            append(commands, serials)
        } else if let leader = core.leader {
            let sequence = forward(commands, serials, to: leader)
            attempted(serials, BatchWriter.Attempt(term: core.term, sequence: sequence, sentAt: now))
        }
    }

    private mutating func append(_ commands: [ForwardedCommand], _ serials: [Serial]) {
        do throws(ProposalRefusal) {
            let place = try core.propose(commands.map(\.payload))
            attempted(serials, BatchWriter.Attempt(term: place.term, sequence: 0, sentAt: now, index: place.first))
            note(commands, at: place.first, of: node)
        } catch {
            // Nothing was appended. When there is room again, or another leader, they go on.
            proposals.isBlocked = true
            for serial in serials { proposals.wait(serial) }
        }
    }

    private mutating func forward(_ commands: [ForwardedCommand], _ serials: [Serial], to leader: NodeID) -> UInt64 {
        proposals.forwardSequence += 1
        let sequence = proposals.forwardSequence
        forwards.sent(sequence, serials, countMax: settings.proposalCountMax)
        send(
            .forward(Forward(term: core.term, start: start, sequence: sequence, commands: commands)), to: leader)
        return sequence
    }

    /// - Parameter attempt: its index is the first one's.
    private mutating func attempted(_ serials: [Serial], _ attempt: BatchWriter.Attempt) {
        for (offset, serial) in serials.enumerated() {
            var own = attempt
            if let first = attempt.index { own.index = first + offset }
            proposals[serial]?.attempted(own)
            if own.index != nil { answerEarly(serial) }
        }
    }

    /// Under `answersBeforeCommit` only.
    private mutating func answerEarly(_ serial: Serial) {
        guard settings.mutations.contains(.answersBeforeCommit), let index = proposals[serial]?.attempt?.index else { return }
        complete(serial, .committed(index, .change(.success(.done))))
    }

    // MARK: The leader's answers

    mutating func receive(_ answer: ForwardAnswer, from node: NodeID) {
        guard answer.start == start, let outstanding = forwards.answered(answer.sequence) else { return }
        if outstanding.serials.isEmpty {
            openingAnswered(answer)
            return
        }
        for (offset, serial) in outstanding.serials.enumerated() where isCurrent(serial, answer.sequence) {
            switch answer.result {
            case .appended(let first):
                proposals[serial]?.attempt?.index = first + offset
                answerEarly(serial)
            case .refused(let refusal):
                proposals[serial]?.attempt = nil
                if refusal == .tooLarge, proposals[serial]?.isInDoubt == false {
                    let byteCount = proposals[serial]?.operation.count ?? 0
                    complete(serial, .refused(.tooLarge(byteCount: byteCount)))
                } else {
                    proposals.wait(serial)
                }
            }
        }
        // The same leader would refuse again at once.
        if case .refused = answer.result { proposals.isBlocked = true }
    }

    private func isCurrent(_ serial: Serial, _ sequence: UInt64) -> Bool {
        proposals[serial]?.attempt?.sequence == sequence
    }

    private mutating func openingAnswered(_ answer: ForwardAnswer) {
        guard case .opening(let attempt) = proposals.standing, attempt.sequence == answer.sequence else { return }
        switch answer.result {
        case .appended: break
        case .refused:
            proposals.standing = .closed
            proposals.isBlocked = true
        }
    }

    /// Entries of that term are durable with the leader up to `durable`, and everything is with every voter up to `everywhere`.
    mutating func progressed(_ progress: LeaderProgress) {
        proposals.everywhere = max(proposals.everywhere, progress.everywhere)
        for serial in proposals.serials {
            guard let pending = proposals[serial] else { continue }
            if let applied = pending.applied {
                if applied.index <= proposals.everywhere { complete(serial, .committed(applied.index, applied.outcome)) }
            } else if pending.level == .eventual, let attempt = pending.attempt, attempt.term == progress.term,
                let index = attempt.index, index <= progress.durable
            {
                complete(serial, .accepted(index))
            }
        }
    }

    // MARK: Applied

    /// An operation of this node's session was applied here.
    mutating func applied(_ operation: AppliedOperation) {
        guard operation.session == proposals.session else { return }
        switch operation.result {
        case .applied(let outcome): committed(operation.serial, operation.index, outcome)
        case .repeated(let index, let outcome): committed(operation.serial, index, outcome)
        case .acknowledged, .sessionExpired, .beyondWindow:
            // Of the first the outcome was given; for the others the session's change says what happens.
            break
        }
    }

    private mutating func committed(_ serial: Serial, _ index: LogIndex, _ outcome: MetadataOutcome) {
        guard let pending = proposals[serial], pending.applied == nil else { return }
        let isEverywhere = index <= proposals.everywhere || settings.mutations.contains(.answersBeforeAll)
        guard pending.level == .all, !isEverywhere else {
            complete(serial, .committed(index, outcome))
            return
        }
        proposals[serial]?.applied = (index, outcome)
        askEverywhere(upTo: index)
    }

    /// Asks the leader to tell when every voter has the entry; a leader that has appended it itself knows.
    private mutating func askEverywhere(upTo index: LogIndex) {
        if isLeader {
            forwards.interest(node, everywhere: index)
        } else if let leader = core.leader {
            send(.awaitProgress(AwaitProgress(term: core.term, everywhere: index)), to: leader)
        }
    }

    mutating func changed(_ change: SessionChange) {
        switch change {
        case .opened(let session):
            openSessions.removeAll { $0.node == session.node }
            openSessions.append(session)
            openSessions.sort()
            if session == proposals.session { proposals.standing = .open }
        case .ended(let session):
            openSessions.removeAll { $0 == session }
            if session == proposals.session {
                effects.append(.note(.sessionExpired(session)))
                // What was not applied before never will be: it may go on in a new session.
                proposals.begin(session.next)
            }
        case .notOpened(let session):
            guard session == proposals.session, core.configuration.members.hasSorted(node) else { return }
            proposals.begin(session.next)
        }
    }

    /// An entry of that term is applied, and what came of the entries before it has been told: attempts of earlier terms have come to
    /// nothing, since the terms of a log never fall.
    mutating func settleAttempts(before term: Term) {
        guard term > proposals.settledTerm else { return }
        proposals.settledTerm = term
        if case .opening(let attempt) = proposals.standing, attempt.term < term { proposals.standing = .closed }
        for serial in proposals.serials {
            guard let pending = proposals[serial], pending.applied == nil else { continue }
            if let doubt = pending.doubt, doubt < term { proposals[serial]?.doubt = nil }
            guard let attempt = pending.attempt, attempt.term < term else { continue }
            proposals[serial]?.attempt = nil
            again(serial)
        }
    }

    // MARK: Again

    private mutating func again(_ serial: Serial) {
        guard settings.mutations.contains(.retriesWithNewSerials) else {
            proposals.wait(serial)
            return
        }
        guard var pending = proposals.remove(serial) else { return }
        pending.isWaiting = true
        proposals.add(pending)
    }

    mutating func tickProposals() {
        proposals.isBlocked = false
        guard proposals.count > 0 else { return }
        var asked: LogIndex?
        for serial in proposals.serials {
            guard let pending = proposals[serial] else { continue }
            if pending.deadline <= now {
                expire(serial, pending)
            } else if let applied = pending.applied {
                asked = max(asked ?? .zero, applied.index)
            } else if let attempt = pending.attempt, isSilent(attempt) {
                again(serial)
            }
        }
        guard let asked, now.milliseconds(since: proposals.askedAt) >= settings.retryMilliseconds else { return }
        proposals.askedAt = now
        askEverywhere(upTo: asked)
    }

    private mutating func expire(_ serial: Serial, _ pending: BatchWriter.Pending) {
        if let applied = pending.applied {
            complete(serial, .unknown(.notOnEveryVoter(applied.index)))
        } else if pending.isInDoubt, !settings.mutations.contains(.refusesInDoubt) {
            complete(serial, .unknown(.timedOut))
        } else {
            complete(serial, .refused(.timedOut))
        }
    }

    private mutating func complete(_ serial: Serial, _ outcome: ProposalOutcome) {
        guard let pending = proposals.remove(serial) else { return }
        effects.append(.complete(pending.token, outcome))
    }

    /// There is another leader, or a known one: what the last one was given goes to this one.
    mutating func standingChangedForProposals() {
        proposals.isBlocked = false
        guard core.leader != nil else { return }
        for serial in proposals.serials {
            guard let pending = proposals[serial] else { continue }
            if let applied = pending.applied {
                askEverywhere(upTo: applied.index)
            } else if let attempt = pending.attempt, attempt.term != core.term {
                again(serial)
            }
        }
    }

    // MARK: A snapshot, and the end

    /// The state was replaced: the results that it keeps are the outcomes of writes whose entries will not be seen here.
    mutating func settleProposals(_ installed: InstalledState) {
        let session = proposals.session
        let isOpen = installed.state.sessions.contains(session)
        openSessions = installed.state.sessions
        for result in installed.results where isOpen { committed(result.serial, result.index, result.outcome) }
        let wasOpen: Bool =
            switch proposals.standing {
            case .open: true
            case .opening, .closed: false
            }
        if isOpen {
            proposals.standing = .open
        } else if wasOpen {
            // It has ended among entries that were not seen: what may have been applied before is not known.
            effects.append(.note(.sessionExpired(session)))
            for serial in proposals.serials where proposals[serial]?.isInDoubt == true && proposals[serial]?.applied == nil {
                complete(serial, .unknown(.sessionExpired))
            }
            proposals.begin(session.next)
        }
        settleAttempts(before: installed.state.term)
    }

    mutating func endProposals(_ reason: StopReason) {
        for serial in proposals.serials {
            guard let pending = proposals[serial] else { continue }
            if let applied = pending.applied {
                complete(serial, .unknown(.notOnEveryVoter(applied.index)))
            } else {
                complete(serial, pending.isInDoubt ? .unknown(.stopped(reason)) : .refused(.stopped(reason)))
            }
        }
    }
}
