package import Raft

/// How a replica behaves. Counts and bytes bound what may wait; beyond them callers are refused.
package struct ReplicaSettings: Sendable {
    package var raft = RaftSettings()

    // Proposals.
    /// Writes of this node's clients that have no outcome yet. At most the window of a session.
    package var proposalCountMax = 8192
    package var proposalByteCountMax = 64 << 20
    /// Commands in one append or forward (`max_batch_size`), and their bytes.
    package var batchCountMax = 100
    package var batchByteCountMax = 1 << 20
    /// After so long without a word of the leader a command is sent again.
    package var retryMilliseconds: UInt64 = 1000

    // Reads.
    package var readCountMax = 65536
    /// A bounded read that finds a state older than this share of its bound has a new index confirmed for those after it.
    package var refreshPercent: UInt64 = 50

    package var snapshots = SnapshotSettings()
    package var membership = MembershipSettings()

    /// A write to the log that takes longer makes a leader give up, and keeps a follower from campaigning.
    package var storageStallMilliseconds: UInt64 = 2000
    /// A leader ends the session of a node that was silent for so long; nil: never.
    package var sessionSilenceMilliseconds: UInt64? = 3_600_000
    /// A node that others call removed, and that no leader speaks to for so long, stops.
    package var removalMilliseconds: UInt64 = 3000
    /// The newest rules that this build knows.
    package var version = ClusterVersion.newest
    /// Between two reports of a node that is in no cluster yet, or not any more, and of one that waits for a new member.
    package var reportMilliseconds: UInt64 = 200
    /// Between two statuses that a member tells all others.
    package var statusMilliseconds: UInt64 = 1000
    /// A node that says nothing for so long is called unreachable.
    package var unreachableMilliseconds: UInt64 = 3000
    /// Bugs to be found by tests; empty in every product.
    package var mutations: ReplicationMutations = []

    package init() {}
}

/// When snapshots are taken, how they are sent, and how much log stays.
package struct SnapshotSettings: Sendable {
    /// Applied entries since the last snapshot that call for a new one, and bytes of log.
    package var entryCountMax = 10_000
    package var byteCountMax: UInt64 = 100 << 20
    /// Nil: no snapshots by time.
    package var intervalMilliseconds: UInt64? = 3_600_000
    /// No two of a process closer than this, unless the log passes `urgentByteCount`.
    package var spacingMilliseconds: UInt64 = 60_000
    package var urgentByteCount: UInt64 = 1 << 30

    /// Log behind the snapshot that stays for followers a little behind.
    package var keptByteCount: UInt64 = 64 << 20
    /// Log that stays for the slowest active follower, at most.
    package var keptForFollowersByteCountMax: UInt64 = 512 << 20

    /// To so many followers at once; others wait.
    package var transferCountMax = 2
    package var chunkByteCount: UInt32 = 1 << 20
    /// All transfers together; nil: as fast as they ask.
    package var bytesPerSecondMax: UInt64? = 128 << 20
    /// A transfer in which nothing happens for so long is over; within a while it goes on where it stopped.
    package var silenceMilliseconds: UInt64 = 10_000
    package var resumeMilliseconds: UInt64 = 300_000
    /// A chunk that was asked for and has not come is asked for again.
    package var chunkRetryMilliseconds: UInt64 = 1000

    package init() {}
}

/// How members are added.
package struct MembershipSettings: Sendable {
    /// A learner is caught up when it has this share of the log, in thousandths, and lacks no more than so many entries.
    package var caughtUpThousandths = 990
    package var gapCountMax = 1000
    /// For the whole of catching up; then the learner is removed again.
    package var catchUpMilliseconds: UInt64 = 1_800_000
    /// For the new node to answer, and for each change to be made.
    package var stepMilliseconds: UInt64 = 10_000

    package init() {}
}
