import AdminDocuments
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import NIOTLS

/// Asks one node after the other until one answers. A request that may have been carried out is never sent to a second one.
struct AdminClient: Sendable {
    private static let connectSeconds: Int64 = 5
    /// Beyond the time that the node itself was given.
    private static let graceSeconds: Int64 = 5

    let endpoints: [Endpoint]
    let token: String?
    /// Nil: no endpoint needs it.
    let tls: NIOSSLContext?

    /// - Parameter path: with its query.
    /// - Returns: the body of an answer with status 200.
    func ask(_ method: HTTPMethod, _ path: String, body: [UInt8]? = nil, seconds: Int) async throws(AdminFailure) -> [UInt8] {
        var reasons: [(String, String)] = []
        for endpoint in endpoints {
            switch await exchange(endpoint, method, path, body, seconds) {
            case .answer(200, let bytes): return bytes
            case .answer(let status, let bytes):
                guard let document = try? AdminJSON.decode(AdminErrorDocument.self, bytes) else {
                    throw .badAnswer("\(endpoint) answers \(status), and what follows is no document of this interface.")
                }
                // Such a node has done nothing; another one may be able to.
                guard status == 503 else { throw .answered(status: status, document) }
                reasons.append(("\(endpoint)", document.message))
            case .notSent(let reason): reasons.append(("\(endpoint)", reason))
            case .lost(let reason):
                guard method == .GET else {
                    throw .unknown(
                        "\(endpoint) took the request and has not answered (\(reason)): it may still come to pass. Look at the status; asking again goes on from there."
                    )
                }
                reasons.append(("\(endpoint)", reason))
            }
        }
        throw .unavailable(reasons)
    }

    /// A document that everybody may read.
    func status(seconds: Int) async throws(AdminFailure) -> (bytes: [UInt8], document: ClusterStatusDocument) {
        let bytes = try await ask(.GET, "/metadata/status", seconds: seconds)
        return (bytes, try Self.decode(ClusterStatusDocument.self, bytes))
    }

    static func decode<Document: Decodable>(_ type: Document.Type, _ bytes: [UInt8]) throws(AdminFailure) -> Document {
        do { return try AdminJSON.decode(type, bytes) } catch {
            throw .badAnswer("The answer is no document that this program knows: \(error)")
        }
    }

    private func exchange(
        _ endpoint: Endpoint, _ method: HTTPMethod, _ path: String, _ body: [UInt8]?, _ seconds: Int
    ) async -> Exchange {
        var head = HTTPRequestHead(version: .http1_1, method: method, uri: path)
        head.headers.add(name: "Host", value: endpoint.authority)
        head.headers.add(name: "Accept", value: "application/json")
        head.headers.add(name: "Connection", value: "close")
        if let token { head.headers.add(name: "Authorization", value: "Bearer \(token)") }
        if let body {
            head.headers.add(name: "Content-Type", value: "application/json")
            head.headers.add(name: "Content-Length", value: "\(body.count)")
        }
        let loop = MultiThreadedEventLoopGroup.singleton.any()
        let promise = loop.makePromise(of: Exchange.self)
        let (request, tls) = (head, endpoint.isSecure ? tls : nil)
        let channel: any Channel
        do {
            channel = try await ClientBootstrap(group: loop)
                .connectTimeout(.seconds(Self.connectSeconds))
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        if let tls {
                            let isAddress = (try? SocketAddress(ipAddress: endpoint.host, port: 0)) != nil
                            try channel.pipeline.syncOperations.addHandler(
                                NIOSSLClientHandler(context: tls, serverHostname: isAddress ? nil : endpoint.host))
                        }
                        try channel.pipeline.syncOperations.addHTTPClientHandlers()
                        try channel.pipeline.syncOperations.addHandler(
                            ExchangeHandler(request, body.map { ByteBuffer(bytes: $0) }, isSecure: tls != nil, promise))
                    }
                }
                .connect(host: endpoint.host, port: endpoint.port).get()
        } catch {
            let reason = "cannot be reached: \(error)"
            promise.succeed(.notSent(reason))
            return .notSent(reason)
        }
        let timer = loop.scheduleTask(in: .seconds(Int64(seconds) + Self.graceSeconds)) {
            channel.pipeline.fireErrorCaught(ExchangeHandler.TimedOut())
        }
        let result = try? await promise.futureResult.get()
        timer.cancel()
        try? await channel.close()
        return result ?? .lost("the connection broke")
    }
}

/// What became of one request to one node.
enum Exchange: Sendable {
    case answer(Int, [UInt8])
    /// The node cannot have seen the request.
    case notSent(String)
    /// It may have.
    case lost(String)
}

/// One request and its answer on one connection.
private final class ExchangeHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    struct TimedOut: Error, CustomStringConvertible {
        var description: String { "no answer in time" }
    }

    /// No document of the interface is that large.
    private static let byteCountMax = 16 << 20

    private let head: HTTPRequestHead
    private let body: ByteBuffer?
    private let isSecure: Bool
    private let promise: EventLoopPromise<Exchange>
    private var isSent = false
    private var isOver = false
    private var status = 0
    private var bytes: [UInt8] = []

    init(_ head: HTTPRequestHead, _ body: ByteBuffer?, isSecure: Bool, _ promise: EventLoopPromise<Exchange>) {
        self.head = head
        self.body = body
        self.isSecure = isSecure
        self.promise = promise
    }

    func channelActive(context: ChannelHandlerContext) {
        if !isSecure { send(context) }
        context.fireChannelActive()
    }

    /// With TLS nothing is sent before the node has shown who it is.
    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .handshakeCompleted? = event as? TLSUserEvent { send(context) }
        context.fireUserInboundEventTriggered(event)
    }

    private func send(_ context: ChannelHandlerContext) {
        guard !isSent else { return }
        isSent = true
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        if let body { context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil) }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): status = Int(head.status.code)
        case .body(let part):
            bytes.append(contentsOf: part.readableBytesView)
            if bytes.count > Self.byteCountMax { end(context, .lost("its answer is too long")) }
        case .end: end(context, .answer(status, bytes))
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // Nodes close connections without saying so by TLS when they end.
        end(context, isSent ? .lost("\(error)") : .notSent("\(error)"))
    }

    func channelInactive(context: ChannelHandlerContext) {
        end(context, isSent ? .lost("the connection was closed") : .notSent("the connection was closed"))
    }

    private func end(_ context: ChannelHandlerContext, _ result: Exchange) {
        guard !isOver else { return }
        isOver = true
        promise.succeed(result)
        context.close(promise: nil)
    }
}
