import AdminDocuments
import HTTPServer
import Logging
import NIOCore
import NIOHTTP1

/// The operations: who calls is let in first, then the request is read, then it is carried out; the log has a line for each.
extension AdminService {
    private static let bodyByteCountMax = 64 << 10

    func respond(to request: HTTPRequest, with routes: [(route: AdminRoute, id: Substring)]) async -> HTTPResponse {
        guard let (route, id) = routes.first(where: { $0.route.method == request.method }) else {
            let allowed = routes.map(\.route.method.rawValue).joined(separator: ", ")
            return error(
                AdminError(
                    .methodNotAllowed, "MethodNotAllowed", "This path answers \(allowed).", headers: ["Allow": allowed]),
                request)
        }
        var caller: AdminCaller?
        do throws(AdminError) {
            caller = try await credentials.check(request)
            let answer = try await perform(route, id, request)
            audit(request, route, caller, "done")
            return reply(.ok, "application/json", answer, request)
        } catch {
            audit(request, route, caller, error.code)
            return self.error(error, request)
        }
    }

    private func perform(
        _ route: AdminRoute, _ id: Substring, _ request: HTTPRequest
    ) async throws(AdminError) -> [UInt8] {
        let query = try Self.query(of: request.target, known: route.parameters.union(["timeout_ms"]))
        let body = try await Self.body(of: request)
        if route.hasBody {
            // A form of a web page can send a body without asking first, but not one of this type (fetch.spec.whatwg.org, 2.2.2).
            let type = request.headers.first(name: "Content-Type")?.split(separator: ";").first?.lowercased()
            guard type == "application/json" else {
                throw AdminError(
                    .unsupportedMediaType, "UnsupportedMediaType", "The body must be JSON, with Content-Type: application/json."
                )
            }
        } else if !body.isEmpty {
            throw .malformed("This takes no body.")
        }
        return try await route.perform(
            AdminCall(clusterIfAny: cluster, snapshotsIfAny: snapshots, pathID: id, query: query, body: body))
    }

    /// `name=value`, joined by `&`; none of ours needs escapes.
    private static func query(of target: String, known: Set<String>) throws(AdminError) -> [String: String] {
        guard let mark = target.firstIndex(of: "?") else { return [:] }
        let text = target[target.index(after: mark)...].prefix { $0 != "#" }
        var values: [String: String] = [:]
        for pair in text.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(parts[0])
            guard known.contains(name) else {
                throw .malformed(
                    "The parameter '\(name.prefix(64))' is unknown; known here: \(known.sorted().joined(separator: ", ")).")
            }
            guard parts.count == 2, values[name] == nil else {
                throw .malformed("The parameter '\(name)' must have one value: \(name)=….")
            }
            values[name] = String(parts[1].prefix(64))
        }
        return values
    }

    private static func body(of request: HTTPRequest) async throws(AdminError) -> [UInt8] {
        let tooLarge = AdminError(
            .payloadTooLarge, "BodyTooLarge",
            "The body has more than \(bodyByteCountMax) bytes, which no request of this interface needs.")
        switch request.body {
        case .collected(let bytes):
            guard bytes.readableBytes <= bodyByteCountMax else { throw tooLarge }
            return Array(bytes.readableBytesView)
        case .streamed(let stream):
            var bytes: [UInt8] = []
            while true {
                guard let chunk = try await next(of: stream) else { return bytes }
                bytes.append(contentsOf: chunk.readableBytesView)
                guard bytes.count <= bodyByteCountMax else { throw tooLarge }
            }
        }
    }

    private static func next(of stream: any HTTPBodyStream) async throws(AdminError) -> ByteBuffer? {
        do { return try await stream.next() } catch { throw .malformed("The body broke off.") }
    }

    /// No secrets: neither headers nor the query are repeated.
    private func audit(_ request: HTTPRequest, _ route: AdminRoute, _ caller: AdminCaller?, _ outcome: String) {
        logger.notice(
            "administration",
            metadata: [
                "action": "\(route.action)", "by": "\(caller?.description ?? "nobody")",
                "from": "\(request.remoteAddress.map(Self.text) ?? "unknown")", "path": "\(Self.path(of: request))",
                "outcome": "\(outcome)",
            ])
    }

    private static func path(of request: HTTPRequest) -> String {
        String(request.target.prefix { $0 != "?" && $0 != "#" }.prefix(128))
    }

    private static func text(_ address: SocketAddress) -> String {
        guard let host = address.ipAddress, let port = address.port else { return "\(address)" }
        return host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}
