import AdminDocuments
package import HTTPServer
package import Logging
import NIOCore
import NIOHTTP1
package import Telemetry

/// What operators, load balancers and Prometheus ask a node.
///
/// Its pages (metrics, health, version, status) are for everybody who reaches the address. The operations of `AdminRoute` are for whom
/// `AdminCredentials` lets in, and each leaves a line in the log, whatever comes of it.
package struct AdminService: HTTPRequestHandler {
    private let version: String
    private let metrics: PrometheusMetricsFactory
    private let readiness: @Sendable () async -> Readiness
    /// Nil on a node that is no cluster's.
    let cluster: (any ClusterAdministration)?
    let snapshots: (any SnapshotAdministration)?
    let credentials: AdminCredentials
    let logger: Logger

    /// Whether a load balancer should send requests here.
    package enum Readiness: Sendable, Equatable {
        case ready
        /// The reason is shown to whoever asks.
        case notReady(String)
    }

    /// - Parameters:
    ///   - readiness: asked at each `GET /health/ready`; it suspends, never blocks.
    ///   - cluster: nil on a node that is no cluster's.
    ///   - snapshots: nil where none can be written.
    ///   - logger: of the audit.
    package init(
        version: String, metrics: PrometheusMetricsFactory, readiness: @escaping @Sendable () async -> Readiness,
        cluster: (any ClusterAdministration)? = nil, snapshots: (any SnapshotAdministration)? = nil,
        credentials: AdminCredentials = .none, logger: Logger
    ) {
        self.version = version
        self.metrics = metrics
        self.readiness = readiness
        self.cluster = cluster
        self.snapshots = snapshots
        self.credentials = credentials
        self.logger = logger
    }

    package func respond(to request: HTTPRequest) async -> HTTPResponse {
        let path = request.target.prefix { $0 != "?" && $0 != "#" }
        guard let page = Page(rawValue: String(path)) else {
            let routes = AdminRoute.all.compactMap { route in route.match(path).map { (route: route, id: $0) } }
            if !routes.isEmpty { return await respond(to: request, with: routes) }
            return error(.notFound, code: "NotFound", "There is no such page; GET / lists them.", request)
        }
        guard request.method == .GET || request.method == .HEAD else {
            var response = error(.methodNotAllowed, code: "MethodNotAllowed", "This page answers GET and HEAD.", request)
            response.headers.add(name: "Allow", value: "GET, HEAD")
            return response
        }
        switch page {
        case .index: return reply(.ok, "text/plain; charset=utf-8", Array(index.utf8), request)
        case .live: return reply(.ok, "application/json", JSONText.object([("status", "live")]), request)
        case .ready: return await ready(request)
        case .status:
            guard let cluster else { return error(AdminError.notInCluster, request) }
            var status = await cluster.clusterStatus()
            status.snapshotExport = snapshots?.export
            status.restore = snapshots?.restore
            return reply(.ok, "application/json", AdminJSON.encode(status), request)
        case .version:
            return reply(
                .ok, "application/json", JSONText.object([("name", "rustfs-metadata"), ("version", version)]), request)
        case .metrics:
            let accept = request.headers[canonicalForm: "Accept"].joined(separator: ",")
            let format = ExpositionFormat.negotiate(accept: accept)
            return reply(.ok, format.contentType, await metrics.exposition(format: format), request)
        }
    }

    package func respond(toMalformed reason: HTTPProtocolViolation) -> HTTPResponse {
        let (status, code, message): (HTTPResponseStatus, String, String) =
            switch reason {
            case .malformedRequest: (.badRequest, "BadRequest", "This is no HTTP request.")
            case .requestLineTooLong: (.uriTooLong, "URITooLong", "The request line is too long.")
            case .headersTooLarge: (.requestHeaderFieldsTooLarge, "HeadersTooLarge", "The headers are too large.")
            case .tooManyHeaders: (.requestHeaderFieldsTooLarge, "TooManyHeaders", "There are too many headers.")
            case .headTimeout: (.requestTimeout, "RequestTimeout", "The request did not arrive in time.")
            }
        let body = JSONText.object([("code", code), ("message", message)])
        return HTTPResponse(
            status: status, headers: ["Content-Type": "application/json"], body: .bytes(ByteBuffer(bytes: body)),
            closesConnection: true)
    }
}

extension AdminService {
    /// The paths of what is for everybody.
    package static let publicPaths = Page.allCases.map(\.rawValue)

    private enum Page: String, CaseIterable {
        case index = "/"
        case live = "/health/live"
        case ready = "/health/ready"
        case version = "/version"
        case status = "/metadata/status"
        case metrics = "/metrics"
    }

    private var index: String {
        """
        rustfs-metadata \(version)

        GET /metrics       metrics for Prometheus
        GET /health/live   200 while the process runs
        GET /health/ready  200 while it serves S3, else 503
        GET /version       the version as JSON
        GET /metadata/status  the cluster as this node sees it, as JSON

        With credentials (docs/admin-api.yaml):
        \(AdminRoute.all.map { "\($0.method) \($0.path)" }.joined(separator: "\n"))

        """
    }

    private func ready(_ request: HTTPRequest) async -> HTTPResponse {
        switch await readiness() {
        case .ready:
            return reply(.ok, "application/json", JSONText.object([("status", "ready")]), request)
        case .notReady(let reason):
            let body = JSONText.object([("status", "not ready"), ("reason", reason)])
            return reply(.serviceUnavailable, "application/json", body, request)
        }
    }

    func error(_ error: AdminError, _ request: HTTPRequest) -> HTTPResponse {
        var response = self.error(error.status, code: error.code, error.message, request)
        response.headers.add(contentsOf: error.headers)
        return response
    }

    func error(_ status: HTTPResponseStatus, code: String, _ message: String, _ request: HTTPRequest) -> HTTPResponse {
        reply(status, "application/json", JSONText.object([("code", code), ("message", message)]), request)
    }

    /// To HEAD the same head, with the length that GET's body would have.
    func reply(_ status: HTTPResponseStatus, _ contentType: String, _ body: [UInt8], _ request: HTTPRequest)
        -> HTTPResponse
    {
        var headers: HTTPHeaders = ["Content-Type": contentType, "Cache-Control": "no-store"]
        guard request.method == .HEAD else {
            return HTTPResponse(status: status, headers: headers, body: .bytes(ByteBuffer(bytes: body)))
        }
        headers.add(name: "Content-Length", value: String(body.count))
        return HTTPResponse(status: status, headers: headers)
    }
}
