/// The arithmetic of a configuration: both majorities must agree while it is joint (Raft paper, section 6; thesis, 4.3).
///
/// Outside a transition the outgoing half is empty and agrees to everything, so that there is one arithmetic for both.
package struct JointQuorum: Sendable, Hashable {
    /// The voters that remain when the transition ends.
    package let incoming: MajorityQuorum
    /// The voters from before the transition; empty outside one.
    package let outgoing: MajorityQuorum

    package init(incoming: MajorityQuorum, outgoing: MajorityQuorum) {
        self.incoming = incoming
        self.outgoing = outgoing
    }

    /// The largest value that a quorum of each half has reached.
    ///
    /// - Parameter value: what a voter has reached; 0 for one that nothing is known of.
    package func reached(_ value: (NodeID) -> UInt64) -> UInt64 {
        min(incoming.reached(value), outgoing.reached(value))
    }

    /// The largest index that a quorum of each half has acknowledged.
    ///
    /// - Parameter acknowledged: how far a voter's durable log is known to agree; nil if nothing is known.
    package func committed(_ acknowledged: (NodeID) -> LogIndex?) -> LogIndex {
        min(incoming.committed(acknowledged), outgoing.committed(acknowledged))
    }

    /// Won if both halves have won, lost if one has lost.
    ///
    /// - Parameter answer: a voter's vote, the same in both halves; nil if it has not answered.
    package func vote(_ answer: (NodeID) -> Bool?) -> VoteResult {
        switch (incoming.vote(answer), outgoing.vote(answer)) {
        case (.lost, _), (_, .lost): .lost
        case (.won, .won): .won
        case (.pending, _), (_, .pending): .pending
        }
    }
}

extension Configuration {
    /// Who must agree while this configuration is in force. Learners never count.
    package var quorum: JointQuorum {
        JointQuorum(incoming: MajorityQuorum(voters), outgoing: MajorityQuorum(outgoingVoters))
    }
}
