/// One step of a change of members.
package struct MembershipStep: Sendable, Hashable {
    package enum Kind: UInt8, Sendable, Hashable, CaseIterable {
        /// The node votes from now on, whether it was a learner, a voter already, or not there.
        case addVoter = 1
        /// The node receives the log without a vote; a voter is demoted.
        case addLearner = 2
        /// The node is no member any more.
        case remove = 3
        /// The members stay; only what the change carries for the node, its address for example, is new.
        case update = 4
    }

    package var kind: Kind
    package var node: NodeID

    package init(_ kind: Kind, _ node: NodeID) {
        self.kind = kind
        self.node = node
    }
}

/// A change of members as it is proposed: the payload of an entry of type `configurationChange`.
///
/// Without steps it ends a transition: the joint configuration is left.
package struct ConfigurationChange: Sendable, Hashable {
    /// How the change goes from one configuration to the next.
    package enum Transition: UInt8, Sendable, Hashable, CaseIterable {
        /// A single step is made at once; several go through a joint configuration that the leader then leaves by itself.
        case automatic = 0
        /// Always through a joint configuration, which the leader leaves by itself.
        case jointImplicit = 1
        /// Always through a joint configuration, which lasts until a change without steps is proposed.
        case jointExplicit = 2
    }

    /// What a change asks of the configuration that it finds.
    package enum Plan: Sendable, Hashable {
        case simple
        case enterJoint(autoLeave: Bool)
        case leaveJoint
    }

    package var transition: Transition
    package var steps: [MembershipStep]
    /// Bytes that travel with the change and that consensus does not look at: a new node's address, an operator's token.
    package var context: [UInt8]

    package init(_ steps: [MembershipStep], transition: Transition = .automatic, context: [UInt8] = []) {
        self.transition = transition
        self.steps = steps
        self.context = context
    }

    /// The change that leaves a joint configuration.
    package static let leaveJoint = ConfigurationChange([])

    /// Several steps could qualify as a simple change, but only the configuration that they meet would tell; joint consensus is
    /// always right, so that it is used whenever there is more than one.
    package var plan: Plan {
        switch (transition, steps.count) {
        case (.automatic, 0): .leaveJoint
        case (.automatic, 1): .simple
        case (.automatic, _), (.jointImplicit, _): .enterJoint(autoLeave: true)
        case (.jointExplicit, _): .enterJoint(autoLeave: false)
        }
    }
}
