/// Why a configuration cannot be changed as asked, or cannot be one at all.
package enum ConfigurationError: Error, Hashable, CustomStringConvertible {
    /// A second transition would begin inside the first.
    case alreadyJoint
    /// There is no transition to end.
    case notJoint
    /// Within a transition only its end is possible.
    case simpleChangeWhileJoint
    /// A transition needs voters that agree to it.
    case jointWithoutVoters
    /// Nobody could agree to anything afterwards.
    case removedAllVoters
    /// The majorities before and after might not meet (thesis, 4.1).
    case severalVotersChanged
    /// A configuration from outside breaks a rule that every change keeps.
    case invalid(ConfigurationDefect)

    package var description: String {
        switch self {
        case .alreadyJoint: "config is already joint"
        case .notJoint: "can't leave a non-joint config"
        case .simpleChangeWhileJoint: "can't apply simple config change in joint config"
        case .jointWithoutVoters: "can't make a zero-voter config joint"
        case .removedAllVoters: "removed all voters"
        case .severalVotersChanged: "more than one voter changed without entering joint config"
        case .invalid(let defect): "invalid config: \(defect)"
        }
    }
}

/// A rule that a configuration breaks.
package enum ConfigurationDefect: Sendable, Hashable, CustomStringConvertible {
    /// A list of members is not sorted, or names a node twice.
    case unsorted(Role)
    /// A learner has a vote.
    case learnerVotes(NodeID)
    /// A node waits to become a learner although nothing keeps it a voter.
    case waitsWithoutVote(NodeID)
    /// A node waits to become a learner and is a voter of the incoming half or a learner already.
    case waitsAndIsMember(NodeID)
    /// What belongs to a transition is there outside one.
    case transitionOutsideJoint(Role)
    /// Leaves a transition by itself that does not exist.
    case autoLeaveOutsideJoint
    /// A joint configuration whose incoming half could never agree.
    case jointWithoutIncomingVoters

    package enum Role: Sendable, Hashable {
        case voters, outgoingVoters, learners, learnersNext
    }

    package var description: String {
        switch self {
        case .unsorted(let role): "\(role) are not sorted, each once"
        case .learnerVotes(let node): "\(node) is a learner and a voter"
        case .waitsWithoutVote(let node): "\(node) is in learnersNext, but not in outgoingVoters"
        case .waitsAndIsMember(let node): "\(node) is in learnersNext, but already a voter or learner"
        case .transitionOutsideJoint(let role): "\(role) must be empty when not joint"
        case .autoLeaveOutsideJoint: "autoLeave must be false when not joint"
        case .jointWithoutIncomingVoters: "a joint config needs incoming voters"
        }
    }
}
