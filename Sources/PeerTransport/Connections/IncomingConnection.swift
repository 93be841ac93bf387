import NIOCore

/// A connection that was accepted: waits for the hello, answers, then only receives.
///
/// Confined to the loop of its channel, which is the transport's.
final class IncomingConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum Phase {
        case handshaking
        case open
        case closed
    }

    private let transport: PeerTransport
    private var phase = Phase.handshaking
    private var context: ChannelHandlerContext?
    private var reader = PeerHandshakeReader()
    private var decoder = PeerFrameDecoder(byteCountMax: 0)
    private var timeout: Scheduled<Void>?
    /// `readCompleted` is due.
    private var hasReceived = false

    private(set) var peer = PeerIdentity(cluster: nil, node: 0, incarnation: 0)
    private(set) var lane = PeerLane.control
    private(set) var version: UInt16 = 0
    /// Frames received, and their bytes with headers.
    private(set) var frameCount: UInt64 = 0
    private(set) var byteCount: UInt64 = 0

    init(transport: PeerTransport) {
        self.transport = transport
    }

    var isOpen: Bool { phase == .open }
    var isHandshaking: Bool { phase == .handshaking }

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
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var input = unwrapInboundIn(data)
        do throws(PeerWireFault) {
            if phase == .handshaking {
                guard let hello = try reader.next(from: &input) else { return }
                guard case .hello(let lane) = hello.kind else { throw .malformedHandshake }
                timeout?.cancel()
                transport.answer(self, hello, lane: lane)
            }
            // What is received may lead to the end of this very connection.
            while phase == .open, let body = try decoder.next(from: &input) {
                frameCount += 1
                byteCount += UInt64(PeerFrame.headerByteCount + body.readableBytes)
                hasReceived = true
                transport.delegate?.received(body, from: peer, lane: lane, version: version)
            }
        } catch {
            transport.broke(self, error, address: context.remoteAddress)
        }
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

    func open(_ peer: PeerIdentity, lane: PeerLane, version: UInt16) {
        self.peer = peer
        self.lane = lane
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
        phase = .closed
        timeout?.cancel()
        context?.close(promise: nil)
    }
}
