import HTTPServer
import NIOCore
import NIOHTTP1
import Testing

@Suite(.timeLimit(.minutes(1))) struct LimitTests {
    struct Violation: CustomTestStringConvertible {
        var request: RequestText
        var status: Int
        var reason: String
        var testDescription: String { "\(reason): \(request.testDescription)" }

        init(_ request: RequestText, _ status: Int, _ reason: String) {
            self.request = request
            self.status = status
            self.reason = reason
        }

        static let start: RequestText = "GET / HTTP/1.1\r\nHost: h\r\n"

        static let all: [Violation] = [
            Violation("GET /" + .repeating("k", 20_000) + " HTTP/1.1\r\nHost: h\r\n\r\n", 414, "requestLineTooLong"),
            Violation(start + "X: " + .repeating("v", 70_000) + "\r\n\r\n", 431, "headersTooLarge"),
            Violation(start + .repeating("a: b\r\n", 200) + "\r\n", 431, "tooManyHeaders"),
            Violation(start + .repeating("a: b\r\n", 100_000) + "\r\n", 431, "tooManyHeaders"),
            Violation(start + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "malformedRequest"),
            Violation("\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}", 400, "malformedRequest"),
            Violation(.repeating("\u{7F}\u{1}\n\r", 100_000), 400, "malformedRequest"),
        ]
    }

    @Test("What breaks a limit gets its status, and the connection ends", arguments: Violation.all)
    func limits(violation: Violation) async throws {
        try await withServer(answer: { _ in .text("answered") }) { server, port in
            let client = try await RawClient(port: port)
            // The server may close before all is sent.
            try? await client.send(violation.request.text)
            let response = try await client.receiveResponse()
            #expect(response.status == violation.status)
            #expect(response.text == violation.reason)
            #expect(response.headers["Connection"] == ["close"])
            #expect(await client.receiveToEnd() == "")
            #expect(server.statistics.violations == 1)
        }
    }

    @Test(
        "A header without end is refused long before it fills memory",
        arguments: ["GET /", "GET / HTTP/1.1\r\nX: ", "GET / HTTP/1.1\r\nX:"])
    func endless(start: String) async throws {
        try await withServer({ $0.timeouts.linger = .milliseconds(50) }, answer: { _ in .text("answered") }) { server, port in
            let client = try await RawClient(port: port)
            try await client.send(start)
            let sending = Task { [channel = client.channel] in
                let bytes = ByteBuffer(repeating: start.hasSuffix(":") ? 0x20 : 0x61, count: 1 << 16)
                while (try? await channel.writeAndFlush(bytes)) != nil {}
            }
            let response = try await client.receiveResponse()
            #expect(response.status == (start == "GET /" ? 414 : 431))
            await sending.value
            #expect(await client.receiveToEnd() == "")
        }
    }

    @Test("A key of 1,024 bytes, each percent-encoded, with a presigned query fits")
    func longKey() async throws {
        let target = "/bucket/\(String(repeating: "%C3", count: 1024))?X-Amz-Signature=\(String(repeating: "f", count: 2048))"
        try await withServer(answer: { .text("\($0.target == target)") }) { _, port in
            let client = try await RawClient(port: port)
            try await client.send("GET \(target) HTTP/1.1\r\nHost: h\r\n\r\n")
            #expect(try await client.receiveResponse().text == "true")
        }
    }

    @Test("A head that trickles in is cut off by time, although bytes keep coming")
    func slowHead() async throws {
        // Long enough for the client to begin, however busy the machine is.
        try await withServer({ $0.timeouts.head = .seconds(2) }, answer: { _ in .text("answered") }) { server, port in
            let client = try await RawClient(port: port)
            try await client.send("GET / HTTP/1.1\r\nHost: h\r\n")
            let sending = Task { [channel = client.channel] in
                while (try? await channel.writeAndFlush(ByteBuffer(string: "X: y\r\n"))) != nil {
                    try await Task.sleep(for: .milliseconds(20))
                }
            }
            #expect(try await client.receiveResponse().status == 408)
            #expect(await client.receiveToEnd() == "")
            _ = await sending.result
            #expect(server.statistics.timeouts == 1)
        }
    }

    @Test("A silent connection is closed without a word, new or used", arguments: [true, false])
    func idle(isUsed: Bool) async throws {
        try await withServer(
            {
                // The used one must get its request through before its time is up, however busy the machine is.
                $0.timeouts.head = .milliseconds(isUsed ? 3000 : 200)
                $0.timeouts.idle = .milliseconds(isUsed ? 3000 : 200)
            }, answer: { _ in .text("x") }
        ) { _, port in
            let client = try await RawClient(port: port)
            if isUsed {
                try await client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
                #expect(try await client.receiveResponse().status == 200)
            }
            #expect(await client.receiveToEnd() == "")
        }
    }

    @Test("A body of one byte now and then is cut off, collected or streamed", arguments: [1000, 1_000_000])
    func slowBody(byteCount: Int) async throws {
        try await withServer(
            { $0.timeouts.bodyWindow = .milliseconds(200) },
            answer: { request in
                do throws(HTTPBodyError) {
                    _ = try await collect(request.body)
                    return .text("read")
                } catch {
                    return .text("\(error)", status: .requestTimeout)
                }
            }
        ) { server, port in
            let client = try await RawClient(port: port)
            try await client.send("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: \(byteCount)\r\n\r\n")
            let sending = Task { [channel = client.channel] in
                while (try? await channel.writeAndFlush(ByteBuffer(string: "x"))) != nil {
                    try await Task.sleep(for: .milliseconds(20))
                }
            }
            let response = try await client.receiveResponse()
            #expect(response.status == 408)
            #expect(response.text == (byteCount == 1000 ? "headTimeout" : "timedOut"))
            #expect(await client.receiveToEnd() == "")
            _ = await sending.result
            #expect(server.statistics.timeouts == 1)
        }
    }

    @Test("A handler that takes its time with a body is not taken for a slow client")
    func slowHandler() async throws {
        try await withServer(
            { $0.timeouts.bodyWindow = .seconds(1) },
            answer: { request in
                guard case .streamed(let body) = request.body else { return .text("collected") }
                do throws(HTTPBodyError) {
                    var total = 0
                    while let chunk = try await body.next() {
                        total += chunk.readableBytes
                        if total < 600_000 { try? await Task.sleep(for: .milliseconds(1200)) }
                    }
                    return .text("\(total)")
                } catch {
                    return .text("\(error)")
                }
            }
        ) { _, port in
            let client = try await RawClient(port: port)
            try await client.send("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 4000000\r\n\r\n")
            try await client.send(ByteBuffer(repeating: 1, count: 4_000_000))
            #expect(try await client.receiveResponse().text == "4000000")
        }
    }

    @Test("A client that does not read its response is cut off")
    func writeStall() async throws {
        try await withServer(
            { $0.timeouts.writeStall = .milliseconds(200) },
            answer: { _ in
                HTTPResponse(status: .ok, headers: [:], body: .bytes(ByteBuffer(repeating: 1, count: 64 << 20)))
            }
        ) { server, port in
            let client = try await RawClient(port: port, receiveBufferByteCount: 64 << 10, readsByItself: false)
            try await client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            try await waitUntil { server.statistics.connectionsAccepted == 1 && server.statistics.connectionsOpen == 0 }
            #expect(server.statistics.timeouts == 1)
            try await client.close()
        }
    }

    @Test("Connections over the limit get 503, and the others go on")
    func connectionCount() async throws {
        try await withServer({ $0.limits.connectionCountMax = 3 }, answer: { _ in .text("x") }) { server, port in
            var clients: [RawClient] = []
            for _ in 1...3 {
                let client = try await RawClient(port: port)
                try await client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
                #expect(try await client.receiveResponse().status == 200)
                clients.append(client)
            }
            let refused = try await RawClient(port: port)
            // It may have been turned away before it asks.
            try? await refused.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            #expect(try await refused.receiveResponse().status == 503)
            #expect(await refused.receiveToEnd() == "")
            // A crowd far over the limit is not even answered.
            var crowd: [RawClient] = []
            for _ in 1...40 {
                crowd.append(try await RawClient(port: port))
            }
            for client in crowd {
                _ = await client.receiveToEnd()
            }
            #expect(server.statistics.connectionsRefused == 41)
            for client in clients {
                try await client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
                #expect(try await client.receiveResponse().status == 200)
            }
            try await clients[0].close()
            try await waitUntil { server.statistics.connectionsOpen == 2 }
            let admitted = try await RawClient(port: port)
            try await admitted.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            #expect(try await admitted.receiveResponse().status == 200)
        }
    }
}
