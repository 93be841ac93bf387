import ArgumentParser
import NIOCore
import NIOHTTP1
import NIOPosix

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// What the project's figures are compared with: NIOHTTP1's own server pipeline and a handler that answers a constant.
@main
struct HTTPBaseline: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "http-baseline", abstract: "Answers every request with a constant.")

    @Option(help: "Port on 127.0.0.1; 0 for a free one.") var port = 0
    @Option(help: "Event loops.") var loops = 1
    @Option(help: "Bytes of the body.") var bodySize = 1024

    func run() async throws {
        let body = ByteBuffer(repeating: UInt8(ascii: "x"), count: bodySize)
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup(numberOfThreads: loops))
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(ConstantHandler(body: body))
                }
            }
            .bind(host: "127.0.0.1", port: port).get()
        print("ready", channel.localAddress?.port ?? port)
        // Whoever started it waits for this line, and a pipe is not flushed by lines.
        fflush(nil)
        try await channel.closeFuture.get()
    }
}

private final class ConstantHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let body: ByteBuffer
    private let headers: HTTPHeaders
    private var isHead = false

    init(body: ByteBuffer) {
        self.body = body
        headers = ["Content-Type": "application/octet-stream", "Content-Length": "\(body.readableBytes)"]
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let part = unwrapInboundIn(data)
        if case .head(let head) = part { isHead = head.method == .HEAD }
        guard case .end = part else { return }
        context.write(wrapOutboundOut(.head(.init(version: .http1_1, status: .ok, headers: headers))), promise: nil)
        if !isHead { context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil) }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
