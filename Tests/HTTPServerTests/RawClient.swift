import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

/// A client that sends and receives bytes as they are: it can say what no HTTP library would. Used by one task.
final class RawClient {
    let channel: any Channel
    private var chunks: AsyncStream<ByteBuffer>.Iterator
    private var received = ByteBuffer()
    private(set) var isClosed = false

    /// - Parameter readsByItself: without, the client reads only when `receive…` wants more.
    init(port: Int, tls: NIOSSLContext? = nil, receiveBufferByteCount: Int? = nil, readsByItself: Bool = true) async throws {
        let (stream, continuation) = AsyncStream.makeStream(of: ByteBuffer.self)
        var bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.autoRead, value: readsByItself)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls {
                        try channel.pipeline.syncOperations.addHandler(
                            NIOSSLClientHandler(context: tls, serverHostname: "localhost"))
                    }
                    try channel.pipeline.syncOperations.addHandler(RawClientHandler(continuation: continuation))
                }
            }
        if let receiveBufferByteCount {
            bootstrap = bootstrap.channelOption(.socketOption(.so_rcvbuf), value: .init(receiveBufferByteCount))
        }
        channel = try await bootstrap.connect(host: "127.0.0.1", port: port).get()
        chunks = stream.makeAsyncIterator()
    }

    func send(_ text: String) async throws {
        try await send(ByteBuffer(string: text))
    }

    func send(_ bytes: ByteBuffer) async throws {
        try await channel.writeAndFlush(bytes)
    }

    func close() async throws {
        try await channel.close()
    }

    /// Reads once more; `false` when the server has closed.
    func receiveMore() async -> Bool {
        channel.read()
        guard let chunk = await chunks.next(isolation: #isolation) else {
            isClosed = true
            return false
        }
        received.writeImmutableBuffer(chunk)
        return true
    }

    /// Everything up to the server's close, parsed or not.
    func receiveToEnd() async -> String {
        while await receiveMore() {}
        return received.readString(length: received.readableBytes) ?? ""
    }

    struct Response: Equatable {
        var status = 0
        var headers = HTTPHeaders()
        var body = ByteBuffer()
        var text: String { String(buffer: body) }
    }

    struct Broken: Error, CustomStringConvertible {
        var description: String
    }

    /// The next response, whole.
    func receiveResponse(toHead: Bool = false) async throws -> Response {
        var response = try await receiveHead()
        if toHead || response.status == 204 || response.status == 304 || response.status < 200 {
            return response
        }
        if response.headers.contains(name: "Transfer-Encoding") {
            while true {
                let line = try await receiveLine()
                guard let size = Int(line, radix: 16) else { throw Broken(description: "chunk size '\(line)'") }
                response.body.writeImmutableBuffer(try await receive(byteCount: size))
                guard try await receiveLine() == "" else { throw Broken(description: "no line end after a chunk") }
                if size == 0 { return response }
            }
        }
        guard let length = response.headers.first(name: "Content-Length").flatMap({ Int($0) }) else {
            throw Broken(description: "no length in \(response.headers)")
        }
        response.body = try await receive(byteCount: length)
        return response
    }

    func receiveHead() async throws -> Response {
        let statusLine = try await receiveLine()
        let words = statusLine.split(separator: " ", maxSplits: 2)
        guard words.count >= 2, words[0] == "HTTP/1.1", let status = Int(words[1]) else {
            throw Broken(description: "status line '\(statusLine)'")
        }
        var response = Response(status: status)
        while true {
            let line = try await receiveLine()
            if line.isEmpty { return response }
            guard let colon = line.firstIndex(of: ":") else { throw Broken(description: "header '\(line)'") }
            response.headers.add(
                name: String(line[..<colon]), value: line[line.index(after: colon)...].trimmingPrefix(" ").description)
        }
    }

    func receive(byteCount: Int) async throws -> ByteBuffer {
        while received.readableBytes < byteCount {
            guard await receiveMore() else { throw Broken(description: "closed within a body") }
        }
        defer { received.discardReadBytes() }
        guard let bytes = received.readSlice(length: byteCount) else { throw Broken(description: "unreachable") }
        return bytes
    }

    private func receiveLine() async throws -> String {
        while true {
            let view = received.readableBytesView
            if let end = view.firstIndex(of: UInt8(ascii: "\n")) {
                let line = received.readString(length: end - view.startIndex + 1) ?? ""
                guard line.utf8.suffix(2).elementsEqual("\r\n".utf8) else { throw Broken(description: "bare line feed") }
                return String(line.dropLast())
            }
            guard await receiveMore() else { throw Broken(description: "closed within a head") }
        }
    }
}

private final class RawClientHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let continuation: AsyncStream<ByteBuffer>.Continuation

    init(continuation: AsyncStream<ByteBuffer>.Continuation) {
        self.continuation = continuation
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        continuation.yield(unwrapInboundIn(data))
    }

    func channelInactive(context: ChannelHandlerContext) {
        continuation.finish()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
