import HTTPServer
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import Testing

@Suite(.timeLimit(.minutes(1))) struct StartAndStopTests {
    private let quiet = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

    @Test("A second server on the same address is told so")
    func addressInUse() async throws {
        try await withServer(answer: { _ in .text("x") }) { _, port in
            let second = HTTPServer(
                configuration: .init(host: "127.0.0.1", port: port), handler: ClosureHandler(answer: { _ in .text("y") }),
                eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: quiet)
            await #expect(throws: HTTPServerError.addressInUse(host: "127.0.0.1", port: port)) { try await second.start() }
            #expect("\(HTTPServerError.addressInUse(host: "h", port: 9000))".contains("h:9000"))
        }
    }

    @Test("A stop lets the response in flight finish, closes idle connections at once, and takes no new ones")
    func graceful() async throws {
        let started = Gate()
        let release = Gate()
        try await withServer(answer: { request in
            if request.target == "/slow" {
                started.open()
                await release.wait()
            }
            return .text(request.target)
        }) { server, port in
            let idle = try await RawClient(port: port)
            try await idle.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            #expect(try await idle.receiveResponse().status == 200)
            let busy = try await RawClient(port: port)
            try await busy.send("GET /slow HTTP/1.1\r\nHost: h\r\n\r\n")
            await started.wait()

            let stopping = Task { await server.stop(gracefully: .seconds(50)) }
            #expect(await idle.receiveToEnd() == "")
            await #expect(throws: (any Error).self) { try await RawClient(port: port) }
            release.open()
            let response = try await busy.receiveResponse()
            #expect(response.text == "/slow")
            #expect(response.headers["Connection"] == ["close"])
            #expect(await busy.receiveToEnd() == "")
            await stopping.value
            #expect(server.statistics.connectionsOpen == 0)
        }
    }

    @Test("What is not done within the grace time is cut off and cancelled")
    func graceExpires() async throws {
        let started = Gate()
        let cancelled = Gate()
        try await withServer(answer: { _ in
            started.open()
            while !Task.isCancelled { try? await Task.sleep(for: .seconds(60)) }
            cancelled.open()
            return .text("x")
        }) { server, port in
            let client = try await RawClient(port: port)
            try await client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            await started.wait()
            await server.stop(gracefully: .milliseconds(50))
            await cancelled.wait()
            #expect(await client.receiveToEnd() == "")
        }
    }

    /// A response that the handler had finished but that was still on its way was cut when the server stopped: its connection
    /// counted as idle.
    @Test("A stop waits for a response that is still on its way to a slow client")
    func unsentResponse() async throws {
        let byteCount = 64 << 20
        try await withServer(answer: { _ in
            HTTPResponse(status: .ok, headers: [:], body: .bytes(ByteBuffer(repeating: 1, count: byteCount)))
        }) { server, port in
            let client = try await RawClient(port: port)
            try await client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            #expect(try await client.receiveHead().status == 200)
            let stopping = Task { await server.stop(gracefully: .seconds(50)) }
            #expect(try await client.receive(byteCount: byteCount).readableBytes == byteCount)
            await stopping.value
        }
    }
}
