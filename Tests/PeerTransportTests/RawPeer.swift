import NIOCore
import NIOPosix
import PeerTransport
import Synchronization
import Testing

/// A connection to a node that sends whatever a test wants, and keeps what comes back.
final class RawPeer: Sendable {
    private struct State {
        var received = ByteBuffer()
        var isClosed = false
    }

    private final class Handler: ChannelInboundHandler, Sendable {
        typealias InboundIn = ByteBuffer
        let state = Mutex(State())

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let bytes = unwrapInboundIn(data)
            state.withLock { _ = $0.received.writeImmutableBuffer(bytes) }
        }

        func channelInactive(context: ChannelHandlerContext) { state.withLock { $0.isClosed = true } }
        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }

    private let channel: any Channel
    private let handler: Handler

    /// - Parameter opening: what it says at once; nil: nothing.
    init(port: Int, opening: PeerLane? = .control) async throws {
        let handler = Handler()
        self.handler = handler
        channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in channel.pipeline.addHandler(handler) }
            .connect(host: "127.0.0.1", port: port).get()
        if let opening { try await send(PeerOpening.encoded(opening)) }
    }

    /// As a node that greets `receiver`, and is welcome.
    convenience init(
        greeting receiver: TestNode, as node: UInt64, incarnation: UInt64? = nil, lane: PeerLane = .control,
        versions: ClosedRange<UInt16> = 1...1
    ) async throws {
        try await self.init(port: receiver.port, opening: lane)
        try await send(Self.hello(to: receiver.node, as: node, incarnation: incarnation, lane: lane, versions: versions))
        try await waitUntil { handler.state.withLock { $0.received.readableBytes == PeerHandshake.byteCount } }
        #expect(try answer?.kind == .welcome(lane))
    }

    static func hello(
        to receiver: UInt64, as node: UInt64, incarnation: UInt64? = nil, lane: PeerLane = .control,
        versions: ClosedRange<UInt16> = 1...1
    ) -> ByteBuffer {
        PeerHandshake(
            .hello(lane), versions: versions,
            sender: PeerIdentity(cluster: 7, node: node, incarnation: incarnation ?? node * 10),
            receiverNode: receiver, receiverIncarnation: nil
        ).encoded()
    }

    var isClosed: Bool { handler.state.withLock { $0.isClosed } }
    var received: ByteBuffer { handler.state.withLock { $0.received } }

    var answer: PeerHandshake? {
        get throws {
            var (reader, bytes) = (PeerHandshakeReader(), received)
            return try reader.next(from: &bytes)
        }
    }

    /// The other end may close before all is written.
    func send(_ bytes: ByteBuffer) async throws { try? await channel.writeAndFlush(bytes).get() }
    func send(_ bytes: [UInt8]) async throws { try await send(ByteBuffer(bytes: bytes)) }
    func close() async throws { try? await channel.close().get() }
}

/// Accepts connections as a node, welcomes them, and reads nothing after that.
final class SilentPeer: Sendable {
    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        private let node: UInt64
        private let count: @Sendable () -> Void
        private var received = ByteBuffer()
        private var lane: PeerLane?
        private var reader = PeerHandshakeReader()

        init(node: UInt64, count: @escaping @Sendable () -> Void) {
            self.node = node
            self.count = count
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            received.writeImmutableBuffer(unwrapInboundIn(data))
            if lane == nil { lane = try? PeerOpening.lane(from: &received) }
            guard let lane, let hello = try? reader.next(from: &received), hello.kind == .hello(lane) else { return }
            context.channel.setOption(.autoRead, value: false).whenFailure { Issue.record($0) }
            let welcome = PeerHandshake(
                .welcome(lane), versions: 1...1, sender: PeerIdentity(cluster: 7, node: node, incarnation: node * 10),
                receiverNode: hello.sender.node, receiverIncarnation: hello.sender.incarnation)
            context.writeAndFlush(wrapOutboundOut(welcome.encoded()), promise: nil)
            if lane == .control { count() }
        }
    }

    private let channel: any Channel
    private let count: SharedCount

    init(node: UInt64) async throws {
        let count = SharedCount()
        self.count = count
        channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Handler(node: node) { count.add() })
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
    }

    /// Control connections so far.
    var welcomeCount: Int { count.value }
    var address: String { "127.0.0.1:\(channel.localAddress?.port ?? 0)" }
    func close() async throws { try await channel.close().get() }
}

final class SharedCount: Sendable {
    private let state = Mutex(0)
    var value: Int { state.withLock { $0 } }
    func add() { state.withLock { $0 += 1 } }
}

/// Accepts connections and answers what no peer answers.
final class GarbageAcceptor: Sendable {
    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        func channelActive(context: ChannelHandlerContext) {
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: "220 mail.example ESMTP\r\n")), promise: nil)
        }
    }

    private let channel: any Channel
    let count: SharedCount

    init() async throws {
        let count = SharedCount()
        self.count = count
        channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    count.add()
                    try channel.pipeline.syncOperations.addHandler(Handler())
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
    }

    var address: String { "127.0.0.1:\(channel.localAddress?.port ?? 0)" }
    func close() async throws { try await channel.close().get() }
}
