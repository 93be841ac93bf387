/// Makes the next configuration out of one, or says why not (thesis, chapter 4).
///
/// A voter that is demoted inside a transition still votes in the outgoing half. It cannot be a learner at the same time, so it
/// waits in `learnersNext` and becomes one when the transition ends:
///
///     voters=(1 2)              enterJoint: learner 2     voters=(1)&&(1 2) learners_next=(2)
///     voters=(1)&&(1 2) …       leaveJoint                voters=(1) learners=(2)
package struct ConfigurationChanger: Sendable {
    /// What changes are made to; it keeps every rule of `ConfigurationDefect`.
    package let configuration: Configuration

    /// - Throws: `invalid`, if the configuration breaks a rule. It came from a disk or a peer then: none that this type makes does.
    package init(restoring configuration: Configuration) throws(ConfigurationError) {
        if let defect = configuration.defect { throw .invalid(defect) }
        self.configuration = configuration
    }

    /// The configuration after a change, in the way that the change asks for.
    package func changed(by change: ConfigurationChange) throws(ConfigurationError) -> Configuration {
        switch change.plan {
        case .simple: try simple(change.steps)
        case .enterJoint(let autoLeave): try enterJoint(autoLeave: autoLeave, change.steps)
        case .leaveJoint: try leaveJoint()
        }
    }

    /// A change without a transition: at most one voter more or less, so that every majority before meets every majority after.
    package func simple(_ steps: [MembershipStep]) throws(ConfigurationError) -> Configuration {
        guard !configuration.isJoint else { throw .simpleChangeWhileJoint }
        let next = try taking(steps, from: configuration)
        let common = configuration.voters.commonCount(next.voters)
        guard configuration.voters.count + next.voters.count - 2 * common <= 1 else { throw .severalVotersChanged }
        return next
    }

    /// Begins a transition: the voters of now must agree to everything until it ends, and so must the new ones.
    ///
    /// - Parameter autoLeave: whether the leader ends the transition by itself as soon as it is in force.
    package func enterJoint(autoLeave: Bool, _ steps: [MembershipStep]) throws(ConfigurationError) -> Configuration {
        guard !configuration.isJoint else { throw .alreadyJoint }
        guard !configuration.voters.isEmpty else { throw .jointWithoutVoters }
        var joint = configuration
        joint.outgoingVoters = configuration.voters
        joint = try taking(steps, from: joint)
        joint.autoLeave = autoLeave
        return joint
    }

    /// Ends a transition: the outgoing half has no say any more, and who waited to become a learner is one.
    package func leaveJoint() throws(ConfigurationError) -> Configuration {
        guard configuration.isJoint else { throw .notJoint }
        var next = configuration
        for node in next.learnersNext { next.learners.insertSorted(node) }
        next.learnersNext = []
        next.outgoingVoters = []
        next.autoLeave = false
        return checked(next)
    }

    private func taking(
        _ steps: [MembershipStep], from start: Configuration
    ) throws(ConfigurationError) -> Configuration {
        var next = start
        for step in steps {
            switch step.kind {
            case .addVoter: next.makeVoter(step.node)
            case .addLearner: next.makeLearner(step.node)
            case .remove: next.remove(step.node)
            case .update: break
            }
        }
        guard !next.voters.isEmpty else { throw .removedAllVoters }
        return checked(next)
    }

    private func checked(_ next: Configuration) -> Configuration {
        precondition(next.defect == nil, "a change of a valid configuration made an invalid one")
        return next
    }
}

extension Configuration {
    fileprivate mutating func makeVoter(_ node: NodeID) {
        learners.removeSorted(node)
        learnersNext.removeSorted(node)
        voters.insertSorted(node)
    }

    fileprivate mutating func makeLearner(_ node: NodeID) {
        voters.removeSorted(node)
        if outgoingVoters.hasSorted(node) {
            learnersNext.insertSorted(node)
        } else {
            learners.insertSorted(node)
        }
    }

    fileprivate mutating func remove(_ node: NodeID) {
        voters.removeSorted(node)
        learners.removeSorted(node)
        learnersNext.removeSorted(node)
    }
}
