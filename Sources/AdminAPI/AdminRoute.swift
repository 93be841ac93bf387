import AdminDocuments
package import NIOHTTP1
import Replication

/// One authenticated operation of the administration interface: a file in `Operations` for each.
package struct AdminRoute: Sendable {
    package let method: HTTPMethod
    /// With `{id}` where the number of a node stands.
    package let path: String
    /// What the audit calls it.
    let action: String
    /// The query's parameters that it knows, besides `timeout_ms`.
    let parameters: Set<String>
    let hasBody: Bool
    let perform: @Sendable (AdminCall) async throws(AdminError) -> [UInt8]

    init(
        _ method: HTTPMethod, _ path: String, action: String, parameters: Set<String> = [], hasBody: Bool = false,
        perform: @escaping @Sendable (AdminCall) async throws(AdminError) -> [UInt8]
    ) {
        self.method = method
        self.path = path
        self.action = action
        self.parameters = parameters
        self.hasBody = hasBody
        self.perform = perform
    }

    /// In the order of docs/admin-api.yaml.
    package static let all: [AdminRoute] = [
        .lag, .verify, .addNode, .removeNode, .replaceNode, .changeAddress, .transferLeadership, .snapshot, .createSnapshot,
        .restore, .restoreSnapshot,
    ]

    /// The text that stands in the place of `{id}`, empty where the path has none; nil: it is another path.
    func match(_ other: Substring) -> Substring? {
        let (ours, theirs) = (
            path.split(separator: "/", omittingEmptySubsequences: false),
            other.split(separator: "/", omittingEmptySubsequences: false)
        )
        guard ours.count == theirs.count else { return nil }
        var id: Substring = ""
        for (part, text) in zip(ours, theirs) {
            if part == "{id}" { id = text } else if part != text { return nil }
        }
        return id
    }
}

/// One call of an operation, after whoever calls was let in and its body has come.
struct AdminCall: Sendable {
    static let timeoutMillisecondsDefault: UInt64 = 60_000
    static let timeoutMillisecondsMax: UInt64 = 24 * 3_600_000

    /// Nil on a node that is no cluster's.
    let clusterIfAny: (any ClusterAdministration)?
    let snapshotsIfAny: (any SnapshotAdministration)?
    /// The text in the place of `{id}`.
    let pathID: Substring
    let query: [String: String]
    let body: [UInt8]

    /// - Throws: `NotInCluster`.
    var cluster: any ClusterAdministration {
        get throws(AdminError) {
            guard let clusterIfAny else { throw .notInCluster }
            return clusterIfAny
        }
    }

    var snapshots: any SnapshotAdministration {
        get throws(AdminError) {
            guard let snapshotsIfAny else {
                throw AdminError(.notFound, "NotFound", "This server has no snapshots in files.")
            }
            return snapshotsIfAny
        }
    }

    /// - Throws: `MalformedRequest`, if that is no node's id.
    func nodeID() throws(AdminError) -> UInt64 {
        guard let id = UInt64(pathID), (1...UInt64(Int64.max)).contains(id) else {
            throw .malformed("'\(pathID)' in the path is no node's id: a number from 1 on.")
        }
        return id
    }

    func timeoutMilliseconds() throws(AdminError) -> UInt64 {
        guard let text = query["timeout_ms"] else { return Self.timeoutMillisecondsDefault }
        guard let value = UInt64(text), (1...Self.timeoutMillisecondsMax).contains(value) else {
            throw .malformed("timeout_ms is '\(text)'; it must be a number from 1 to \(Self.timeoutMillisecondsMax).")
        }
        return value
    }

    /// Without the parameter: false.
    func flag(_ name: String) throws(AdminError) -> Bool {
        switch query[name] {
        case nil, "false": return false
        case "true": return true
        case let text?: throw .malformed("\(name) is '\(text)'; it must be true or false.")
        }
    }

    /// Carries a command out. - Returns: the outcome, if it is not refused or in doubt.
    func outcome(of command: OperatorCommand) async throws(AdminError) -> CommandOutcome {
        let outcome = try await cluster.perform(command, timeoutMilliseconds: try timeoutMilliseconds())
        switch outcome {
        case .refused(let refusal): throw AdminError(refusal)
        case .unknown(let doubt): throw AdminError(doubt)
        case .done, .snapshot, .verified: return outcome
        }
    }

    func done(_ command: OperatorCommand) async throws(AdminError) -> [UInt8] {
        _ = try await outcome(of: command)
        return AdminJSON.encode(OutcomeDocument.done)
    }
}
