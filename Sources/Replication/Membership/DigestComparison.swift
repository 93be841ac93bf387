package import Metadata
package import Raft

/// The digests of the members' states at one index of the log.
package struct DigestComparison: Hashable, Sendable {
    package struct Row: Hashable, Sendable {
        package var node: NodeID
        /// Nil: it did not say in time, or has been given a state that was beyond the index already.
        package var digest: StateDigest?

        package init(node: NodeID, digest: StateDigest?) {
            self.node = node
            self.digest = digest
        }
    }

    package var index: LogIndex
    /// Of every member, learners too; sorted by node.
    package var rows: [Row]

    package init(index: LogIndex, rows: [Row]) {
        self.index = index
        self.rows = rows
    }

    /// Nobody contradicts another.
    package var agrees: Bool { Set(rows.compactMap(\.digest)).count <= 1 }
}

/// The digest of a replica's state when it had applied just that entry.
package struct DigestMark: Hashable, Sendable {
    package var index: LogIndex
    package var digest: StateDigest

    package init(index: LogIndex, digest: StateDigest) {
        self.index = index
        self.digest = digest
    }
}
