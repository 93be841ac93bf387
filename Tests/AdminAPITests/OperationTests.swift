import AdminAPI
import AdminDocuments
import LogTestKit
import Metadata
import NIOHTTP1
import Raft
import Replication
import Testing

@Suite("The operations of the administration interface")
struct OperationTests {
    struct Command: Sendable {
        var method: HTTPMethod
        var target: String
        var body: String?
        var command: OperatorCommand
    }

    static let commands = [
        Command(
            method: .POST, target: "/metadata/nodes", body: "{\"id\":4,\"address\":\"four:7000\"}",
            command: .add(NodeID(4), address: Array("four:7000".utf8))),
        Command(method: .DELETE, target: "/metadata/nodes/3", body: nil, command: .remove(NodeID(3), isForced: false)),
        Command(
            method: .DELETE, target: "/metadata/nodes/3?force=true", body: nil, command: .remove(NodeID(3), isForced: true)),
        Command(
            method: .POST, target: "/metadata/nodes/3/replace", body: "{\"address\":\"[::1]:7000\",\"id\":5}",
            command: .replace(NodeID(3), with: NodeID(5), address: Array("[::1]:7000".utf8))),
        Command(
            method: .PUT, target: "/metadata/nodes/3/address", body: "{\"address\":\"new:7000\"}",
            command: .changeAddress(NodeID(3), address: Array("new:7000".utf8))),
        Command(
            method: .POST, target: "/metadata/leadership", body: "{\"to\":2}", command: .transferLeadership(to: NodeID(2))),
    ]

    @Test("Each asks the cluster for one command, and says when it is done", arguments: commands)
    func commands(_ given: Command) async {
        let bench = OperationBench()
        let answer = await bench.ask(given.method, given.target, body: given.body)
        #expect(answer.status == 200)
        #expect(answer.text == "{\"outcome\":\"done\"}\n")
        #expect(bench.cluster.commands == [given.command])
        #expect(bench.cluster.timeouts == [60_000])
        #expect(bench.log.lines.count == 1)
        #expect(bench.log.lines[0].contains("token") && bench.log.lines[0].contains("10.1.2.3:55"))
        #expect(!bench.log.lines[0].contains(OperationBench.token))
    }

    @Test("A caller may say how long it waits", arguments: commands)
    func timeouts(_ given: Command) async {
        let bench = OperationBench()
        let target = given.target + (given.target.contains("?") ? "&" : "?") + "timeout_ms=1500"
        #expect(await bench.ask(given.method, target, body: given.body).status == 200)
        #expect(bench.cluster.timeouts == [1500])
    }

    @Test("On a node without a cluster there is nothing to administer", arguments: commands)
    func noCluster(_ given: Command) async {
        let answer = await OperationBench(inCluster: false).ask(given.method, given.target, body: given.body)
        #expect(answer.status == 404 && answer.code == "NotFound")
    }

    /// Status and code of each outcome that is no success.
    static let outcomes: [(CommandOutcome, Int, String)] = [
        (.unknown(.leadershipLost), 504, "UnknownOutcome"), (.unknown(.timedOut), 504, "UnknownOutcome"),
        (.unknown(.stopped(.removed)), 504, "UnknownOutcome"), (.refused(.notLeader(nil)), 503, "NoLeader"),
        (.refused(.notLeader(NodeID(2))), 503, "NoLeader"), (.refused(.busy), 409, "Busy"),
        (.refused(.alreadyVoter(NodeID(4))), 409, "AlreadyMember"), (.refused(.notMember(NodeID(4))), 404, "NoSuchNode"),
        (.refused(.identityTaken(NodeID(4), Incarnation(9))), 409, "IdentityTaken"),
        (.refused(.notEmpty(NodeID(4))), 409, "NotEmpty"), (.refused(.outdated(NodeID(4))), 409, "OutdatedDisk"),
        (.refused(.unreachable(NodeID(4))), 409, "NodeUnreachable"),
        (.refused(.unsupportedVersion(NodeID(4), .first)), 409, "UnsupportedVersion"),
        (.refused(.didNotCatchUp(NodeID(4), behind: 7)), 409, "DidNotCatchUp"),
        (.refused(.bodiesLacking(3)), 409, "BodiesLacking"), (.refused(.bodiesLacking(nil)), 409, "BodiesLacking"),
        (.refused(.change(.losesQuorum(active: 1, needed: 2))), 409, "LosesQuorum"),
        (.refused(.change(.underWay(LogIndex(3)))), 409, "Busy"),
        (.refused(.change(.proposal(.transferring(to: NodeID(1))))), 409, "Busy"),
        (.refused(.change(.proposal(.notLeader(nil)))), 503, "NoLeader"),
        (.refused(.change(.impossible(.removedAllVoters))), 409, "Refused"),
        (.refused(.transfer(.notVoter(NodeID(9)))), 404, "NoSuchNode"),
        (.refused(.transfer(.inactive(NodeID(9)))), 409, "NodeUnreachable"), (.refused(.notTakenOver), 409, "NotTakenOver"),
        (.refused(.tooManyMembers), 409, "TooManyMembers"), (.refused(.invalidAddress), 400, "MalformedRequest"),
        (.refused(.stopped(.removed)), 503, "NodeStopped"), (.refused(.other("a reason")), 409, "Refused"),
        (.refused(.snapshotFailed("a reason")), 500, "SnapshotFailed"),
    ]

    @Test("Every refusal and doubt has a status, a code and a sentence, and is in the log", arguments: outcomes)
    func outcomes(outcome: CommandOutcome, status: Int, code: String) async {
        let bench = OperationBench(outcome)
        let answer = await bench.ask(.DELETE, "/metadata/nodes/3")
        #expect(answer.status == status)
        #expect(answer.code == code)
        #expect(answer.headers["Content-Type"] == ["application/json"])
        #expect(bench.log.count(code) == 1)
    }

    /// What is wrong, and a part of the sentence that says so.
    static let malformed: [(HTTPMethod, String, String?, String)] = [
        (.POST, "/metadata/nodes", "", "The body is empty"), (.POST, "/metadata/nodes", "id=4", "The body is no JSON object"),
        (.POST, "/metadata/nodes", "[]", "The body is no JSON object"),
        (.POST, "/metadata/nodes", "{", "The body is no JSON object"),
        (.POST, "/metadata/nodes", "{}", "'id' is missing"), (.POST, "/metadata/nodes", "{\"id\":4}", "'address' is missing"),
        (.POST, "/metadata/nodes", "{\"address\":\"a:1\"}", "'id' is missing"),
        (.POST, "/metadata/nodes", "{\"id\":\"4\",\"address\":\"a:1\"}", "'id' is no node's id"),
        (.POST, "/metadata/nodes", "{\"id\":0,\"address\":\"a:1\"}", "'id' is no node's id"),
        (.POST, "/metadata/nodes", "{\"id\":true,\"address\":\"a:1\"}", "'id' is no node's id"),
        (.POST, "/metadata/nodes", "{\"id\":-1,\"address\":\"a:1\"}", "'id' is no node's id"),
        (.POST, "/metadata/nodes", "{\"id\":4.5,\"address\":\"a:1\"}", "'id' is no node's id"),
        (.POST, "/metadata/nodes", "{\"id\":9223372036854775808,\"address\":\"a:1\"}", "'id' is no node's id"),
        (.POST, "/metadata/nodes", "{\"id\":4,\"address\":5}", "'address' must be a text"),
        (.POST, "/metadata/nodes", "{\"id\":4,\"address\":null}", "'address' must be a text"),
        (.POST, "/metadata/nodes", "{\"id\":4,\"address\":\"host\"}", "has no port"),
        (.POST, "/metadata/nodes", "{\"id\":4,\"address\":\"host:0\"}", "no port from 1 to 65535"),
        (.POST, "/metadata/nodes", "{\"id\":4,\"address\":\"a:1\",\"role\":1}", "'role' is unknown; known here: id, address"),
        (.POST, "/metadata/nodes?force=true", "{\"id\":4,\"address\":\"a:1\"}", "parameter 'force' is unknown"),
        (.DELETE, "/metadata/nodes/x", nil, "'x' in the path is no node's id"),
        (.DELETE, "/metadata/nodes/0", nil, "'0' in the path is no node's id"),
        (.DELETE, "/metadata/nodes/3?force=yes", nil, "force is 'yes'"),
        (.DELETE, "/metadata/nodes/3?force", nil, "'force' must have one value"),
        (.DELETE, "/metadata/nodes/3?force=true&force=true", nil, "'force' must have one value"),
        (.DELETE, "/metadata/nodes/3?timeout_ms=0", nil, "timeout_ms is '0'"),
        (.DELETE, "/metadata/nodes/3?timeout_ms=soon", nil, "timeout_ms is 'soon'"),
        (.DELETE, "/metadata/nodes/3", "{}", "This takes no body"),
        (.POST, "/metadata/nodes/3/replace", "{\"id\":3,\"address\":\"a:1\"}", "cannot be replaced by a node with the same id"),
        (.POST, "/metadata/nodes//replace", "{\"id\":4,\"address\":\"a:1\"}", "'' in the path is no node's id"),
        (.PUT, "/metadata/nodes/3/address", "{\"id\":3,\"address\":\"a:1\"}", "'id' is unknown; known here: address"),
        (.POST, "/metadata/leadership", "{\"id\":3}", "'id' is unknown; known here: to"),
        (.GET, "/metadata/verify?timeout_ms=-1", nil, "timeout_ms is '-1'"),
    ]

    @Test("What is malformed is refused in words, and nothing is asked of the cluster", arguments: malformed)
    func malformed(method: HTTPMethod, target: String, body: String?, part: String) async {
        let bench = OperationBench()
        let answer = await bench.ask(method, target, body: body)
        #expect(answer.status == 400)
        #expect(answer.code == "MalformedRequest")
        #expect(answer.text.contains(part), "\(answer.text)")
        #expect(bench.cluster.commands.isEmpty)
    }

    @Test("A body that is too large, or not called JSON, is refused")
    func bodies() async {
        let bench = OperationBench()
        let large = await bench.ask(.POST, "/metadata/nodes", body: String(repeating: " ", count: 65_537))
        #expect(large.status == 413 && large.code == "BodyTooLarge")
        let form = await bench.ask(
            .POST, "/metadata/leadership", body: "{\"to\":2}", headers: ["Content-Type": "text/plain"])
        #expect(form.status == 415 && form.code == "UnsupportedMediaType")
        let charset = await bench.ask(
            .POST, "/metadata/leadership", body: "{\"to\":2}", headers: ["Content-Type": "Application/JSON; charset=utf-8"])
        #expect(charset.status == 200)
        #expect(bench.cluster.commands == [.transferLeadership(to: NodeID(2))])
    }

    @Test(
        "Other methods are refused with those that there are, before anybody is asked who they are",
        arguments: [
            (HTTPMethod.GET, "/metadata/nodes", "POST"), (.POST, "/metadata/nodes/3", "DELETE"),
            (.PUT, "/metadata/leadership", "POST"),
            (.POST, "/metadata/lag", "GET"), (.DELETE, "/metadata/verify", "GET"), (.HEAD, "/metadata/verify", "GET"),
        ])
    func methods(method: HTTPMethod, target: String, allowed: String) async {
        let answer = await OperationBench().ask(method, target, token: nil)
        #expect(answer.status == 405)
        #expect(answer.headers["Allow"] == [allowed])
    }

    @Test("The lag is that of the status")
    func lag() async throws {
        let bench = OperationBench()
        let answer = await bench.ask(.GET, "/metadata/lag")
        #expect(answer.status == 200)
        let document = try AdminJSON.decode(LagDocument.self, Array(answer.text.utf8))
        #expect(document.nodes.map(\.lagEntries) == [1, nil])
        #expect(document.commitIndex == 9)
    }

    private static func digest(_ low: UInt64) -> StateDigest { StateDigest(low: low, high: 0) }

    static let comparisons: [([UInt64?], VerificationDocument.Verdict, [Bool?])] = [
        ([7, 7, 7], .equal, [true, true, true]), ([7, 8, 7], .different, [true, false, true]),
        ([7, nil, 7], .incomplete, [true, nil, true]), ([7, nil, 8], .different, [nil, nil, nil]),
        ([nil, nil, nil], .incomplete, [nil, nil, nil]), ([7, 8], .different, [nil, nil]), ([7], .equal, [true]),
    ]

    @Test("A comparison says who has the state of most, and who says nothing", arguments: comparisons)
    func verify(digests: [UInt64?], verdict: VerificationDocument.Verdict, agrees: [Bool?]) async throws {
        let rows = digests.enumerated().map { place, low in
            DigestComparison.Row(node: NodeID(UInt64(place + 1)), digest: low.map(Self.digest))
        }
        let bench = OperationBench(.verified(DigestComparison(index: LogIndex(5), rows: rows)))
        let answer = await bench.ask(.GET, "/metadata/verify")
        #expect(answer.status == 200)
        let document = try AdminJSON.decode(VerificationDocument.self, Array(answer.text.utf8))
        #expect(document.index == 5)
        #expect(document.verdict == verdict)
        #expect(document.nodes.map(\.agrees) == agrees)
        #expect(bench.cluster.commands == [.verify])
    }
}
