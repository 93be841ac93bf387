import Logging
import NIOCore
import NIOHTTP1
import NIOSSL

/// One client's connection: takes decoded heads and bodies, runs the handler for one request after the other, gives the responses to
/// the encoder. It is the last of its channel's handlers:
///
/// ```
///   socket (TLS) ◄──► HTTPByteGuard ──► HTTPRequestDecoder ──► HTTPConnection
///                          ▲──────── HTTPResponseEncoder ◄──────────┘
/// ```
///
/// ```
///                      head, small body                     response, body read
///   awaitingHead ─────► collecting ─────► responding ───────────────────────────► awaitingHead
///        │  head, large body                ▲     │ response, little of the body left
///        ├──────────────────────────────────┘     ├──► draining ────────────────► awaitingHead
///        │ not HTTP, a limit, too slow            │ last response
///        └────────────────► closing ◄─────────────┘
///                              │ flushed
///                              ├──► lingering (input is still arriving: discard it, so that the response is read before a reset)
///                              └──► closed
/// ```
///
/// Requests are answered in order because the guard lets no next head pass before the last response is written; what a client
/// pipelines stays in the socket but for one read. Nothing is read while nothing is wanted (`wantsInput`).
///
/// `@unchecked Sendable`: all state is touched on `loop.eventLoop` only. The pipeline calls there, the timer runs there, requests'
/// tasks start there and are bound to it by their executor; `HTTPConnectionBody` and `HTTPConnectionWriter`, which handlers may use
/// from elsewhere, hop to it before they touch the connection.
final class HTTPConnection: ChannelInboundHandler, @unchecked Sendable {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    enum Phase {
        case awaitingHead
        case collecting
        case responding
        case draining
        case closing
        case lingering
        case closed
    }

    let loop: HTTPServerLoop
    let input: HTTPByteGuard
    let isSecure: Bool
    private let isRefused: Bool

    var context: ChannelHandlerContext?
    var phase = Phase.awaitingHead
    /// The request whose body is being collected.
    var pendingHead: HTTPRequestHeadFields?
    var pendingBody = ByteBuffer()
    /// The request being answered.
    var exchange = HTTPExchange()
    var remoteAddress: SocketAddress?
    /// What the client's certificate says of it; the outer nil: nobody has looked yet.
    private var peerCertificate: String??

    /// When the present phase has lasted too long (`awaitingHead`, `draining`, `closing`, `lingering`).
    var deadline: NIODeadline
    /// `deadline` is that of a head whose first byte has arrived.
    var isHeadTimed = false
    var bodyWindow = HTTPBodyWindow()
    var writeStallDeadline: NIODeadline?
    /// Unsent bytes when the deadline was last looked at; fewer at the next look is progress.
    var stalledByteCount = Int.max
    /// Bytes of the present request's body that were discarded.
    var drainedByteCount = 0

    var isWritable = true
    private var isReadOutstanding = false
    /// Parts of requests are coming in; `inputTaken()` follows.
    private var isTakingInput = false
    private var needsFlush = false

    /// - Parameter input: the guard in the same channel.
    init(loop: HTTPServerLoop, input: HTTPByteGuard, isSecure: Bool, isRefused: Bool) {
        self.loop = loop
        self.input = input
        self.isSecure = isSecure
        self.isRefused = isRefused
        deadline = loop.deadline(after: loop.timeouts.head)
    }

    // MARK: Events of the channel

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if context.channel.isActive {
            begin(context)
        }
    }

    func channelActive(context: ChannelHandlerContext) {
        begin(context)
        context.fireChannelActive()
    }

    private func begin(_ context: ChannelHandlerContext) {
        guard remoteAddress == nil else { return }
        remoteAddress = context.remoteAddress
        deadline = loop.deadline(after: loop.timeouts.head)
        if isRefused {
            loop.counters.connectionsRefused.increment()
            refuse(with: .init(status: .serviceUnavailable, headers: ["Retry-After": "1"]))
        } else if loop.isStopping {
            closeNow()
        }
        readIfWanted()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        isTakingInput = true
        switch unwrapInboundIn(data) {
        case .head(let head): receive(head)
        case .body(let bytes): receiveBody(bytes)
        case .end: receiveEnd()
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        isReadOutstanding = false
        isTakingInput = false
        inputTaken()
        context.fireChannelReadComplete()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        isWritable = context.channel.isWritable
        if isWritable {
            writeStallDeadline = nil
            exchange.resumeWriter()
            admitHead()
        } else {
            writeStallDeadline = loop.deadline(after: loop.timeouts.writeStall)
            stalledByteCount = .max
        }
        context.fireChannelWritabilityChanged()
    }

    func channelInactive(context: ChannelHandlerContext) {
        end()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        end()
        self.context = nil
    }

    /// The guard found a limit broken.
    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard let reason = event as? HTTPProtocolViolation else {
            context.fireUserInboundEventTriggered(event)
            return
        }
        if phase == .awaitingHead {
            refuse(reason)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        case HTTPParserError.invalidEOFState:
            // The client closed in the middle of a request: `channelInactive` follows.
            break
        case is HTTPParserError, is ByteToMessageDecoderError.PayloadTooLargeError:
            receiveMalformed()
        default:
            loop.logger.debug("a connection failed", metadata: ["error": "\(error)"])
            context.close(promise: nil)
        }
    }

    /// The connection is gone: whoever waits for it learns so, and the request's task is cancelled.
    private func end() {
        guard phase != .closed else { return }
        phase = .closed
        input.discard()
        forgetPending()
        let ended = exchange
        exchange = HTTPExchange()
        ended.abandon()
    }

    // MARK: Input

    /// Something that the present phase waits for can only come from the client.
    private var wantsInput: Bool {
        switch phase {
        case .awaitingHead, .collecting: isWritable
        case .responding: exchange.body?.wantsInput(limits: loop.limits) ?? (input.heldByteCount == 0)
        case .draining, .lingering: true
        case .closing, .closed: false
        }
    }

    func readIfWanted() {
        guard !isReadOutstanding, let context, wantsInput else { return }
        isReadOutstanding = true
        context.read()
    }

    /// Lets the next head pass, unless the client does not read its responses.
    func admitHead() {
        if phase == .awaitingHead, isWritable {
            input.expectHead()
        }
        takeInput()
    }

    /// Takes what the guard holds and the present phase can use. A response that is ready at once ends within, and the next request
    /// follows.
    private func takeInput() {
        let isNested = isTakingInput
        isTakingInput = true
        input.deliver()
        guard !isNested else { return }
        isTakingInput = false
        inputTaken()
    }

    /// All parts at hand have been looked at.
    private func inputTaken() {
        if needsFlush {
            needsFlush = false
            context?.flush()
        }
        if phase == .awaitingHead, isWritable, !isHeadTimed, input.hasHeadBegun {
            isHeadTimed = true
            deadline = loop.deadline(after: loop.timeouts.head)
        }
        exchange.body?.wakeReader(limits: loop.limits)
        readIfWanted()
    }

    /// The handshake is over when the first request has come.
    func certificateOfPeer() -> String? {
        if let peerCertificate { return peerCertificate }
        let certificate = try? context?.pipeline.syncOperations.nioSSL_peerCertificate()
        // Its number and names, between the brackets and behind the type's name.
        let text = certificate.map { String("\($0)".drop { $0 != ";" }.dropFirst().dropLast()) }
        peerCertificate = .some(text)
        return text
    }

    func forgetPending() {
        pendingHead = nil
        pendingBody = ByteBuffer()
    }

    /// Writes are flushed together when the input at hand is used up.
    func flushSoon() {
        if isTakingInput {
            needsFlush = true
        } else {
            context?.flush()
        }
    }
}
