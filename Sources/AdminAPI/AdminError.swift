import AdminDocuments
package import NIOHTTP1
import Raft
import Replication

/// An answer that is no success: docs/admin-api.yaml lists the codes.
package struct AdminError: Error {
    var status: HTTPResponseStatus
    var code: String
    /// What is wrong, and what to do.
    var message: String
    var headers: HTTPHeaders = [:]

    package init(_ status: HTTPResponseStatus, _ code: String, _ message: String, headers: HTTPHeaders = [:]) {
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers
    }

    static func malformed(_ message: String) -> AdminError { AdminError(.badRequest, "MalformedRequest", message) }

    static let notInCluster = AdminError(.notFound, "NotFound", "This node belongs to no cluster (engine_type: local).")
}

extension AdminError {
    /// Of a command that was refused: nothing has changed, unless the message says so.
    init(_ refusal: CommandRefusal) {
        switch refusal {
        case .notLeader(nil):
            self.init(
                .serviceUnavailable, "NoLeader",
                "No leader is known here, and nothing was changed. Look at GET /metadata/status: a majority of the voters must run and reach each other."
            )
        case .notLeader(let leader?):
            self.init(
                .serviceUnavailable, "NoLeader",
                "Node \(leader) leads, and did not take the command. Nothing was changed: try again.")
        case .busy:
            self.init(
                .conflict, "Busy",
                "Another operation of this kind is under way, and nothing was changed. Try again when it is over; GET /metadata/status on the leader tells how far it is."
            )
        case .alreadyVoter(let node):
            self.init(.conflict, "AlreadyMember", "Node \(node) is a member already. Nothing was changed.")
        case .notMember(let node):
            self.init(
                .notFound, "NoSuchNode",
                "Node \(node) is no member of the cluster (or none with a vote). Nothing was changed; GET /metadata/status lists the members."
            )
        case .identityTaken(let node, _):
            self.init(
                .conflict, "IdentityTaken",
                "The id \(node) belongs to another disk, for ever: it may have promised what a new one does not know. Give the new node an id that was never used."
            )
        case .outdated(let node):
            self.init(
                .conflict, "OutdatedDisk",
                "Node \(node) was a member before a snapshot was restored, and has not got it; the file is gone. Start a node with an empty data directory and an id that was never used in its place."
            )
        case .notEmpty(let node):
            self.init(
                .conflict, "NotEmpty",
                "Node \(node) belongs to another cluster or has data of its own. Start it with an empty data directory and metadata.replication.join: true."
            )
        case .unreachable(let node):
            self.init(
                .conflict, "NodeUnreachable",
                "Nothing was heard of node \(node) in time, and nothing was changed. It must run with metadata.replication.join: true, an empty data directory and all members among its nodes, and be reached at that address."
            )
        case .unsupportedVersion(let node, let version):
            self.init(
                .conflict, "UnsupportedVersion",
                "Node \(node) knows rules up to version \(version), which are older than the cluster's. Install the version that the members run."
            )
        case .didNotCatchUp(let node, let behind):
            self.init(
                .conflict, "DidNotCatchUp",
                "Node \(node) did not catch up in time (it lacked \(behind) entries of the log, or bodies of objects), and is no member any more. Look at its disk and network; then give it an empty data directory and a new id, and add that."
            )
        case .bodiesLacking(let count):
            let what = count.map { "\($0) large objects" } ?? "an unknown number of large objects"
            self.init(
                .conflict, "BodiesLacking",
                "Without the node \(what) would be held by less than a majority. Nothing was changed: wait until bodies_missing is 0 on the others, or accept the loss with force."
            )
        case .change(.losesQuorum(let active, let needed)):
            self.init(
                .conflict, "LosesQuorum",
                "Only \(active) of the voters that would be left are alive, and \(needed) are needed. Nothing was changed: start them, or replace the dead ones first."
            )
        case .change(.underWay), .change(.proposal(.transferring)), .change(.proposal(.tooMuchUncommitted)):
            self.init(.busy)
        case .change(.proposal(.notLeader)), .change(.proposal(.removed)), .transfer(.notLeader): self.init(.notLeader(nil))
        case .change(let refusal): self.init(.other(refusal.description))
        case .transfer(.notVoter(let node)):
            self.init(
                .notFound, "NoSuchNode",
                "Node \(node) has no vote, and cannot lead. Nothing was changed; GET /metadata/status lists the members.")
        case .transfer(.inactive(let node)):
            self.init(.conflict, "NodeUnreachable", "Node \(node) is not heard from, and cannot lead. Nothing was changed.")
        case .notTakenOver:
            self.init(
                .conflict, "NotTakenOver",
                "The node did not take over in time, or another one did. Look who leads, and try again.")
        case .snapshotFailed(let detail):
            self.init(.internalServerError, "SnapshotFailed", "The snapshot could not be taken: \(detail)")
        case .tooManyMembers:
            self.init(.conflict, "TooManyMembers", "The cluster has as many members as it can have. Nothing was changed.")
        case .invalidAddress:
            self.init(.badRequest, "MalformedRequest", "The address is empty or longer than 255 bytes. Nothing was changed.")
        case .stopped(let reason):
            self.init(
                .serviceUnavailable, "NodeStopped", "This node has stopped: \(reason). Nothing was changed: ask another node.")
        case .other(let text): self.init(.conflict, "Refused", "The cluster refuses it: \(text). Nothing was changed.")
        }
    }

    init(_ doubt: CommandDoubt) {
        let why =
            switch doubt {
            case .leadershipLost: "the leader was lost meanwhile"
            case .timedOut: "it was not over in time, and goes on"
            case .stopped(let reason): "this node stopped meanwhile: \(reason)"
            }
        self.init(
            .gatewayTimeout, AdminErrorDocument.unknownOutcome,
            "It may still come to pass, wholly or in part: \(why). Look at GET /metadata/status; asking again goes on from where it is."
        )
    }
}
