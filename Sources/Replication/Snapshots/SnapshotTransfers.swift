import Raft

/// Snapshots on their way to followers. The receiver asks for one chunk after another, so that it sets the pace and a broken transfer
/// goes on where it stopped; the sender bounds how many are under way, and their bytes.
struct SnapshotTransfers: Sendable {
    struct Transfer: Sendable {
        let node: NodeID
        let offer: SnapshotOffer
        /// The last sign of the receiver.
        var heardAt: ClockReading
        var offeredAt: ClockReading
        /// It has asked for a chunk.
        var hasBegun = false
        /// The chunk that it asked for and that was not sent yet.
        var requested: UInt64?
    }

    private(set) var transfers: [Transfer] = []
    /// Broken off; their receivers may have most of it.
    private(set) var broken: [(node: NodeID, offer: SnapshotOffer, since: ClockReading)] = []
    /// Received, and about to be installed: their receivers go on behind them.
    private(set) var arriving: [(node: NodeID, index: LogIndex, since: ClockReading)] = []
    /// Followers that wait until there is room.
    private(set) var waiting: [NodeID] = []
    /// Bytes that may be sent now.
    private var allowance: UInt64 = 0
    private var refilledAt: ClockReading?

    /// Nobody is about to need the log behind a snapshot.
    var areOver: Bool { transfers.isEmpty && arriving.isEmpty }
    var count: Int { transfers.count }

    func isSending(_ id: SnapshotID) -> Bool {
        transfers.contains { $0.offer.id == id } || broken.contains { $0.offer.id == id }
    }

    func transfer(to node: NodeID) -> Transfer? { transfers.first { $0.node == node } }

    mutating func begin(_ offer: SnapshotOffer, to node: NodeID, at now: ClockReading) {
        transfers.removeAll { $0.node == node }
        broken.removeAll { $0.node == node }
        arriving.removeAll { $0.node == node }
        waiting.removeAll { $0 == node }
        transfers.append(Transfer(node: node, offer: offer, heardAt: now, offeredAt: now))
    }

    mutating func wait(_ node: NodeID) {
        if !waiting.contains(node) { waiting.append(node) }
    }

    mutating func takeWaiting() -> NodeID? { waiting.isEmpty ? nil : waiting.removeFirst() }

    /// - Returns: whether there was one.
    mutating func end(_ node: NodeID) -> Bool {
        waiting.removeAll { $0 == node }
        guard let place = transfers.firstIndex(where: { $0.node == node }) else { return false }
        transfers.remove(at: place)
        return true
    }

    mutating func endAll() {
        (transfers, waiting, broken, arriving) = ([], [], [], [])
    }

    /// The receiver has all of it.
    mutating func arrive(_ transfer: Transfer, at now: ClockReading) {
        arriving.removeAll { $0.node == transfer.node }
        arriving.append((transfer.node, transfer.offer.mark.index, now))
    }

    mutating func forgetArriving(where isOver: (NodeID, LogIndex, ClockReading) -> Bool) {
        arriving.removeAll { isOver($0.node, $0.index, $0.since) }
    }

    /// The transfer is over for now, and may go on.
    mutating func breakOff(_ transfer: Transfer, at now: ClockReading, countMax: Int) {
        broken.removeAll { $0.node == transfer.node }
        if broken.count >= countMax { broken.removeFirst() }
        broken.append((transfer.node, transfer.offer, now))
    }

    /// Gives up those that nobody came back for. - Returns: whether there were any.
    mutating func forgetBroken(at now: ClockReading, after milliseconds: UInt64) -> Bool {
        let count = broken.count
        broken.removeAll { now.milliseconds(since: $0.since) >= milliseconds }
        return broken.count < count
    }

    mutating func forgetBroken(_ id: SnapshotID) {
        broken.removeAll { $0.offer.id == id }
    }

    mutating func request(_ chunk: UInt64, of id: SnapshotID, from node: NodeID, at now: ClockReading) {
        guard let place = transfers.firstIndex(where: { $0.node == node && $0.offer.id == id }),
            chunk < transfers[place].offer.chunkCount
        else { return }
        transfers[place].heardAt = now
        transfers[place].hasBegun = true
        transfers[place].requested = chunk
    }

    mutating func offered(_ node: NodeID, at now: ClockReading) {
        guard let place = transfers.firstIndex(where: { $0.node == node }) else { return }
        transfers[place].offeredAt = now
    }

    mutating func refill(at now: ClockReading, bytesPerSecond: UInt64?) {
        guard let bytesPerSecond else {
            allowance = .max
            return
        }
        let second: UInt64 = 1_000_000_000
        // No more than one second gives, or the largest chunk, so that a pause is not made up for by a flood.
        let start = max(refilledAt?.nanoseconds ?? 0, now.nanoseconds - min(now.nanoseconds, second))
        let (high, low) = bytesPerSecond.multipliedFullWidth(by: now.nanoseconds - start)
        let earned = second.dividingFullWidth((high, low)).quotient
        // The time that has not earned a whole byte counts the next time.
        guard earned > 0 else {
            refilledAt = ClockReading(nanoseconds: start)
            return
        }
        refilledAt = now
        let limit = max(bytesPerSecond, UInt64(SnapshotChunk.byteCountMax))
        allowance = min(limit, min(allowance, limit) + min(earned, limit))
    }

    /// A chunk that may be sent now; the transfers take turns.
    mutating func takeRequested() -> (node: NodeID, id: SnapshotID, chunk: UInt64)? {
        guard let place = transfers.firstIndex(where: { $0.requested != nil }), let chunk = transfers[place].requested else {
            return nil
        }
        let byteCount = UInt64(transfers[place].offer.byteCount(ofChunk: chunk))
        guard allowance >= byteCount else { return nil }
        if allowance != .max { allowance -= byteCount }
        transfers[place].requested = nil
        let transfer = transfers.remove(at: place)
        transfers.append(transfer)
        return (transfer.node, transfer.offer.id, chunk)
    }
}
