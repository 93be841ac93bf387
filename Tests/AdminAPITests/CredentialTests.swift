import AdminAPI
import LogTestKit
import NIOHTTP1
import Synchronization
import Testing

@Suite("Who may administer")
struct CredentialTests {
    static let operations: [(HTTPMethod, String, String?)] = [
        (.GET, "/metadata/lag", nil), (.GET, "/metadata/verify", nil), (.POST, "/metadata/nodes", "{}"),
        (.DELETE, "/metadata/nodes/3", nil),
        (.POST, "/metadata/nodes/3/replace", "{}"), (.PUT, "/metadata/nodes/3/address", "{}"),
        (.POST, "/metadata/leadership", "{}"), (.GET, "/metadata/snapshots", nil), (.POST, "/metadata/snapshots", "{}"),
        (.GET, "/metadata/restores", nil), (.POST, "/metadata/restores", "{}"),
    ]

    @Test("No operation is carried out for nobody, and each try is in the log", arguments: operations)
    func nobody(method: HTTPMethod, target: String, body: String?) async {
        let bench = OperationBench()
        let answer = await bench.ask(method, target, body: body, token: nil)
        #expect(answer.status == 401 && answer.code == "Unauthorized")
        #expect(answer.headers["WWW-Authenticate"] == ["Bearer realm=\"rustfs-metadata\""])
        #expect(bench.cluster.commands.isEmpty && bench.snapshots.requests.isEmpty)
        #expect(bench.log.count("nobody") == 1)
    }

    @Test("These are all operations")
    func all() {
        #expect(Self.operations.count == AdminRoute.all.count)
    }

    static let wrong = [
        "Bearer", "Bearer ", "Bearer x", "Bearer \(OperationBench.token)x", "Bearer \(OperationBench.token.dropLast())",
        "Bearer  \(OperationBench.token)", "Basic \(OperationBench.token)", OperationBench.token,
        "Bearer \(OperationBench.token) \(OperationBench.token)", "Bearer \(OperationBench.token)\(OperationBench.token)",
    ]

    @Test("Another token, or none in the right form, is refused", arguments: wrong)
    func wrongTokens(field: String) async {
        let bench = OperationBench()
        let answer = await bench.ask(.GET, "/metadata/lag", headers: ["Authorization": field], token: nil)
        #expect(answer.status == 401)
        #expect(!answer.text.contains(OperationBench.token))
        #expect(bench.log.lines.allSatisfy { !$0.contains(OperationBench.token) })
    }

    @Test("The scheme's name is in any case")
    func scheme() async {
        let fields: HTTPHeaders = ["Authorization": "bearer \(OperationBench.token)"]
        #expect(await OperationBench().ask(.GET, "/metadata/lag", headers: fields, token: nil).status == 200)
    }

    @Test("A token ends when the source has another one")
    func changes() async {
        let tokens = Mutex("the-first-token-of-two")
        let credentials = AdminCredentials(
            token: { .success(Array(tokens.withLock { $0 }.utf8)) }, acceptsCertificates: false, isLoopback: true)
        let bench = OperationBench(credentials: credentials)
        #expect(await bench.ask(.GET, "/metadata/lag", token: "the-first-token-of-two").status == 200)
        tokens.withLock { $0 = "the-second-token-of-two" }
        #expect(await bench.ask(.GET, "/metadata/lag", token: "the-first-token-of-two").status == 401)
        #expect(await bench.ask(.GET, "/metadata/lag", token: "the-second-token-of-two").status == 200)
    }

    @Test("While the token cannot be read nobody is let in, nor with an empty one", arguments: [true, false])
    func unreadable(isEmpty: Bool) async {
        let credentials = AdminCredentials(
            token: { isEmpty ? .success([]) : .failure(AdminCredentialsFailure(detail: "gone")) }, acceptsCertificates: false,
            isLoopback: true)
        let bench = OperationBench(credentials: credentials)
        let answer = await bench.ask(.GET, "/metadata/lag", token: "x")
        #expect(answer.status == (isEmpty ? 401 : 503))
        #expect(answer.code == (isEmpty ? "Unauthorized" : "CredentialsUnavailable"))
        #expect(!answer.text.contains("gone"))
    }

    @Test("A certificate lets in where certificates were asked for, and the log has its subject")
    func certificates() async {
        let asked = OperationBench(credentials: OperationBench.credentials(nil, certificates: true))
        #expect(await asked.ask(.GET, "/metadata/lag", token: nil, certificate: "common_name=anna").status == 200)
        #expect(asked.log.count("common_name=anna") == 1)
        #expect(await asked.ask(.GET, "/metadata/lag", token: "x").status == 401)
        let both = OperationBench(credentials: OperationBench.credentials(OperationBench.token, certificates: true))
        #expect(await both.ask(.GET, "/metadata/lag").status == 200)
        #expect(await both.ask(.GET, "/metadata/lag", token: nil, certificate: "common_name=anna").status == 200)
        let notAsked = OperationBench()
        #expect(await notAsked.ask(.GET, "/metadata/lag", token: nil, certificate: "common_name=anna").status == 401)
    }

    @Test(
        "Without credentials only this machine is let in, and no web page in its browser",
        arguments: [
            (true, "127.0.0.1:9100", 200), (true, "localhost", 200), (true, "LOCALHOST:1", 200), (true, "[::1]:9100", 200),
            (true, "127.9.9.9", 200), (true, "evil.example", 403), (true, "127.0.0.1.evil.example", 403), (true, "", 403),
            (true, "127.0.0", 403), (true, "localhost.evil.example:9100", 403), (false, "127.0.0.1:9100", 403),
        ])
    func local(isLoopback: Bool, host: String, status: Int) async {
        let bench = OperationBench(credentials: OperationBench.credentials(nil, loopback: isLoopback))
        let answer = await bench.ask(.GET, "/metadata/lag", headers: ["Host": host], token: nil)
        #expect(answer.status == status)
        if status == 403 {
            #expect(answer.code == "AccessDisabled")
            #expect(answer.text.contains("admin.token_file"))
        }
    }

    @Test("The pages for everybody need no credentials", arguments: AdminService.publicPaths)
    func pages(path: String) async {
        #expect(await OperationBench().ask(.GET, path, token: nil).status == 200)
    }
}
