import Logging
import NIOCore
import NIOHTTP1

/// What the connections of one event loop share: the executor of their tasks, what other threads hand them, the timer of their timeouts.
///
/// `@unchecked Sendable`: everything mutable is touched on `eventLoop` only. Connections live on that loop, and the server enters
/// through `eventLoop.execute`.
final class HTTPServerLoop: @unchecked Sendable {
    let eventLoop: any EventLoop
    let inbox: EventLoopInbox
    let executor: EventLoopTaskExecutor
    let handler: any HTTPRequestHandler
    let limits: HTTPServerLimits
    let timeouts: HTTPServerTimeouts
    let logger: Logger
    let counters = HTTPServerCounters()

    /// The loop's clock, read once a tick. `deadline(after:)` makes up for its age.
    private(set) var now = NIODeadline.now()
    private(set) var isStopping = false
    private let checkInterval: TimeAmount
    private var connections: [ObjectIdentifier: HTTPConnection] = [:]
    private var timer: RepeatedTask?
    private var emptied: EventLoopPromise<Void>?
    var date = HTTPDateHeader()

    init(eventLoop: any EventLoop, handler: any HTTPRequestHandler, configuration: HTTPServerConfiguration, logger: Logger) {
        self.eventLoop = eventLoop
        inbox = EventLoopInbox(eventLoop: eventLoop)
        executor = EventLoopTaskExecutor(inbox: inbox)
        self.handler = handler
        limits = configuration.limits
        timeouts = configuration.timeouts
        checkInterval = TimeAmount(configuration.timeouts.checkInterval)
        self.logger = logger
    }

    /// The connection sets the framing headers: only it knows what the handler meant.
    var encoderConfiguration: HTTPResponseEncoder.Configuration {
        var configuration = HTTPResponseEncoder.Configuration()
        configuration.automaticallySetFramingHeaders = false
        return configuration
    }

    /// Heads are bounded by `HTTPByteGuard`; the decoder's own limits, and that on what it buffers, bound the trailers of chunked bodies.
    func makeDecoder() -> ByteToMessageHandler<HTTPRequestDecoder> {
        let headByteCountMax = limits.requestLineByteCountMax + limits.headersByteCountMax
        var decoderLimits = NIOHTTPDecoderLimitConfiguration()
        decoderLimits.maxHeaderFieldSize = headByteCountMax
        decoderLimits.maxHeaderListSize = headByteCountMax
        // One more: the guard is first to find a head's headers too many.
        decoderLimits.maxHeaderFieldCount = limits.headerCountMax + 1
        return ByteToMessageHandler(
            HTTPRequestDecoder(limitConfiguration: decoderLimits), maximumBufferSize: headByteCountMax + 16)
    }

    /// No earlier than `timeout` from now, and no later than a tick after that.
    func deadline(after timeout: Duration) -> NIODeadline {
        now + TimeAmount(timeout) + checkInterval
    }

    func insert(_ connection: HTTPConnection) {
        if timer == nil {
            now = .now()
            timer = eventLoop.scheduleRepeatedTask(initialDelay: checkInterval, delay: checkInterval) { [unowned self] _ in
                self.tick()
            }
        }
        connections[ObjectIdentifier(connection)] = connection
    }

    func remove(_ connection: HTTPConnection) {
        connections[ObjectIdentifier(connection)] = nil
        guard connections.isEmpty else { return }
        // An idle server does not wake up.
        timer?.cancel()
        timer = nil
        emptied?.succeed()
        emptied = nil
    }

    private func tick() {
        now = .now()
        // A connection that times out removes itself.
        for connection in Array(connections.values) {
            connection.checkTimeouts(now: now)
        }
    }

    /// Closes idle connections at once and the others after their response; completes when none is left.
    func stop() -> EventLoopFuture<Void> {
        eventLoop.flatSubmit {
            self.isStopping = true
            for connection in Array(self.connections.values) {
                connection.closeIfIdle()
            }
            guard !self.connections.isEmpty else { return self.eventLoop.makeSucceededVoidFuture() }
            let promise = self.emptied ?? self.eventLoop.makePromise(of: Void.self)
            self.emptied = promise
            return promise.futureResult
        }
    }

    func closeAll() {
        eventLoop.execute {
            for connection in Array(self.connections.values) {
                connection.closeNow()
            }
        }
    }
}
