/// How a core behaves. Ticks are the driver's: all times are multiples of one.
package struct RaftSettings: Sendable {
    /// A follower that hears nothing for this many ticks, and up to as many more at random, campaigns.
    package var electionTicks = 10
    package var heartbeatTicks = 1
    /// Rehearse a campaign, so that a node without a chance disturbs nobody (thesis, 9.6).
    package var usesPreVote = true
    /// A leader that hears from no quorum for an election timeout steps down, and who hears from a leader refuses its vote
    /// (thesis, 6.2 and 4.2.3).
    package var checksQuorum = true
    /// Ticks after the loss of the connection to the leader until the first campaign, at random.
    package var fastCampaignTicks = 0...4
    /// Ticks from a campaign that was not decided to the next one, as long as there is no sign of a leader.
    package var fastRetryTicks = 5...15
    /// Among equals the higher one is elected.
    package var priority = 0
    /// What an entry counts for besides its payload wherever bytes of entries are limited: about what it takes in memory. Without that,
    /// small entries would pass every limit.
    package var entryOverheadByteCount = 64
    /// Bytes of entries in one append message; a single larger entry goes alone.
    package var messageByteCountMax = 1 << 20
    /// Append messages with entries on their way to one peer, and the bytes in them. What comes up meanwhile leaves together when there is
    /// room: a peer's disk takes one after the other anyway, so that more of them would only be smaller. Two, so that it has the next one
    /// when it is done with the last.
    package var inflightCountMax = 2
    package var inflightByteCountMax = 16 << 20
    /// Entries proposed and commits found out between two calls of `takeReady` leave together; otherwise each at once, in a message of its
    /// own.
    package var batchesAppends = true
    /// Bytes of entries that a leader has appended and not seen committed; a single proposal may exceed it.
    package var uncommittedByteCountMax = 64 << 20
    /// Bytes of payload in one proposal.
    package var proposalByteCountMax = 8 << 20
    /// Bytes of entries handed to the applier at a time, and handed over without having been applied; a single larger entry goes alone.
    package var applyByteCountMax = 4 << 20
    package var unappliedByteCountMax = 16 << 20
    /// Bytes kept of the newest entries, besides those that are not durable or not committed yet.
    package var cacheByteCountMax = 16 << 20
    /// Rounds of reads that a leader has under way; further reads wait and share the next one.
    package var readRoundCountMax = 64
    /// A leader that a change removes leaves at once; otherwise it leads on until it is stopped.
    package var stepsDownOnRemoval = true
    /// A leader that a change is about to remove takes no more proposals, and when it leaves, asks a voter to campaign.
    package var leavesInOrder = true
    /// A leader ends a transition by itself as soon as it is in force; otherwise when it is told to (`RaftCore.leaveJoint`).
    package var leavesJointAtOnce = true
    /// Nodes that a change has removed are told so, and are not listened to.
    package var tellsRemovedNodes = true
    /// A change of members is refused while another is under way, or if too few of the new voters are alive.
    package var validatesChanges = true
    package var guardsLivingQuorum = true
    /// Bugs to be found by tests; empty in every product.
    package var mutations: RaftMutations = []

    package init() {}

    package func byteCount(of entry: Entry) -> Int { entry.payload.count + entryOverheadByteCount }

    package func byteCount(of entries: some Sequence<Entry>) -> Int { entries.reduce(0) { $0 + byteCount(of: $1) } }

    /// As many as fit, at least one if there is one.
    func prefix(of entries: [Entry], byteCountMax: Int) -> [Entry] {
        var total = 0
        let end = entries.indices.first { position in
            total += byteCount(of: entries[position])
            return position > 0 && total > byteCountMax
        }
        return end.map { Array(entries[..<$0]) } ?? entries
    }
}
