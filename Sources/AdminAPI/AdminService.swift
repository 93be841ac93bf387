package import HTTPServer
import NIOCore
import NIOHTTP1
package import Telemetry

/// What operators and Prometheus ask a node: metrics, health, version. Without authentication, for a private address.
package struct AdminService: HTTPRequestHandler {
    private let version: String
    private let metrics: PrometheusMetricsFactory
    private let readiness: @Sendable () async -> Readiness
    private let status: @Sendable () async -> [UInt8]?

    /// Whether a load balancer should send requests here.
    package enum Readiness: Sendable, Equatable {
        case ready
        /// The reason is shown to whoever asks.
        case notReady(String)
    }

    /// - Parameters:
    ///   - readiness: asked at each `GET /health/ready`; it suspends, never blocks.
    ///   - status: the JSON of `GET /metadata/status`; nil on a node that is no cluster's.
    package init(
        version: String, metrics: PrometheusMetricsFactory, readiness: @escaping @Sendable () async -> Readiness,
        status: @escaping @Sendable () async -> [UInt8]? = { nil }
    ) {
        self.version = version
        self.metrics = metrics
        self.readiness = readiness
        self.status = status
    }

    package func respond(to request: HTTPRequest) async -> HTTPResponse {
        let path = request.target.prefix { $0 != "?" && $0 != "#" }
        guard let page = Page(rawValue: String(path)) else {
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
            guard let document = await status() else {
                return error(.notFound, code: "NotFound", "This node belongs to no cluster (engine_type: local).", request)
            }
            return reply(.ok, "application/json", document, request)
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
    private enum Page: String {
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

    private func error(_ status: HTTPResponseStatus, code: String, _ message: String, _ request: HTTPRequest) -> HTTPResponse {
        reply(status, "application/json", JSONText.object([("code", code), ("message", message)]), request)
    }

    /// To HEAD the same head, with the length that GET's body would have.
    private func reply(_ status: HTTPResponseStatus, _ contentType: String, _ body: [UInt8], _ request: HTTPRequest)
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
