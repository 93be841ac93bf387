import Raft

/// When this node makes a snapshot, and what the log may forget then.
extension Replica {
    mutating func tickSnapshots() {
        if snapshots.startedAt == nil { snapshots.startedAt = now }
        snapshotIfDue()
        tickTransfers()
        tickReception()
        compactIfPossible()
    }

    // MARK: Taking

    private var newestIndex: LogIndex { max(snapshots.newest?.id.index ?? .zero, core.baseIndex) }

    mutating func snapshotIfDue() {
        // Who asked while a snapshot was being installed waits for one, too.
        if isMember, genesis != nil, isSnapshotDue || isSnapshotNeeded || !snapshots.asking.isEmpty { takeSnapshot() }
    }

    /// The spacing is between two snapshots, whenever the node has started: one that is restarted again and again must get to take one.
    private func isFree(after milliseconds: UInt64) -> Bool {
        snapshots.begunAt.map { now.milliseconds(since: $0) >= milliseconds } ?? true
    }

    private var millisecondsSinceSnapshotOrStart: UInt64 {
        (snapshots.begunAt ?? snapshots.startedAt).map { now.milliseconds(since: $0) } ?? 0
    }

    private var isSnapshotDue: Bool {
        let behind = newestIndex
        guard applied > behind else { return false }
        let policy = settings.snapshots
        let byteCount = logSizes.byteCount(behind: behind)
        if byteCount > policy.urgentByteCount { return isRetryDue }
        // One of the middle of a replay would say little about a long log, and hold up the next one.
        guard applied >= committedAtStart, isFree(after: policy.spacingMilliseconds) else { return false }
        if applied - behind > policy.entryCountMax || byteCount > policy.byteCountMax { return true }
        return policy.intervalMilliseconds.map { millisecondsSinceSnapshotOrStart >= $0 } ?? false
    }

    /// One that failed is not tried again at once.
    private var isRetryDue: Bool { isFree(after: settings.snapshots.chunkRetryMilliseconds) }

    /// A follower lacks what the log has forgotten, and there is nothing to give it.
    private var isSnapshotNeeded: Bool {
        let base = core.sendingBase
        let isThere = snapshots.newest.map { $0.id.index >= base } ?? false
        guard isLeader, !isThere, applied >= base, isRetryDue else { return false }
        return core.peers.contains { $0.node != node && $0.isActive && $0.match < base }
    }

    mutating func takeSnapshot() {
        guard !snapshots.isTaking, reception?.stage != .installing else { return }
        snapshots.isTaking = true
        snapshots.begunAt = now
        effects.append(.takeSnapshot)
    }

    /// The core wants to give one that is not there (it was installed here, or found damaged).
    mutating func takeMissingSnapshot() {
        if isRetryDue { takeSnapshot() }
    }

    mutating func snapshotTaken(_ description: SnapshotDescription) {
        snapshots.isTaking = false
        let askers = snapshots.asking
        snapshots.asking = []
        for caller in askers { tell(caller, .snapshot(description.id)) }
        guard description.id != snapshots.newest?.id else { return }
        // A received one may have taken the place of the state that it shows.
        guard description.id.index >= newestIndex, core.term(at: description.id.index) == description.id.term else {
            effects.append(.releaseSnapshot(description.id))
            return
        }
        snapshots.take(description)
        core.snapshotTaken(description.mark)
        snapshots.isCompactionDue = true
        compactIfPossible()
        releaseSnapshots()
    }

    mutating func snapshotFailed(_ detail: String) {
        snapshots.isTaking = false
        effects.append(.note(.snapshotFailed(detail: detail)))
        let askers = snapshots.asking
        snapshots.asking = []
        for caller in askers { tell(caller, .refused(.snapshotFailed(detail))) }
    }

    mutating func releaseSnapshots() {
        let transfers = manager.transfers
        for id in snapshots.release(keeping: { transfers.isSending($0) }) { effects.append(.releaseSnapshot(id)) }
    }

    // MARK: The log

    /// A snapshot that is on its way is of use only if the log goes on behind it when it has arrived: until then nothing is cut.
    private mutating func compactIfPossible() {
        let isFree = manager.transfers.areOver || settings.mutations.contains(.cutsLogWhileSending)
        guard snapshots.isCompactionDue, isFree, let newest = snapshots.newest else { return }
        snapshots.isCompactionDue = false
        let floor = compactionFloor(newest.id.index)
        guard floor > core.baseIndex, core.term(at: floor) != nil else { return }
        core.compacted(to: floor)
        logSizes.compact(to: floor)
        effects.append(.compact(newest.mark, keepingAfter: floor))
    }

    /// Some log stays for whoever is a little behind, and more for the slowest that is there, up to a bound.
    private func compactionFloor(_ snapshotIndex: LogIndex) -> LogIndex {
        let policy = settings.snapshots
        let floor = min(snapshotIndex, logSizes.index(with: policy.keptByteCount))
        guard isLeader else { return floor }
        var slowest = floor
        for peer in core.peers where peer.node != node && peer.isActive {
            slowest = min(slowest, max(peer.match, peer.pendingSnapshot ?? .zero))
        }
        // They are of use only with the log behind them.
        for broken in manager.transfers.broken { slowest = min(slowest, broken.offer.mark.index) }
        return max(slowest, min(floor, logSizes.index(with: policy.keptForFollowersByteCountMax)))
    }
}
