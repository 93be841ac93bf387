/// `GET /metadata/status`: the cluster as one node sees it. docs/operations/cluster.md tells what each member means.
package struct ClusterStatusDocument: Codable, Sendable, Equatable {
    package struct Node: Codable, Sendable, Equatable {
        package var id: UInt64
        package var address: String
        package var role: String
        package var status: String
        package var appliedIndex: UInt64?
        package var lagEntries: UInt64?
        /// In milliseconds.
        package var lagMs: UInt64?
        package var bodiesMissing: UInt64?
        package var bodiesMissingBytes: UInt64?

        package init(
            id: UInt64, address: String, role: String, status: String, appliedIndex: UInt64?, lagEntries: UInt64?,
            lagMs: UInt64?, bodiesMissing: UInt64?, bodiesMissingBytes: UInt64?
        ) {
            self.id = id
            self.address = address
            self.role = role
            self.status = status
            self.appliedIndex = appliedIndex
            self.lagEntries = lagEntries
            self.lagMs = lagMs
            self.bodiesMissing = bodiesMissing
            self.bodiesMissingBytes = bodiesMissingBytes
        }

        /// It has a vote in the elections of the cluster.
        package var isVoter: Bool { ["leader", "follower", "candidate"].contains(role) }
        /// It is heard from.
        package var isAlive: Bool { ["healthy", "lagging"].contains(status) }
    }

    /// The operation on the members that is under way; only the leader knows of it.
    package struct Operation: Codable, Sendable, Equatable {
        package var kind: String
        package var node: UInt64
        package var newNode: UInt64?
        package var step: String
        /// In milliseconds.
        package var stepMs: UInt64

        package init(kind: String, node: UInt64, newNode: UInt64?, step: String, stepMs: UInt64) {
            self.kind = kind
            self.node = node
            self.newNode = newNode
            self.step = step
            self.stepMs = stepMs
        }
    }

    /// Of objects above 128 KiB on the node that answers.
    package struct Bodies: Codable, Sendable, Equatable {
        package struct Scrub: Codable, Sendable, Equatable {
            package var verifiedBytes: UInt64
            package var totalBytes: UInt64

            package init(verifiedBytes: UInt64, totalBytes: UInt64) {
                self.verifiedBytes = verifiedBytes
                self.totalBytes = totalBytes
            }
        }

        package var missing: Int
        package var missingBytes: UInt64
        package var unnamed: Int
        package var repaired: UInt64
        package var repairedBytes: UInt64
        package var damagedBlocks: UInt64
        package var repairedBlocks: UInt64
        package var abandoned: UInt64
        package var scrub: Scrub?

        package init(
            missing: Int, missingBytes: UInt64, unnamed: Int, repaired: UInt64, repairedBytes: UInt64, damagedBlocks: UInt64,
            repairedBlocks: UInt64, abandoned: UInt64, scrub: Scrub?
        ) {
            self.missing = missing
            self.missingBytes = missingBytes
            self.unnamed = unnamed
            self.repaired = repaired
            self.repairedBytes = repairedBytes
            self.damagedBlocks = damagedBlocks
            self.repairedBlocks = repairedBlocks
            self.abandoned = abandoned
            self.scrub = scrub
        }
    }

    package var clusterId: String?
    package var nodeId: UInt64
    package var state: String
    package var reason: String?
    package var leaderId: UInt64?
    package var term: UInt64
    package var commitIndex: UInt64
    package var appliedIndex: UInt64
    package var lastIndex: UInt64
    package var version: UInt32
    /// The newest version that the node knows.
    package var supportedVersion: UInt32
    package var digest: String
    package var nodes: [Node]
    package var operation: Operation?
    package var bodies: Bodies
    /// A snapshot that this node was asked to write to a file since it started.
    package var snapshotExport: SnapshotExportDocument?
    /// The restore that this node was asked for last.
    package var restore: RestoreDocument?

    package init(
        clusterId: String?, nodeId: UInt64, state: String, reason: String?, leaderId: UInt64?, term: UInt64,
        commitIndex: UInt64, appliedIndex: UInt64, lastIndex: UInt64, version: UInt32, supportedVersion: UInt32, digest: String,
        nodes: [Node], operation: Operation?, bodies: Bodies
    ) {
        self.clusterId = clusterId
        self.nodeId = nodeId
        self.state = state
        self.reason = reason
        self.leaderId = leaderId
        self.term = term
        self.commitIndex = commitIndex
        self.appliedIndex = appliedIndex
        self.lastIndex = lastIndex
        self.version = version
        self.supportedVersion = supportedVersion
        self.digest = digest
        self.nodes = nodes
        self.operation = operation
        self.bodies = bodies
    }

    package func node(_ id: UInt64) -> Node? { nodes.first { $0.id == id } }
}
