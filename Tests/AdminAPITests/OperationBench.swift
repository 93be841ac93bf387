import AdminAPI
import HTTPServer
import LogTestKit
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import Replication
import Telemetry

/// The service over a cluster that is none, for one test.
struct OperationBench {
    static let token = "a-token-of-sixteen-characters"

    let cluster: FakeCluster
    let snapshots = FakeSnapshots()
    let log = RecordedLog()
    let service: AdminService

    init(_ outcome: CommandOutcome = .done, credentials: AdminCredentials = Self.credentials(token), inCluster: Bool = true) {
        let cluster = FakeCluster(outcome)
        self.cluster = cluster
        service = AdminService(
            version: "1.2.3", metrics: PrometheusMetricsFactory(), readiness: { .ready }, cluster: inCluster ? cluster : nil,
            snapshots: snapshots, credentials: credentials, logger: Logger(label: "test") { [log] _ in log })
    }

    static func credentials(_ token: String?, certificates: Bool = false, loopback: Bool = false) -> AdminCredentials {
        var source: AdminCredentials.TokenSource?
        if let token { source = { .success(Array(token.utf8)) } }
        return AdminCredentials(token: source, acceptsCertificates: certificates, isLoopback: loopback)
    }

    struct Answer {
        var status: Int
        var headers: HTTPHeaders
        var text: String

        var code: String { text.split(separator: "\"code\":\"").last?.split(separator: "\"").first.map(String.init) ?? "" }
    }

    func ask(
        _ method: HTTPMethod, _ target: String, body: String? = nil, headers: HTTPHeaders = [:], token: String? = Self.token,
        certificate: String? = nil
    ) async -> Answer {
        var all: HTTPHeaders = ["Host": "127.0.0.1:9100"]
        if let token { all.add(name: "Authorization", value: "Bearer \(token)") }
        if body != nil { all.add(name: "Content-Type", value: "application/json") }
        for (name, value) in headers { all.replaceOrAdd(name: name, value: value) }
        let request = HTTPRequest(
            method: method, target: target, headers: all, body: .collected(ByteBuffer(string: body ?? "")),
            remoteAddress: try? SocketAddress(ipAddress: "10.1.2.3", port: 55), isSecure: certificate != nil,
            peerCertificate: certificate, eventLoop: MultiThreadedEventLoopGroup.singleton.any())
        let response = await service.respond(to: request)
        guard case .bytes(let bytes) = response.body else {
            return Answer(status: Int(response.status.code), headers: response.headers, text: "")
        }
        return Answer(status: Int(response.status.code), headers: response.headers, text: String(buffer: bytes))
    }
}
