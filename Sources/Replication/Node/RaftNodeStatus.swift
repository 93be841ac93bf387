import KeyValueStore
package import Metadata
import NIOCore
import PeerTransport
import Raft

/// A node of a cluster as it sees itself and the others.
package struct RaftNodeStatus: Sendable {
    /// What a node is about.
    package enum State: String, Sendable {
        /// Empty, and waits for the nodes that the cluster is to begin with.
        case forming
        /// Empty, and waits to be added.
        case waiting
        /// Applies what was committed while it was down, or has no leader.
        case recovering
        case ready
        case stopped
    }

    package enum Role: String, Sendable {
        case leader, follower, candidate, learner, none
    }

    package struct Peer: Sendable {
        package var id: UInt64
        package var address: String
        package var role: Role
        package var status: PeerStatus
        /// Nil: it has not said.
        package var appliedIndex: UInt64?
        /// On the leader, what the peer's log lacks of its own; elsewhere, what the peer had not applied of what was committed here when it
        /// said how far it is. Nil: it has not said.
        package var lagEntries: UInt64?
        /// For how long the leader has had what the peer lacks, in milliseconds; nil where only the leader knows.
        package var lagMilliseconds: UInt64?
        /// What it lacks of the bodies, as it said last. Nil: it has not said.
        package var bodies: BodyReport?
    }

    package var node: UInt64
    package var cluster: UInt64?
    package var state: State
    /// Why it is not ready.
    package var obstacle: String?
    package var role: Role
    package var leader: UInt64?
    package var term: UInt64
    package var commitIndex: UInt64
    package var appliedIndex: UInt64
    package var lastIndex: UInt64
    package var version: UInt32
    /// The newest rules that this node knows.
    package var supportedVersion: UInt32
    /// Of the state at the applied index, in 32 hexadecimal digits.
    package var digest: String
    /// All members, this one among them, sorted by id; while there is no cluster, the configured nodes.
    package var peers: [Peer]
    /// The operation on the members that is under way, on the leader.
    package var operation: MembershipProgress?
    package var transport: TransportFigures
    package var load = Load()

    /// What waits, and what the log and the snapshots take.
    package struct Load: Sendable {
        /// Writes without an outcome, of this node's clients.
        package var proposals = 0
        /// Reads that wait for their index.
        package var reads = 0
        /// Batches that the log has not made durable.
        package var logBatches = 0
        /// Entries that the applier has not applied.
        package var applyingEntries = 0
        /// About so many bytes of entries that are not forgotten.
        package var logByteCount: UInt64 = 0
        /// Of the newest whole snapshot; 0: there is none.
        package var snapshotIndex: UInt64 = 0
        package var snapshotByteCount: UInt64 = 0
        /// Snapshots on their way to followers.
        package var snapshotsSent = 0
        /// How much has come of a snapshot that is being received, from 0 to 1; nil: none is.
        package var receivedShare: Double?
    }

    /// Sums over all lanes.
    package struct TransportFigures: Sendable {
        package var bytesSent: UInt64 = 0
        package var bytesReceived: UInt64 = 0
        package var framesDropped: UInt64 = 0
        package var connected: UInt64 = 0
    }
}

extension RaftNode {
    /// As of now. Once the node is closed, of nothing.
    package func status() async -> RaftNodeStatus {
        if isClosed { return closedStatus }
        do {
            let bulk = transport.bulk
            let bulkTraffic = try await bulk?.eventLoop.submit { bulk?.statistics }.get()
            return try await loop.submit { [self] in makeStatus(bulkTraffic) }.get()
        } catch { return closedStatus }
    }

    private var closedStatus: RaftNodeStatus {
        RaftNodeStatus(
            node: identity.node.rawValue, cluster: nil, state: .stopped, obstacle: "the node is closed", role: .none,
            leader: nil,
            term: 0, commitIndex: 0, appliedIndex: 0, lastIndex: 0, version: 0, supportedVersion: 0, digest: "", peers: [],
            transport: .init())
    }

    /// Figures of the key-value store.
    package var storeFigures: [LocalMetadataEngineStatus.Figure] {
        applier.store.statistics().map { LocalMetadataEngineStatus.Figure(name: $0.name, value: $0.value) }
    }

    private func makeStatus(_ bulkTraffic: PeerTransportStatistics?) -> RaftNodeStatus {
        let core = replica.core
        let (state, obstacle) = standing(core)
        return RaftNodeStatus(
            node: identity.node.rawValue, cluster: replica.cluster?.rawValue, state: state, obstacle: obstacle,
            role: role(of: identity.node, core), leader: core.leader?.rawValue, term: core.term.rawValue,
            commitIndex: core.commit.rawValue, appliedIndex: replica.applied.rawValue, lastIndex: core.lastIndex.rawValue,
            version: replica.version.rawValue, supportedVersion: replica.settings.version.rawValue,
            digest: applier.published?.digest.hexadecimal ?? "", peers: peers(core),
            operation: replica.membershipProgress, transport: transportFigures(bulkTraffic), load: load)
    }

    private var load: RaftNodeStatus.Load {
        var load = RaftNodeStatus.Load()
        load.proposals = replica.proposals.count
        load.reads = replica.reads.count
        load.logBatches = log.queue.count + log.outstanding.count
        load.applyingEntries = log.applyingCount
        load.logByteCount = replica.logSizes.byteCount(behind: replica.core.baseIndex)
        load.snapshotIndex = replica.snapshots.newest?.id.index.rawValue ?? 0
        load.snapshotByteCount = replica.snapshots.newest?.byteCount ?? 0
        load.snapshotsSent = replica.snapshotTransferCount
        load.receivedShare = replica.reception?.receivedShare
        return load
    }

    private func standing(_ core: RaftCore) -> (RaftNodeStatus.State, String?) {
        if let stopReason { return (.stopped, "\(stopReason)") }
        switch replica.phase {
        case .forming, .founding: return (.forming, "the cluster is not founded yet")
        case .waiting: return (.waiting, "this node waits to be added to a cluster")
        case .stopped(let reason): return (.stopped, "\(reason)")
        case .member: break
        }
        guard let leader = core.leader else { return (.recovering, "there is no leader") }
        // To a node that lacks much the leader tells a commit no higher than what that node has; its own applied index says more.
        let committed = max(core.commit, replica.appliedIndex(of: leader) ?? .zero)
        let behind = committed.rawValue - min(committed.rawValue, replica.applied.rawValue)
        guard behind <= ReplicationManager.reachEntryCount, replica.applied > .zero else {
            return (.recovering, "\(behind) committed entries are not applied yet")
        }
        return (.ready, nil)
    }

    private func role(of node: NodeID, _ core: RaftCore) -> RaftNodeStatus.Role {
        if core.leader == node { return .leader }
        if core.configuration.learners.contains(node) { return .learner }
        guard core.configuration.members.contains(node) else { return .none }
        guard node == identity.node else { return .follower }
        switch core.role {
        case .leader: return .leader
        case .follower: return .follower
        case .candidate, .preCandidate: return .candidate
        }
    }

    private func peers(_ core: RaftCore) -> [RaftNodeStatus.Peer] {
        let now = BootClock.now
        let members = core.configuration.members
        if members.isEmpty {
            return configuration.nodes.sorted { $0.id < $1.id }.map { node in
                RaftNodeStatus.Peer(
                    id: node.id.rawValue, address: node.address, role: .none, status: replica.status(of: node.id, at: now))
            }
        }
        return members.map { node in
            var peer = RaftNodeStatus.Peer(
                id: node.rawValue, address: address(of: node), role: role(of: node, core),
                status: replica.status(of: node, at: now), appliedIndex: replica.appliedIndex(of: node)?.rawValue,
                lagEntries: replica.entriesBehind(node), bodies: replica.bodyReport(of: node))
            if node == identity.node {
                peer.lagMilliseconds = lag.milliseconds(
                    behind: replica.applied.rawValue, last: core.commit.rawValue, at: now)
            } else if core.role == .leader, let match = core.progress(of: node)?.match {
                peer.lagMilliseconds = lag.milliseconds(behind: match.rawValue, last: core.lastIndex.rawValue, at: now)
            }
            return peer
        }
    }

    private func address(of node: NodeID) -> String {
        let known = replica.members.first { $0.node == node }?.address ?? []
        return String(decoding: known, as: UTF8.self)
    }

    private func transportFigures(_ bulkTraffic: PeerTransportStatistics?) -> RaftNodeStatus.TransportFigures {
        var sum = RaftNodeStatus.TransportFigures()
        for peer in transport.statistics.peers + (bulkTraffic?.peers ?? []) {
            if peer.isConnected.control { sum.connected += 1 }
            for lane in PeerLane.allCases.map({ peer.traffic[$0] }) {
                sum.bytesSent += lane.bytesSent
                sum.bytesReceived += lane.bytesReceived
                sum.framesDropped += lane.framesDropped
            }
        }
        return sum
    }
}
