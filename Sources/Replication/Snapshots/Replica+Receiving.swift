import Raft

/// The follower's side of snapshots.
extension Replica {
    mutating func receive(_ offer: SnapshotOffer, from sender: NodeID) {
        guard core.leader == sender, core.term == offer.term else {
            // A new leader's offer may be faster than its first message: it comes again.
            if offer.term < core.term { answer(offer, .notFollowed, to: sender) }
            return
        }
        guard offer.byteCount > 0, offer.chunkByteCount > 0, Int(offer.chunkByteCount) <= SnapshotChunk.byteCountMax else {
            answer(offer, .damaged, to: sender)
            return
        }
        guard offer.version <= settings.version else {
            answer(offer, .unknownVersion, to: sender)
            return
        }
        guard !isNeedless(offer.mark) else {
            // The log goes on from here; so the core says.
            tellCore(offer.mark, from: sender)
            answer(offer, .received, to: sender)
            return
        }
        if let current = reception {
            if current.id == offer.id {
                reception?.source = sender
                resume()
                return
            }
            // What is about to take the place of the state cannot be stopped.
            if case .installing = current.stage { return }
            effects.append(.abandonReception(current.id))
        }
        reception = SnapshotReception(offer: offer, source: sender)
        effects.append(.openReception(offer))
    }

    /// Late, or held by the log: nothing would be installed.
    private func isNeedless(_ mark: SnapshotMark) -> Bool {
        mark.index <= core.commit || core.term(at: mark.index) == mark.term
    }

    private mutating func answer(_ offer: SnapshotOffer, _ result: SnapshotAnswer.Result, to sender: NodeID) {
        send(.snapshotAnswer(SnapshotAnswer(id: offer.id, result: result)), to: sender)
    }

    private mutating func tellCore(_ mark: SnapshotMark, from leader: NodeID) {
        do throws(MessageError) {
            try core.step(Message(from: leader, to: node, term: core.term, .snapshot(mark)))
        } catch { effects.append(.note(.invalidMessage(from: leader, error))) }
    }

    /// Goes on where it stopped.
    private mutating func resume() {
        switch reception?.stage {
        case .receiving(let chunk, _, isStoring: false): ask(for: chunk)
        case .whole: offerWholeReception()
        case .opening, .receiving, .finishing, .installing, nil: break
        }
    }

    // MARK: Chunks

    mutating func receptionOpened(_ id: SnapshotID, _ chunkCount: UInt64) {
        guard reception?.id == id, reception?.stage == .opening else { return }
        next(chunkCount)
    }

    /// The next chunk, or the end.
    private mutating func next(_ chunk: UInt64) {
        guard let current = reception else { return }
        if chunk < current.offer.chunkCount {
            ask(for: chunk)
        } else {
            reception?.stage = .finishing
            effects.append(.finishReception(current.id))
        }
    }

    private mutating func ask(for chunk: UInt64) {
        guard let current = reception else { return }
        reception?.stage = .receiving(chunk: chunk, askedAt: now, isStoring: false)
        send(.snapshotRequest(SnapshotRequest(id: current.id, chunk: chunk)), to: current.source)
    }

    mutating func receive(_ chunk: SnapshotChunk, from sender: NodeID) {
        guard let current = reception, case .receiving(let expected, let askedAt, isStoring: false) = current.stage else {
            return
        }
        // Of another snapshot, of another leader, late or repeated.
        let isOfThis = current.id == chunk.id && current.source == sender || settings.mutations.contains(.mixesChunks)
        guard isOfThis, chunk.number == expected else { return }
        guard chunk.isWhole, chunk.bytes.count == current.offer.byteCount(ofChunk: expected) else {
            reception?.damagedCount += 1
            if current.damagedCount + 1 >= SnapshotReception.damagedCountMax {
                failReception(.damaged(detail: "chunk \(expected) does not have its checksum"))
            } else {
                ask(for: expected)
            }
            return
        }
        reception?.damagedCount = 0
        reception?.stage = .receiving(chunk: expected, askedAt: askedAt, isStoring: true)
        effects.append(.storeChunk(current.id, number: expected, bytes: chunk.bytes))
    }

    mutating func chunkStored(_ id: SnapshotID, _ number: UInt64) {
        guard let current = reception, current.id == id, case .receiving(number, _, isStoring: true) = current.stage else {
            return
        }
        next(number + 1)
    }

    mutating func receptionFailed(_ id: SnapshotID, _ failure: ReceptionFailure) {
        if reception?.id == id { failReception(failure) }
    }

    private mutating func failReception(_ failure: ReceptionFailure) {
        guard let current = reception else { return }
        reception = nil
        effects.append(.note(.snapshotReceptionFailed(failure)))
        effects.append(.abandonReception(current.id))
        let result: SnapshotAnswer.Result =
            switch failure {
            case .damaged: .damaged
            case .storage: .failed
            }
        answer(current.offer, result, to: current.source)
    }

    // MARK: Whole

    mutating func receptionFinished(_ id: SnapshotID) {
        guard reception?.id == id, reception?.stage == .finishing else { return }
        reception?.stage = .whole
        offerWholeReception()
    }

    /// What a snapshot contains is committed: it is as good from one leader as from the next.
    mutating func offerWholeReception() {
        guard let current = reception, current.stage == .whole, let leader = core.leader, leader != node else { return }
        if isNeedless(current.offer.mark) {
            dropReception()
        } else {
            reception?.stage = .installing
        }
        tellCore(current.offer.mark, from: leader)
        answer(current.offer, .received, to: current.source)
    }

    private mutating func dropReception() {
        guard let current = reception else { return }
        reception = nil
        effects.append(.abandonReception(current.id))
    }

    /// The core lets its log begin behind the snapshot. - Returns: which one.
    func installing(_ mark: SnapshotMark) -> SnapshotID {
        guard let current = reception, current.stage == .installing, current.offer.mark == mark else {
            preconditionFailure("the core installs a snapshot that was not received")
        }
        return current.id
    }

    mutating func installed(_ token: UInt64, _ installed: InstalledState) {
        guard let current = reception, current.stage == .installing, installed.state.applied == current.offer.mark.index else {
            preconditionFailure("a snapshot was installed that was not asked for")
        }
        reception = nil
        genesis = installed.state.genesis
        cluster = installed.state.cluster ?? cluster
        members = installed.state.members
        version = installed.state.version
        applied = installed.state.applied
        take(installed.state.restore)
        logWritten(token)
        snapshots.outdate(before: applied)
        releaseSnapshots()
        settleProposals(installed)
        appliedForReads()
        emitContacts()
        advanceMembership()
    }

    mutating func tickReception() {
        guard let current = reception, case .receiving(let chunk, let askedAt, isStoring: false) = current.stage else { return }
        if isNeedless(current.offer.mark) {
            dropReception()
        } else if core.leader == current.source,
            now.milliseconds(since: askedAt) >= settings.snapshots.chunkRetryMilliseconds
        {
            ask(for: chunk)
        }
    }
}
