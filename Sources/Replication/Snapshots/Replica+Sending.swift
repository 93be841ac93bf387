import Raft

/// The leader's side of snapshots.
extension Replica {
    /// Snapshots that are on their way to followers.
    package var snapshotTransferCount: Int { manager.transfers.count }

    /// The core wants the follower to have one.
    mutating func offerSnapshot(to follower: NodeID) {
        guard let newest = snapshots.newest, newest.id.index >= core.sendingBase else {
            core.reportSnapshot(follower, isReceived: false)
            takeMissingSnapshot()
            return
        }
        if let transfer = manager.transfers.transfer(to: follower), transfer.offer.id == newest.id { return }
        let hasRoom = manager.transfers.count < settings.snapshots.transferCountMax || settings.mutations.contains(.sendsToAll)
        guard hasRoom || manager.transfers.transfer(to: follower) != nil else {
            manager.transfers.wait(follower)
            return
        }
        let offer =
            brokenOffer(follower)
            ?? SnapshotOffer(
                term: core.term, mark: newest.mark, fingerprint: newest.id.fingerprint, byteCount: newest.byteCount,
                chunkByteCount: settings.snapshots.chunkByteCount, version: newest.version)
        manager.transfers.begin(offer, to: follower, at: now)
        send(.snapshotOffer(offer), to: follower)
    }

    /// The follower may have most of an older one, behind which the log still goes on.
    private func brokenOffer(_ follower: NodeID) -> SnapshotOffer? {
        guard let broken = manager.transfers.broken.first(where: { $0.node == follower }),
            broken.offer.mark.index >= core.sendingBase
        else { return nil }
        return broken.offer
    }

    mutating func receive(_ request: SnapshotRequest, from follower: NodeID) {
        if isLeader { manager.transfers.request(request.chunk, of: request.id, from: follower, at: now) }
    }

    mutating func receive(_ answer: SnapshotAnswer, from follower: NodeID) {
        guard isLeader, let transfer = manager.transfers.transfer(to: follower), transfer.offer.id == answer.id else { return }
        if answer.result != .received { effects.append(.note(.snapshotSendFailed(to: follower, answer.result))) }
        if answer.result == .damaged {
            effects.append(.checkSnapshot(answer.id))
            discardSnapshot(answer.id)
        }
        if answer.result == .received { manager.transfers.arrive(transfer, at: now) }
        endTransfer(to: follower, isReceived: answer.result == .received)
    }

    mutating func chunkUnreadable(_ id: SnapshotID, _ follower: NodeID) {
        guard let transfer = manager.transfers.transfer(to: follower), transfer.offer.id == id else { return }
        effects.append(.note(.snapshotSendFailed(to: follower, nil)))
        discardSnapshot(id)
        endTransfer(to: follower, isReceived: false)
    }

    private mutating func discardSnapshot(_ id: SnapshotID) {
        snapshots.discard(id)
        manager.transfers.forgetBroken(id)
    }

    private mutating func endTransfer(to follower: NodeID, isReceived: Bool) {
        guard manager.transfers.end(follower) else { return }
        core.reportSnapshot(follower, isReceived: isReceived)
        while manager.transfers.count < settings.snapshots.transferCountMax, let next = manager.transfers.takeWaiting() {
            if core.progress(of: next)?.state == .snapshot { offerSnapshot(to: next) }
        }
        releaseSnapshots()
    }

    /// Sends the chunks that were asked for, as far as the throttle lets them.
    mutating func pumpTransfers() {
        guard isLeader, manager.transfers.count > 0 else { return }
        manager.transfers.refill(at: now, bytesPerSecond: settings.snapshots.bytesPerSecondMax)
        while let (follower, id, chunk) = manager.transfers.takeRequested() {
            effects.append(.sendChunk(id, number: chunk, to: follower))
        }
    }

    mutating func tickTransfers() {
        guard isLeader else { return }
        let policy = settings.snapshots
        if manager.transfers.forgetBroken(at: now, after: policy.resumeMilliseconds) { releaseSnapshots() }
        let core = core
        let now = now
        manager.transfers.forgetArriving { node, index, since in
            guard let progress = core.progress(of: node) else { return true }
            return progress.match >= index || now.milliseconds(since: since) >= policy.silenceMilliseconds
        }
        for transfer in manager.transfers.transfers {
            if core.progress(of: transfer.node)?.state != .snapshot {
                // Its log has caught up with the snapshot, or it is no member any more.
                endTransfer(to: transfer.node, isReceived: true)
            } else if now.milliseconds(since: transfer.heardAt) >= policy.silenceMilliseconds {
                effects.append(.note(.snapshotSendFailed(to: transfer.node, nil)))
                manager.transfers.breakOff(transfer, at: now, countMax: policy.transferCountMax)
                endTransfer(to: transfer.node, isReceived: false)
            } else if !transfer.hasBegun, now.milliseconds(since: transfer.offeredAt) >= policy.chunkRetryMilliseconds {
                manager.transfers.offered(transfer.node, at: now)
                send(.snapshotOffer(transfer.offer), to: transfer.node)
            }
        }
    }

    /// Another one leads, whose core knows nothing of them.
    mutating func endTransfers() {
        manager.transfers.endAll()
        releaseSnapshots()
    }
}
