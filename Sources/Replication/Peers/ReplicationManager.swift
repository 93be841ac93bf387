import Raft

/// Watches over the other nodes beyond what consensus needs: who they are and what they say of themselves, how each one is doing, when to
/// tell them how this one is doing, and the snapshots that bring followers up whose entries the log has forgotten.
///
/// Every member tells all others its status each second (`ReplicaSettings.statusMilliseconds`), so that each node knows how all are,
/// whoever leads. The replica asks and tells; this is a value without clock or I/O.
struct ReplicationManager: Sendable {
    struct Peer: Sendable {
        let node: NodeID
        var incarnation: Incarnation
        var status: NodeStatus?
        /// Entries that it lacked of what was committed here when it told its status.
        var behind: UInt64 = 0
        /// When its newest message came; nil: none has.
        var heardAt: ClockReading?
        /// The connection to it was lost, and nothing has come since.
        var isLost = false
        /// Since when a leader counts the silence after which the peer's session ends.
        var silentSince: ClockReading
    }

    /// A node that lacks no more entries than this is healthy, and ready to serve.
    static let reachEntryCount: UInt64 = 1000
    private static let countMax = 1024

    /// Sorted by node; of members and of who is about to become one.
    private var peers: [Peer] = []
    /// Disks that were turned away, and when they were the last time.
    private var refused: [(identity: NodeIdentity, at: ClockReading)] = []
    /// When this node has told the others of itself.
    private var reportedAt: ClockReading?
    /// Snapshots on their way to followers, and followers that wait for one.
    var transfers = SnapshotTransfers()

    // MARK: Peers

    func peer(_ node: NodeID) -> Peer? { peers.first { $0.node == node } }

    mutating func heard(_ identity: NodeIdentity, at now: ClockReading) {
        update(identity, at: now) { peer in
            peer.heardAt = now
            peer.isLost = false
            peer.silentSince = now
        }
    }

    /// The peer's silence counts from now on.
    mutating func restartSilence(of identity: NodeIdentity, at now: ClockReading) {
        update(identity, at: now) { $0.silentSince = now }
    }

    /// A new leader has not listened to anybody yet.
    mutating func restartSilences(at now: ClockReading) {
        for place in peers.indices { peers[place].silentSince = now }
    }

    private mutating func update(_ identity: NodeIdentity, at now: ClockReading, _ change: (inout Peer) -> Void) {
        if let place = peers.firstIndex(where: { $0.node == identity.node }) {
            if peers[place].incarnation != identity.incarnation {
                peers[place] = Peer(node: identity.node, incarnation: identity.incarnation, silentSince: now)
            }
            change(&peers[place])
            return
        }
        guard peers.count < Self.countMax else { return }
        var peer = Peer(node: identity.node, incarnation: identity.incarnation, silentSince: now)
        change(&peer)
        peers.insert(peer, at: peers.firstIndex { $0.node > identity.node } ?? peers.count)
    }

    /// - Parameter commit: what is known to be committed here.
    mutating func took(_ status: NodeStatus, from node: NodeID, commit: LogIndex) {
        guard let place = peers.firstIndex(where: { $0.node == node }) else { return }
        peers[place].status = status
        peers[place].behind = commit.rawValue - min(commit.rawValue, status.applied.rawValue)
    }

    /// The peer's process is gone, as far as can be told.
    mutating func lost(_ node: NodeID) {
        guard let place = peers.firstIndex(where: { $0.node == node }) else { return }
        peers[place].isLost = true
    }

    /// Another disk has spoken under the id.
    func hasRefusedOther(than identity: NodeIdentity) -> Bool { refusedOther(than: identity) != nil }

    private func refusedOther(than identity: NodeIdentity) -> ClockReading? {
        refused.filter { $0.identity.node == identity.node && $0.identity != identity }.map(\.at).max()
    }

    /// - Returns: whether it is news.
    @discardableResult
    mutating func refuse(_ identity: NodeIdentity, at now: ClockReading) -> Bool {
        if let place = refused.firstIndex(where: { $0.identity == identity }) {
            refused[place].at = now
            return false
        }
        guard refused.count < Self.countMax else { return false }
        refused.append((identity, now))
        return true
    }

    // MARK: Health

    /// - Parameters:
    ///   - identity: the member's; nil of a node that is none.
    ///   - behind: entries that it lacks.
    ///   - silence: in milliseconds; who says nothing for longer is unreachable.
    func status(
        of node: NodeID, _ identity: NodeIdentity?, behind: UInt64, silence: UInt64, at now: ClockReading
    ) -> PeerStatus {
        let peer = peer(node)
        // Once the member's own disk is heard again, all is well.
        if let identity, let refusedAt = refusedOther(than: identity), peer?.heardAt.map({ $0 <= refusedAt }) ?? true {
            return .failed
        }
        guard let peer, let heardAt = peer.heardAt, !peer.isLost, now.milliseconds(since: heardAt) <= silence else {
            return .unreachable
        }
        return behind > Self.reachEntryCount ? .lagging(behind: behind) : .healthy
    }

    /// Whether it is time to tell the others of this node; it counts as done then.
    mutating func takeReportDue(every milliseconds: UInt64, at now: ClockReading) -> Bool {
        if let reportedAt, now.milliseconds(since: reportedAt) < milliseconds { return false }
        reportedAt = now
        return true
    }

    /// What there is to tell is new.
    mutating func reportAtOnce() { reportedAt = nil }
}
