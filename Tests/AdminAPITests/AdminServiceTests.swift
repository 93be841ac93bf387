import AdminAPI
import HTTPServer
import Logging
import Metrics
import NIOCore
import NIOHTTP1
import NIOPosix
import Telemetry
import Testing

@Suite("The administration pages")
struct AdminServiceTests {
    private let metrics = PrometheusMetricsFactory()

    private func service(_ readiness: AdminService.Readiness = .ready) -> AdminService {
        AdminService(version: "1.2.3", metrics: metrics, readiness: { readiness }, logger: Logger(label: "test"))
    }

    private func ask(
        _ target: String, method: HTTPMethod = .GET, headers: HTTPHeaders = [:], readiness: AdminService.Readiness = .ready
    ) async -> (response: HTTPResponse, body: String) {
        let request = HTTPRequest(
            method: method, target: target, headers: headers, body: .collected(ByteBuffer()), remoteAddress: nil,
            isSecure: false,
            eventLoop: MultiThreadedEventLoopGroup.singleton.any())
        let response = await service(readiness).respond(to: request)
        guard case .bytes(let bytes) = response.body else { return (response, "") }
        return (response, String(buffer: bytes))
    }

    @Test(
        "Each page answers GET",
        arguments: [
            ("/health/live", "{\"status\":\"live\"}\n"), ("/health/ready", "{\"status\":\"ready\"}\n"),
            ("/version", "{\"name\":\"rustfs-metadata\",\"version\":\"1.2.3\"}\n"),
            ("/health/live?verbose", "{\"status\":\"live\"}\n"),
        ])
    func pages(target: String, body: String) async {
        let answer = await ask(target)
        #expect(answer.response.status == .ok)
        #expect(answer.response.headers["Content-Type"] == ["application/json"])
        #expect(answer.body == body)
    }

    @Test("The index names every page")
    func index() async {
        let answer = await ask("/")
        #expect(answer.response.headers["Content-Type"] == ["text/plain; charset=utf-8"])
        for page in ["/metrics", "/health/live", "/health/ready", "/version"] { #expect(answer.body.contains(page)) }
    }

    @Test("A node that cannot serve says 503 and why, while it still lives")
    func notReady() async {
        let answer = await ask("/health/ready", readiness: .notReady("the disk \"a\\b\" is full\n"))
        #expect(answer.response.status == .serviceUnavailable)
        #expect(answer.body == "{\"status\":\"not ready\",\"reason\":\"the disk \\\"a\\\\b\\\" is full\\n\"}\n")
        #expect(await ask("/health/live", readiness: .notReady("x")).response.status == .ok)
    }

    @Test(
        "HEAD answers with the length that GET's body has, and no body",
        arguments: ["/", "/version", "/health/ready", "/missing"])
    func head(target: String) async {
        let get = await ask(target)
        let head = await ask(target, method: .HEAD)
        #expect(head.response.status == get.response.status)
        #expect(head.response.headers["Content-Length"] == ["\(get.body.utf8.count)"])
        #expect(head.body == "")
    }

    @Test(
        "Unknown pages and other methods are JSON errors",
        arguments: [
            (HTTPMethod.GET, "/metrics/", HTTPResponseStatus.notFound, "NotFound"), (.GET, "//", .notFound, "NotFound"),
            (.POST, "/nowhere", .notFound, "NotFound"), (.POST, "/metrics", .methodNotAllowed, "MethodNotAllowed"),
            (.DELETE, "/health/live", .methodNotAllowed, "MethodNotAllowed"),
        ])
    func refused(method: HTTPMethod, target: String, status: HTTPResponseStatus, code: String) async {
        let answer = await ask(target, method: method)
        #expect(answer.response.status == status)
        #expect(answer.response.headers["Content-Type"] == ["application/json"])
        #expect(answer.body.hasPrefix("{\"code\":\"\(code)\","))
        #expect(answer.response.headers["Allow"] == (status == .methodNotAllowed ? ["GET, HEAD"] : []))
    }

    @Test("Metrics come in the format that is asked for")
    func metricsFormats() async {
        Counter(label: "asked", factory: metrics).increment()
        let plain = await ask("/metrics")
        #expect(plain.response.headers["Content-Type"] == ["text/plain; version=0.0.4; charset=utf-8"])
        #expect(plain.body.contains("# TYPE asked_total counter\nasked_total 1\n"))
        let open = await ask("/metrics", headers: ["Accept": "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"])
        #expect(open.response.headers["Content-Type"] == ["application/openmetrics-text; version=1.0.0; charset=utf-8"])
        #expect(open.body.hasSuffix("# EOF\n"))
    }

    @Test(
        "What is no HTTP is answered as JSON and closes the connection",
        arguments: [
            (HTTPProtocolViolation.malformedRequest, 400), (.requestLineTooLong, 414), (.headersTooLarge, 431),
            (.tooManyHeaders, 431),
            (.headTimeout, 408),
        ])
    func malformed(reason: HTTPProtocolViolation, status: Int) {
        let response = service().respond(toMalformed: reason)
        #expect(Int(response.status.code) == status)
        #expect(response.closesConnection)
    }
}
