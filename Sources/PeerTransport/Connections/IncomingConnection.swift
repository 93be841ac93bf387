import NIOCore

/// A connection that was accepted: waits for the opening and the hello, answers, then only receives.
///
/// Confined to the loop of its channel, which is the transport's.
final class IncomingConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum Phase {
        /// The lane is not known: bytes are not yet TLS'.
        case opening
        case handshaking
        case open
        case closed
    }

    private let transport: PeerTransport
    private var phase: Phase
    private var context: ChannelHandlerContext?
    /// Where a close does not wait for TLS.
    private var belowTLS: ChannelHandlerContext?
    /// Of the opening what has come; of a connection that was moved here what came behind it.
    private var early: ByteBuffer
    private var reader = PeerHandshakeReader()
    private var decoder = PeerFrameDecoder(byteCountMax: 0)
    private var timeout: Scheduled<Void>?
    /// `readCompleted` is due.
    private var hasReceived = false

    private(set) var peer = PeerIdentity(cluster: nil, node: 0, incarnation: 0)
    /// As the opening says, once it is here.
    private(set) var lane: PeerLane
    private(set) var version: UInt16 = 0
    /// Where it comes from, without the port; empty if that is not known.
    private(set) var source = ""
    /// Frames received, and their bytes with headers.
    private(set) var frameCount: UInt64 = 0
    private(set) var byteCount: UInt64 = 0

    /// - Parameter moved: the connection was accepted on another loop, which has read its opening and the bytes behind it.
    init(transport: PeerTransport, moved: (lane: PeerLane, rest: ByteBuffer)? = nil) {
        self.transport = transport
        phase = moved == nil ? .opening : .handshaking
        lane = moved?.lane ?? transport.lanes[0]
        early = moved?.rest ?? ByteBuffer()
    }

    var isOpen: Bool { phase == .open }
    var isHandshaking: Bool { phase == .opening || phase == .handshaking }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        timeout = transport.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(transport.settings.handshakeMilliseconds))
        {
            [self] in
            transport.timedOut(self, address: context.remoteAddress)
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        timeout?.cancel()
        self.context = nil
        belowTLS = nil
    }

    func channelActive(context: ChannelHandlerContext) {
        source = context.channel.remoteAddress?.ipAddress ?? ""
        context.fireChannelActive()
        guard phase == .handshaking else { return }
        // On a turn of its own: TLS begins only when all handlers know that the channel is active.
        context.eventLoop.assumeIsolated().execute { [self] in replay() }
    }

    /// What came before the connection was moved here goes through TLS first; only then the socket is read.
    private func replay() {
        guard phase == .handshaking, let context else { return }
        let moved = early
        early = ByteBuffer()
        context.pipeline.fireChannelRead(moved)
        context.pipeline.fireChannelReadComplete()
        do { try context.channel.syncOptions?.setOption(.autoRead, value: true) } catch { close() }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var input = unwrapInboundIn(data)
        do throws(PeerWireFault) {
            if phase == .opening {
                early.writeBuffer(&input)
                guard let lane = try PeerOpening.lane(from: &early) else { return }
                (input, early) = (early, ByteBuffer())
                self.lane = lane
                guard begin(context, &input) else { return }
            }
            if phase == .handshaking {
                guard let hello = try reader.next(from: &input) else { return }
                guard hello.kind == .hello(lane) else { throw .malformedHandshake }
                timeout?.cancel()
                transport.answer(self, hello, lane: lane)
            }
            // What is received may lead to the end of this very connection.
            while phase == .open, let body = try decoder.next(from: &input) {
                frameCount += 1
                byteCount += UInt64(PeerFrame.headerByteCount + body.readableBytes)
                hasReceived = true
                guard let delegate = transport.delegate else { return }
                guard delegate.received(body, from: peer, lane: lane, version: version) else { throw .unreadableBody }
            }
        } catch {
            transport.broke(self, error, address: context.remoteAddress)
        }
    }

    /// The lane is known: from here on bytes are TLS' if there is TLS, and another loop's if the lane has one.
    ///
    /// - Returns: whether `rest`, what came behind the opening, is still to be read here.
    private func begin(_ context: ChannelHandlerContext, _ rest: inout ByteBuffer) -> Bool {
        guard transport.lanes.contains(lane) else {
            transport.move(self, context.channel, rest)
            return false
        }
        phase = .handshaking
        guard let tls = transport.tls else { return true }
        do {
            try secure(context.pipeline.syncOperations, tls)
            context.pipeline.fireChannelRead(rest)
        } catch {
            transport.failed(self, error, address: context.remoteAddress)
            close()
        }
        return false
    }

    /// Puts TLS before this handler.
    func secure(_ pipeline: ChannelPipeline.SynchronousOperations, _ tls: PeerTransportTLS) throws {
        let handler = tls.serverHandler()
        try pipeline.addHandler(handler, position: .before(self))
        belowTLS = try pipeline.context(handler: handler)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if hasReceived {
            hasReceived = false
            transport.delegate?.readCompleted()
        }
        context.fireChannelReadComplete()
    }

    func channelInactive(context: ChannelHandlerContext) {
        let wasOpen = phase == .open
        phase = .closed
        timeout?.cancel()
        transport.ended(self, wasOpen: wasOpen)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        transport.failed(self, error, address: context.remoteAddress)
        context.close(promise: nil)
    }

    func open(_ peer: PeerIdentity, version: UInt16) {
        self.peer = peer
        self.version = version
        decoder = PeerFrameDecoder(byteCountMax: transport.settings.frameByteCountMax[lane])
        phase = .open
        send(.welcome(lane), versions: version...version, to: peer.node, peer.incarnation)
    }

    func refuse(_ reason: PeerRefusal, node: UInt64, incarnation: UInt64?) {
        phase = .closed
        timeout?.cancel()
        send(.refusal(reason), versions: transport.settings.versions, to: node, incarnation)
        context?.close(promise: nil)
    }

    private func send(_ kind: PeerHandshake.Kind, versions: ClosedRange<UInt16>, to node: UInt64, _ incarnation: UInt64?) {
        let answer = PeerHandshake(
            kind, versions: versions, sender: transport.identity, receiverNode: node, receiverIncarnation: incarnation)
        context?.writeAndFlush(wrapOutboundOut(answer.encoded()), promise: nil)
    }

    /// Ends it without a word to the owner.
    func close() {
        guard phase != .closed else { return }
        // Nobody is there who would answer a farewell of TLS, and until then the connection would count.
        let end = isHandshaking ? belowTLS ?? context : context
        phase = .closed
        timeout?.cancel()
        end?.close(promise: nil)
    }
}
