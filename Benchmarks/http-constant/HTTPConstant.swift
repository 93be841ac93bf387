import ArgumentParser
import HTTPServer
import Logging
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

/// The same constant as `http-baseline` behind the project's own HTTP server: what the server itself costs.
@main
struct HTTPConstant: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "http-constant", abstract: "Answers every request with a constant.")

    @Option(help: "Port on 127.0.0.1; 0 for a free one.") var port = 0
    @Option(help: "Event loops.") var loops = 1
    @Option(help: "Bytes of the body.") var bodySize = 1024
    @Flag(help: "Suspend once in each request, as a handler that waits for a disk does.") var suspends = false

    func run() async throws {
        let body = ByteBuffer(repeating: UInt8(ascii: "x"), count: bodySize)
        let server = HTTPServer(
            configuration: HTTPServerConfiguration(host: "127.0.0.1", port: port),
            handler: ConstantHandler(body: body, suspends: suspends),
            eventLoopGroup: MultiThreadedEventLoopGroup(numberOfThreads: loops), logger: Logger(label: "http-constant"))
        let addresses = try await server.start()
        print("ready", addresses.first?.port ?? port)
        // Whoever started it waits for this line, and a pipe is not flushed by lines.
        fflush(nil)
        while !Task.isCancelled {
            try await Task.sleep(for: .seconds(3600))
        }
    }
}

private struct ConstantHandler: HTTPRequestHandler {
    let body: ByteBuffer
    let suspends: Bool

    func respond(to request: HTTPRequest) async -> HTTPResponse {
        if suspends {
            await Task.yield()
        }
        return HTTPResponse(status: .ok, headers: ["Content-Type": "application/octet-stream"], body: .bytes(body))
    }

    func respond(toMalformed reason: HTTPProtocolViolation) -> HTTPResponse {
        HTTPResponse(status: .badRequest, headers: [:], closesConnection: true)
    }
}
