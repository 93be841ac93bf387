package import Raft

/// What a configured node tells the others that it knows, until the cluster is founded and it belongs to it. `Formation` says why so much.
package struct FormationReport: Hashable, Sendable {
    package enum Standing: Hashable, Sendable {
        /// Its disk is empty. These starts of configured nodes it has heard of, its own among them, sorted by node.
        case empty(seen: [Founder])
        /// Its disk belongs to the cluster that began like this.
        case member(Genesis)
    }

    /// Of the configured nodes and their addresses: who is configured differently founds nothing with this node.
    package var configurationFingerprint: UInt64
    package var standing: Standing

    package init(configurationFingerprint: UInt64, standing: Standing) {
        self.configurationFingerprint = configurationFingerprint
        self.standing = standing
    }
}

/// One start of one disk.
package struct Founder: Hashable, Sendable {
    package var identity: NodeIdentity
    package var start: UInt64

    package init(_ identity: NodeIdentity, start: UInt64) {
        self.identity = identity
        self.start = start
    }

    package var node: NodeID { identity.node }
}

/// Where a cluster's history begins: the state that every founder has at the base of its log.
package struct Genesis: Hashable, Sendable {
    package static let term = Term(1)

    package var cluster: ClusterID
    /// The log begins behind it: 1 for a fresh cluster, the last operation of a node that was alone before.
    package var index: LogIndex
    package var configuration: Configuration
    /// Sorted by node.
    package var members: [Member]

    package init(cluster: ClusterID, index: LogIndex, configuration: Configuration, members: [Member]) {
        self.cluster = cluster
        self.index = index
        self.configuration = configuration
        self.members = members
    }

    package var mark: SnapshotMark { SnapshotMark(index: index, term: Self.term, configuration: configuration) }
}
