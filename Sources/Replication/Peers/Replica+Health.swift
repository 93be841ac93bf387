package import Raft

/// How the nodes of the cluster are doing, as this one knows.
extension Replica {
    /// What the node says that it has applied, when it said so last; of this node, what it has.
    package func appliedIndex(of peer: NodeID) -> LogIndex? {
        peer == node ? applied : manager.peer(peer)?.status?.applied
    }

    /// What the node lacks. The leader knows what the log of each one lacks of its own; the others know what a peer had not applied of what
    /// was committed here when it told its status. Nil: it has not said.
    package func entriesBehind(_ peer: NodeID) -> UInt64? {
        if peer == node { return core.commit.rawValue - min(core.commit.rawValue, applied.rawValue) }
        if isLeader, let match = core.progress(of: peer)?.match { return core.lastIndex.rawValue - match.rawValue }
        return manager.peer(peer).flatMap { $0.status == nil ? nil : $0.behind }
    }

    /// - Parameter now: the clock's reading; this node itself is always heard.
    package func status(of peer: NodeID, at now: ClockReading) -> PeerStatus {
        let behind = entriesBehind(peer) ?? 0
        guard peer != node else {
            return behind > ReplicationManager.reachEntryCount ? .lagging(behind: behind) : .healthy
        }
        return manager.status(
            of: peer, members.member(peer)?.identity, behind: behind, silence: settings.unreachableMilliseconds, at: now)
    }
}
