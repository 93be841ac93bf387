/// `GET /metadata/lag`: how far every member is.
package struct LagDocument: Codable, Sendable, Equatable {
    package struct Node: Codable, Sendable, Equatable {
        package var id: UInt64
        package var role: String
        package var status: String
        package var appliedIndex: UInt64?
        package var lagEntries: UInt64?
        /// In milliseconds; only the leader knows it of the others.
        package var lagMs: UInt64?

        package init(
            id: UInt64, role: String, status: String, appliedIndex: UInt64?, lagEntries: UInt64?, lagMs: UInt64?
        ) {
            self.id = id
            self.role = role
            self.status = status
            self.appliedIndex = appliedIndex
            self.lagEntries = lagEntries
            self.lagMs = lagMs
        }
    }

    /// Who answers.
    package var nodeId: UInt64
    package var leaderId: UInt64?
    package var commitIndex: UInt64
    package var nodes: [Node]

    package init(nodeId: UInt64, leaderId: UInt64?, commitIndex: UInt64, nodes: [Node]) {
        self.nodeId = nodeId
        self.leaderId = leaderId
        self.commitIndex = commitIndex
        self.nodes = nodes
    }
}

/// `GET /metadata/verify`: the digests of all members' states at one index of the log.
package struct VerificationDocument: Codable, Sendable, Equatable {
    package struct Node: Codable, Sendable, Equatable {
        package var id: UInt64
        /// 32 hexadecimal digits; nil: it did not tell.
        package var digest: String?
        /// Whether it is the digest of most members.
        package var agrees: Bool?

        package init(id: UInt64, digest: String?, agrees: Bool?) {
            self.id = id
            self.digest = digest
            self.agrees = agrees
        }
    }

    package enum Verdict: String, Codable, Sendable {
        /// All members have the same state.
        case equal
        /// Those that have told have; not all have told.
        case incomplete
        case different
    }

    package var index: UInt64
    package var verdict: Verdict
    package var nodes: [Node]

    package init(index: UInt64, verdict: Verdict, nodes: [Node]) {
        self.index = index
        self.verdict = verdict
        self.nodes = nodes
    }
}

/// The body of `POST /metadata/nodes` and `POST /metadata/nodes/{id}/replace`.
package struct NewNodeRequest: Codable, Sendable, Equatable {
    package var id: UInt64
    /// `host:port`, where the other nodes reach it.
    package var address: String

    package init(id: UInt64, address: String) {
        self.id = id
        self.address = address
    }
}

/// The body of `PUT /metadata/nodes/{id}/address`.
package struct AddressRequest: Codable, Sendable, Equatable {
    package var address: String

    package init(address: String) {
        self.address = address
    }
}

/// The body of `POST /metadata/leadership`.
package struct LeadershipRequest: Codable, Sendable, Equatable {
    package var to: UInt64

    package init(to: UInt64) {
        self.to = to
    }
}

/// What a command has come to.
package struct OutcomeDocument: Codable, Sendable, Equatable {
    package var outcome: String

    package init(outcome: String) {
        self.outcome = outcome
    }

    package static let done = OutcomeDocument(outcome: "done")
}

/// Every answer that is no success.
package struct AdminErrorDocument: Codable, Sendable, Equatable {
    package var code: String
    /// What is wrong, and what to do.
    package var message: String

    package init(code: String, message: String) {
        self.code = code
        self.message = message
    }

    /// The code of a command of which it is not known what it will come to.
    package static let unknownOutcome = "UnknownOutcome"
}
