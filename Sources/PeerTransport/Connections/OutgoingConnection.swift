import Logging
import NIOCore

/// Why a dial came to no connection, where nobody else says so.
enum PeerDialFault: Error {
    case handshakeTimeout
    case closedInHandshake
    /// The peer was started anew after the leading lane was connected: that ends too, and begins again.
    case otherVersionThanLeading
}

/// A connection that this node dials: says hello, waits for the welcome, then only sends. On the lanes that follow another it takes
/// frames before it is open, because that one has found out the version already.
///
/// Frames gather in `outbox` until they are flushed, small ones as copies, so that a burst is one write; a large body goes out as it is,
/// in the same vectored write.
///
/// Confined to the loop of its channel, which is the transport's.
final class OutgoingConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum Phase {
        /// Being dialled, or in its handshake.
        case opening
        case open
        case closed
    }

    /// What one write to the channel holds.
    private struct Load {
        var frameCount = 0
        var byteCount = 0
    }

    /// Bodies up to this size are copied behind their header.
    private static let copiedByteCountMax = 4 << 10
    private static let outboxByteCountMax = 64 << 10

    let route: PeerRoute
    private let transport: PeerTransport
    /// Whom the handshake is to find; the incarnation nil: whichever answers.
    private let expected: (node: UInt64, incarnation: UInt64?)
    private(set) var peer: PeerIdentity?
    /// In which to send; nil while that is not known.
    private(set) var version: UInt16?

    private var phase = Phase.opening
    private var context: ChannelHandlerContext?
    private var reader = PeerHandshakeReader()
    private var timeout: Scheduled<Void>?

    /// Frames for when it is open.
    private var early: [(body: ByteBuffer, rest: ByteBuffer?)] = []
    private var outbox = ByteBuffer()
    private var outboxLoad = Load()
    /// What `outbox` holds has been handed to the channel: it is to be emptied before more is put in.
    private var isOutboxWritten = false
    /// Written and not gone, in order.
    private var loads = CircularBuffer<Load>()
    /// All that has not gone, wherever it is.
    private var queued = Load()
    private var isMarked = false

    /// Bytes handed to the channel so far.
    private var writtenByteCount = 0
    private var progress: (byteCount: Int, at: NIODeadline) = (0, .distantPast)

    /// - Parameter version: that of the lane that leads; for that itself nil.
    init(route: PeerRoute, incarnation: UInt64?, version: UInt16?, transport: PeerTransport) {
        self.route = route
        self.version = version
        self.transport = transport
        expected = (route.node, incarnation)
    }

    var isOpen: Bool { phase == .open }
    var isClosed: Bool { phase == .closed }

    // MARK: The channel

    /// The channel is connected.
    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        progress.at = .now()
        let time = TimeAmount.milliseconds(transport.settings.handshakeMilliseconds)
        timeout = context.eventLoop.assumeIsolated().scheduleTask(in: time) { [self] in
            transport.counts.handshakeTimeouts += 1
            transport.failed(self, PeerDialFault.handshakeTimeout)
        }
        let hello = PeerHandshake(
            .hello(route.lane), versions: transport.settings.versions, sender: transport.identity, receiverNode: expected.node,
            receiverIncarnation: expected.incarnation)
        context.writeAndFlush(wrapOutboundOut(hello.encoded()), promise: nil)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        timeout?.cancel()
        self.context = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard phase != .closed else { return }
        var input = unwrapInboundIn(data)
        do throws(PeerWireFault) {
            guard phase == .opening else { throw .unexpectedBytes }
            guard let answer = try reader.next(from: &input) else { return }
            guard input.readableBytes == 0 else { throw .unexpectedBytes }
            try take(answer)
        } catch {
            transport.broke(self, error, address: context.remoteAddress)
        }
    }

    private func take(_ answer: PeerHandshake) throws(PeerWireFault) {
        switch answer.kind {
        case .hello: throw .malformedHandshake
        case .refusal(let reason): transport.refused(self, by: answer.sender, reason)
        case .welcome(let lane):
            let version = answer.versions.lowerBound
            guard lane == route.lane, version == answer.versions.upperBound, transport.settings.versions.contains(version)
            else { throw .malformedHandshake }
            if let reason = transport.refusal(ofAnswer: answer.sender, expected: expected) {
                return transport.refused(self, answer.sender, reason)
            }
            guard self.version ?? version == version else {
                return transport.failed(self, PeerDialFault.otherVersionThanLeading)
            }
            open(answer.sender, version)
        }
    }

    private func open(_ peer: PeerIdentity, _ version: UInt16) {
        timeout?.cancel()
        self.peer = peer
        self.version = version
        phase = .open
        transport.opened(self, peer, version)
        let waiting = early
        early = []
        for (body, rest) in waiting { write(body, rest) }
        flush()
    }

    func channelInactive(context: ChannelHandlerContext) {
        if phase != .closed { transport.ended(self) }
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if phase == .opening { transport.logTrouble(self, error) }
        context.close(promise: nil)
    }

    /// Ends it without a word to the owner.
    func close() {
        guard phase != .closed else { return }
        phase = .closed
        timeout?.cancel()
        transport.dropped(early.count, on: route)
        early = []
        context?.close(promise: nil)
    }

    // MARK: Frames

    /// - Returns: false if the frame is dropped: too much is waiting already, or it is not known yet how it would have to be encoded.
    func send(_ body: ByteBuffer, _ rest: ByteBuffer?) -> Bool {
        let byteCount = PeerFrame.headerByteCount + body.readableBytes + (rest?.readableBytes ?? 0)
        let settings = transport.settings
        guard phase != .closed, version != nil, queued.frameCount < settings.queueCountMax[route.lane],
            queued.byteCount == 0 || queued.byteCount + byteCount <= settings.queueByteCountMax[route.lane]
        else { return false }
        queued.frameCount += 1
        queued.byteCount += byteCount
        guard phase == .open else {
            early.append((body, rest))
            return true
        }
        write(body, rest)
        if !isMarked {
            isMarked = true
            transport.marked.append(self)
        }
        return true
    }

    private func write(_ body: ByteBuffer, _ rest: ByteBuffer?) {
        let bodyByteCount = body.readableBytes + (rest?.readableBytes ?? 0)
        route.traffic.framesSent += 1
        route.traffic.bytesSent += UInt64(PeerFrame.headerByteCount + bodyByteCount)
        prepareOutbox()
        PeerFrame.writeHeader(of: body, rest, into: &outbox)
        outboxLoad.frameCount += 1
        outboxLoad.byteCount += PeerFrame.headerByteCount
        if bodyByteCount <= Self.copiedByteCountMax {
            outbox.writeImmutableBuffer(body)
            if let rest { outbox.writeImmutableBuffer(rest) }
            outboxLoad.byteCount += bodyByteCount
        } else {
            writeOutbox()
            write(body, Load(frameCount: 0, byteCount: body.readableBytes))
            if let rest { write(rest, Load(frameCount: 0, byteCount: rest.readableBytes)) }
        }
        if outboxLoad.byteCount > Self.outboxByteCountMax { writeOutbox() }
    }

    func flush() {
        isMarked = false
        guard phase == .open else { return }
        writeOutbox()
        context?.flush()
    }

    private func prepareOutbox() {
        guard isOutboxWritten else { return }
        // Mostly the channel is done with the memory by now, so that this allocates nothing.
        outbox.clear()
        isOutboxWritten = false
    }

    private func writeOutbox() {
        guard outboxLoad.byteCount > 0 else { return }
        let load = outboxLoad
        outboxLoad = Load()
        isOutboxWritten = true
        write(outbox, load)
    }

    private func write(_ buffer: ByteBuffer, _ load: Load) {
        guard let context, load.byteCount > 0 else { return }
        loads.append(load)
        writtenByteCount += load.byteCount
        let promise = context.eventLoop.makePromise(of: Void.self)
        promise.futureResult.assumeIsolated().whenComplete { [self] _ in
            // Writes end in their order.
            guard let load = loads.popFirst() else { return }
            queued.frameCount -= load.frameCount
            queued.byteCount -= load.byteCount
        }
        context.write(wrapOutboundOut(buffer), promise: promise)
    }

    // MARK: Stalls

    /// Something is waiting, and for the time of the settings nothing of it has gone.
    func isStalled(now: NIODeadline) -> Bool {
        guard phase == .open, let options = context?.channel.syncOptions,
            let unsent = try? options.getOption(.bufferedWritableBytes)
        else { return false }
        let gone = writtenByteCount - unsent
        if unsent == 0 || gone > progress.byteCount {
            progress = (gone, now)
            return false
        }
        return now - progress.at >= .milliseconds(transport.settings.stallMilliseconds)
    }
}
