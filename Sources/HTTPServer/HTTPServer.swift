package import Logging
package import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Synchronization

/// An HTTP/1.1 server on the event loops of a group: accepts connections, turns them into requests for a handler, and stops without
/// cutting a response short.
///
/// A request runs as one task on its connection's event loop (see `HTTPConnection`), so it never changes threads unless its handler
/// makes it. All methods may be called from any thread.
package final class HTTPServer<Handler: HTTPRequestHandler>: Sendable {
    private let configuration: HTTPServerConfiguration
    private let eventLoopGroup: any EventLoopGroup
    private let logger: Logger
    private let loops: [ObjectIdentifier: HTTPServerLoop]
    private let openConnections = HTTPConnectionGate()
    private let state = Mutex(State.idle)

    private enum State {
        case idle
        case starting
        case listening(any Channel)
        case stopped
    }

    package init(
        configuration: HTTPServerConfiguration, handler: Handler, eventLoopGroup: any EventLoopGroup, logger: Logger
    ) {
        self.configuration = configuration
        self.eventLoopGroup = eventLoopGroup
        self.logger = logger
        var loops: [ObjectIdentifier: HTTPServerLoop] = [:]
        for eventLoop in eventLoopGroup.makeIterator() {
            loops[ObjectIdentifier(eventLoop)] = HTTPServerLoop(
                eventLoop: eventLoop, handler: handler, configuration: configuration, logger: logger)
        }
        self.loops = loops
    }

    /// Binds and begins to accept.
    ///
    /// - Returns: the addresses bound, with the real port where the configured one is 0.
    /// - Throws: `HTTPServerError`.
    package func start() async throws -> [SocketAddress] {
        try state.withLock {
            guard case .idle = $0 else { throw HTTPServerError.alreadyStarted }
            $0 = .starting
        }
        let channel: any Channel
        do {
            channel = try await bootstrap().bind(host: configuration.host, port: configuration.port).get()
        } catch {
            state.withLock { state in
                if case .starting = state { state = .idle }
            }
            let (host, port) = (configuration.host, configuration.port)
            if let error = error as? IOError, error.errnoCode == EADDRINUSE {
                throw HTTPServerError.addressInUse(host: host, port: port)
            }
            if let error = error as? HTTPServerError {
                throw error
            }
            throw HTTPServerError.cannotBind(host: host, port: port, reason: "\(error)")
        }
        let isStopped = state.withLock { state -> Bool in
            if case .stopped = state { return true }
            state = .listening(channel)
            return false
        }
        guard !isStopped else {
            // `stop` came while the address was being bound and found nothing to close.
            try? await channel.close()
            throw HTTPServerError.alreadyStarted
        }
        return channel.localAddress.map { [$0] } ?? []
    }

    /// Accepts no more connections, closes idle ones, lets requests in flight finish (their responses say `Connection: close`), and
    /// closes what is left after `grace`. Returns when no connection is open. A second call only waits.
    package func stop(gracefully grace: Duration) async {
        let previous = state.withLock { state -> State in
            defer { state = .stopped }
            return state
        }
        if case .listening(let channel) = previous {
            try? await channel.close()
        }
        let drained = loops.values.map { $0.stop() }
        let timers = loops.values.map { loop in
            loop.eventLoop.scheduleTask(in: TimeAmount(grace)) { loop.closeAll() }
        }
        for future in drained {
            try? await future.get()
        }
        for timer in timers {
            timer.cancel()
        }
    }

    /// Counters since the server was made, all loops together.
    package var statistics: HTTPServerStatistics {
        var statistics = HTTPServerStatistics()
        for loop in loops.values {
            loop.counters.add(to: &statistics)
        }
        return statistics
    }

    private func bootstrap() throws(HTTPServerError) -> ServerBootstrap {
        let tlsContext: NIOSSLContext?
        do {
            tlsContext = try configuration.tls.map { try NIOSSLContext(configuration: $0) }
        } catch {
            throw .cannotBind(host: configuration.host, port: configuration.port, reason: "TLS: \(error)")
        }
        return ServerBootstrap(group: eventLoopGroup)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelOption(.maxMessagesPerRead, value: 16)
            .serverChannelInitializer { channel in
                // Out of descriptors: accepting pauses for a second instead of failing.
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(AcceptBackoffHandler())
                }
            }
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.autoRead, value: false)
            .childChannelOption(.maxMessagesPerRead, value: 4)
            .childChannelOption(
                .recvAllocator, value: AdaptiveRecvByteBufferAllocator(minimum: 2048, initial: 4096, maximum: 128 << 10)
            )
            .childChannelOption(.writeBufferWaterMark, value: .init(low: 128 << 10, high: 512 << 10))
            .childChannelInitializer { [loops, openConnections, configuration, logger] channel in
                channel.eventLoop.makeCompletedFuture {
                    guard let loop = loops[ObjectIdentifier(channel.eventLoop)] else {
                        preconditionFailure("a connection lives on a loop of the server's group")
                    }
                    let admission = openConnections.admit(countMax: configuration.limits.connectionCountMax)
                    guard admission != .turnedAway else {
                        loop.counters.connectionsRefused.increment()
                        logger.debug("too many connections")
                        throw HTTPConnectionGate.Full()
                    }
                    loop.counters.connectionsAccepted.increment()
                    let input = HTTPByteGuard(limits: loop.limits, counters: loop.counters)
                    let connection = HTTPConnection(
                        loop: loop, input: input, isSecure: tlsContext != nil, isRefused: admission == .refused)
                    loop.insert(connection)
                    channel.closeFuture.whenComplete { _ in
                        openConnections.leave()
                        loop.counters.connectionsClosed.increment()
                        // Last: the server counts as stopped when no loop has connections left.
                        loop.remove(connection)
                    }
                    if let tlsContext {
                        try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tlsContext))
                    }
                    try channel.pipeline.syncOperations.addHandlers(
                        input, HTTPResponseEncoder(configuration: loop.encoderConfiguration), loop.makeDecoder(), connection)
                }
            }
    }
}

/// Counts the open connections of all loops.
private final class HTTPConnectionGate: Sendable {
    enum Admission {
        case admitted
        /// Over the limit: it gets `503`.
        case refused
        /// Far over the limit: those that get `503` are many too. Closed at once.
        case turnedAway
    }

    struct Full: Error {}

    private let count = Atomic<Int>(0)

    func admit(countMax: Int) -> Admission {
        let count = count.wrappingAdd(1, ordering: .relaxed).newValue
        if count <= countMax { return .admitted }
        if count <= countMax + max(countMax / 8, 16) { return .refused }
        leave()
        return .turnedAway
    }

    func leave() {
        count.wrappingSubtract(1, ordering: .relaxed)
    }
}
