extension Configuration {
    /// The first rule that this configuration breaks; nil if it keeps them all. No voters at all is allowed outside a transition:
    /// a node that waits to be added knows of none.
    package var defect: ConfigurationDefect? {
        if !voters.isSortedSet { return .unsorted(.voters) }
        if !outgoingVoters.isSortedSet { return .unsorted(.outgoingVoters) }
        if !learners.isSortedSet { return .unsorted(.learners) }
        if !learnersNext.isSortedSet { return .unsorted(.learnersNext) }
        for node in learners where voters.hasSorted(node) || outgoingVoters.hasSorted(node) { return .learnerVotes(node) }
        if outgoingVoters.isEmpty {
            if !learnersNext.isEmpty { return .transitionOutsideJoint(.learnersNext) }
            return autoLeave ? .autoLeaveOutsideJoint : nil
        }
        if voters.isEmpty { return .jointWithoutIncomingVoters }
        for node in learnersNext {
            if !outgoingVoters.hasSorted(node) { return .waitsWithoutVote(node) }
            if voters.hasSorted(node) { return .waitsAndIsMember(node) }
        }
        return nil
    }

    /// Whether every quorum of this configuration is sure to share a voter with every quorum of the other: what makes it safe that one
    /// follows the other.
    ///
    /// Exact if neither is joint. A joint quorum contains a majority of each half, so that one half on each side that surely
    /// meet are enough; every step that `ConfigurationChanger` makes has such a pair.
    package func quorumsMeet(_ other: Configuration) -> Bool {
        let ours = outgoingVoters.isEmpty ? [voters] : [voters, outgoingVoters]
        let theirs = other.outgoingVoters.isEmpty ? [other.voters] : [other.voters, other.outgoingVoters]
        return ours.contains { half in theirs.contains { Self.majoritiesMeet(half, $0) } }
    }

    /// Two majorities can avoid each other if each fits into what the other leaves of the common voters.
    private static func majoritiesMeet(_ first: [NodeID], _ second: [NodeID]) -> Bool {
        guard !first.isEmpty, !second.isEmpty else { return false }
        let common = first.commonCount(second)
        let firstNeeds = max(0, first.count / 2 + 1 - (first.count - common))
        let secondNeeds = max(0, second.count / 2 + 1 - (second.count - common))
        return firstNeeds + secondNeeds > common
    }
}
