import Raft

/// What this node knows of the others beyond what the core does.
struct PeerBook: Sendable {
    struct Peer: Sendable {
        let node: NodeID
        var incarnation: Incarnation
        var status: NodeStatus?
        var heardAt: ClockReading
    }

    /// Sorted by node; of members and of who is about to become one.
    private(set) var peers: [Peer] = []
    /// Refusals that were noted: each peer once.
    private var refused: [NodeIdentity] = []
    private static let countMax = 1024

    func peer(_ node: NodeID) -> Peer? { peers.first { $0.node == node } }

    mutating func heard(_ identity: NodeIdentity, at now: ClockReading) {
        if let place = peers.firstIndex(where: { $0.node == identity.node }) {
            if peers[place].incarnation != identity.incarnation {
                peers[place].incarnation = identity.incarnation
                peers[place].status = nil
            }
            peers[place].heardAt = now
            return
        }
        guard peers.count < Self.countMax else { return }
        let place = peers.firstIndex { $0.node > identity.node } ?? peers.count
        peers.insert(Peer(node: identity.node, incarnation: identity.incarnation, status: nil, heardAt: now), at: place)
    }

    mutating func took(_ status: NodeStatus, from node: NodeID) {
        guard let place = peers.firstIndex(where: { $0.node == node }) else { return }
        peers[place].status = status
    }

    mutating func forget(_ node: NodeID) {
        peers.removeAll { $0.node == node }
    }

    /// A new leader has not listened to anybody yet.
    mutating func hearAll(at now: ClockReading) {
        for place in peers.indices { peers[place].heardAt = max(peers[place].heardAt, now) }
    }

    /// Another disk has spoken under the id.
    func hasRefusedOther(than identity: NodeIdentity) -> Bool {
        refused.contains { $0.node == identity.node && $0 != identity }
    }

    /// - Returns: whether it is news.
    mutating func refuse(_ identity: NodeIdentity) -> Bool {
        guard !refused.contains(identity), refused.count < Self.countMax else { return false }
        refused.append(identity)
        return true
    }
}
