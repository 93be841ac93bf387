import Raft

/// What an observer knows of one node: what its core says, and what its disk holds.
final class NodeView {
    let id: NodeID
    var isUp = false
    /// Its disk is another one than that which was a member.
    var isWiped = false
    /// What that disk held, and had promised.
    var former: LogImage?

    // As of the last look at the core.
    var term = Term.zero
    var vote: NodeID?
    var commit = LogIndex.zero
    var applied = LogIndex.zero
    var snapshot = LogIndex.zero
    var role = Role.follower
    var configuration = Configuration()

    /// The log as the core handed it to the writer.
    var memory: LogImage
    /// The log as the disk must have it.
    var durable: LogImage
    var durableHardState = HardState(term: .zero, vote: nil, commit: .zero)
    /// Writes that are not durable, oldest first.
    var pending: [PendingWrite] = []
    /// How many of them the write under way, or finished and not synchronized, takes.
    var writtenCount = 0

    /// The last entry that was handed to the applier.
    var handedToApply = LogIndex.zero
    /// Changes of members in the log that are not applied.
    var unappliedChanges: [LogIndex] = []
    /// Bytes of the entries that the applier has and that are not applied.
    var unappliedEntries: [(index: LogIndex, byteCount: Int)] = []

    init(_ id: NodeID) {
        self.id = id
        memory = LogImage(base: .zero, baseDigest: 0)
        durable = memory
    }

    enum PendingWrite {
        case append(LogAppend)
        case compaction(SnapshotMark)
    }
}
