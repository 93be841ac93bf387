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

/// What the project's figures are compared with: NIOHTTP1's own server pipeline and a handler that answers a constant, or a file.
@main
struct HTTPBaseline: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "http-baseline", abstract: "Answers every request with a constant.")

    @Option(help: "Port on 127.0.0.1; 0 for a free one.") var port = 0
    @Option(help: "Event loops.") var loops = 1
    @Option(help: "Bytes of the body.") var bodySize = 1024
    @Option(help: "Answers the content of this file instead.") var file: String?

    func run() async throws {
        let body = ByteBuffer(repeating: UInt8(ascii: "x"), count: bodySize)
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup(numberOfThreads: loops))
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    if let file {
                        try channel.pipeline.syncOperations.addHandler(FileHandler(path: file))
                    } else {
                        try channel.pipeline.syncOperations.addHandler(ConstantHandler(body: body))
                    }
                }
            }
            .bind(host: "127.0.0.1", port: port).get()
        print("ready", channel.localAddress?.port ?? port)
        // Whoever started it waits for this line, and a pipe is not flushed by lines.
        fflush(nil)
        try await channel.closeFuture.get()
    }
}

/// Reads the file on NIO's pool, a piece at a time, and sends each when the one before it has gone.
private final class FileHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let path: String

    init(path: String) { self.path = path }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .end = unwrapInboundIn(data) else { return }
        let files = NonBlockingFileIO(threadPool: .singleton)
        let (channel, path) = (context.channel, path)
        let loop = context.eventLoop
        files.openFile(_deprecatedPath: path, eventLoop: loop).flatMap { handle, region in
            let headers: HTTPHeaders = [
                "Content-Type": "application/octet-stream", "Content-Length": "\(region.readableBytes)",
            ]
            channel.write(HTTPServerResponsePart.head(.init(version: .http1_1, status: .ok, headers: headers)), promise: nil)
            return files.readChunked(
                fileRegion: region, chunkSize: 128 << 10, allocator: channel.allocator, eventLoop: loop
            ) { piece in
                channel.writeAndFlush(HTTPServerResponsePart.body(.byteBuffer(piece)))
            }.flatMap { channel.writeAndFlush(HTTPServerResponsePart.end(nil)) }
                .always { _ in try? handle.close() }
        }.whenFailure { _ in channel.close(promise: nil) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
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
