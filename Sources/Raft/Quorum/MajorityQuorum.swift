/// The arithmetic of one set of voters, of which more than half must agree (Raft paper, section 5).
///
/// A set without voters agrees to everything: its vote is won and its committed index has no bound. It is the half of a joint
/// quorum that a configuration outside a transition does not have.
package struct MajorityQuorum: Sendable, Hashable {
    /// The committed index where nothing bounds it.
    package static let unbounded = LogIndex(UInt64.max)

    /// Sorted, each once.
    package let voters: [NodeID]

    /// - Parameter voters: sorted, each once.
    package init(_ voters: [NodeID]) {
        self.voters = voters
    }

    /// How many voters are the smallest quorum.
    package var quorumCount: Int { voters.count / 2 + 1 }

    /// The largest value that a quorum has reached; `UInt64.max` without voters.
    ///
    /// - Parameter value: what a voter has reached; 0 for one that nothing is known of.
    /// - Complexity: The values are sorted on the stack: no allocation for as many voters as any cluster has.
    package func reached(_ value: (NodeID) -> UInt64) -> UInt64 {
        guard !voters.isEmpty else { return .max }
        return withUnsafeTemporaryAllocation(of: UInt64.self, capacity: voters.count) { values in
            // Insertion sort: clusters have seven voters at most, and mostly their values come nearly in order.
            for (count, voter) in voters.enumerated() {
                let new = value(voter)
                var place = count
                while place > 0, values[place - 1] > new {
                    values.initializeElement(at: place, to: values[place - 1])
                    place -= 1
                }
                values.initializeElement(at: place, to: new)
            }
            return values[voters.count - quorumCount]
        }
    }

    /// The largest index that a quorum has acknowledged; `unbounded` without voters.
    ///
    /// - Parameter acknowledged: how far a voter's durable log is known to agree; nil if nothing is known.
    package func committed(_ acknowledged: (NodeID) -> LogIndex?) -> LogIndex {
        LogIndex(reached { acknowledged($0)?.rawValue ?? 0 })
    }

    /// - Parameter answer: a voter's vote; nil if it has not answered.
    package func vote(_ answer: (NodeID) -> Bool?) -> VoteResult {
        guard !voters.isEmpty else { return .won }
        var granted = 0
        var missing = 0
        for voter in voters {
            switch answer(voter) {
            case true?: granted += 1
            case false?: break
            case nil: missing += 1
            }
        }
        if granted >= quorumCount { return .won }
        return granted + missing >= quorumCount ? .pending : .lost
    }
}
