import HTTPServer
import NIOCore
import NIOHTTP1
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(2))) struct BodyTests {
    private func kind(_ body: HTTPRequestBody) -> String {
        switch body {
        case .collected: "collected"
        case .streamed: "streamed"
        }
    }

    @Test(
        "Small bodies arrive whole, others are streamed",
        arguments: [(0, "collected"), (1, "collected"), (1000, "collected"), (1001, "streamed"), (100_000, "streamed")])
    func collecting(byteCount: Int, expected: String) async throws {
        try await withServer(
            { $0.limits.collectedBodyByteCountMax = 1000 },
            answer: { request in
                let kind = self.kind(request.body)
                let byteCount = (try? await collect(request.body).readableBytes) ?? -1
                return .text("\(kind) \(byteCount)")
            }
        ) { _, port in
            let client = try await RawClient(port: port)
            for _ in 1...2 {
                try await client.send("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: \(byteCount)\r\n\r\n")
                try await client.send(ByteBuffer(repeating: 0x61, count: byteCount))
                #expect(try await client.receiveResponse().text == "\(expected) \(byteCount)")
            }
        }
    }

    @Test("A chunked body is put together")
    func chunked() async throws {
        try await withServer(answer: { request in
            .text(self.kind(request.body) + " " + String(buffer: (try? await collect(request.body)) ?? ByteBuffer()))
        }) { _, port in
            let client = try await RawClient(port: port)
            for _ in 1...2 {
                try await client.send("PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nWi")
                try await client.send("ki\r\n5\r\npedia\r\n0\r\n\r\n")
                #expect(try await client.receiveResponse().text == "streamed Wikipedia")
            }
        }
    }

    @Test("100-continue is said when the body is first pulled, and only then")
    func expectContinue() async throws {
        try await withServer(answer: { request in
            if request.target == "/refused" { return .text("no", status: .forbidden) }
            return .text("got \((try? await collect(request.body).readableBytes) ?? -1)")
        }) { _, port in
            let head = "HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
            let client = try await RawClient(port: port)
            try await client.send("PUT /accepted \(head)")
            #expect(try await client.receiveResponse().status == 100)
            try await client.send("body")
            #expect(try await client.receiveResponse().text == "got 4")

            try await client.send("PUT /refused \(head)")
            let refusal = try await client.receiveResponse()
            #expect(refusal.status == 403)
            #expect(refusal.headers["Connection"] == ["close"])
            #expect(await client.receiveToEnd() == "")

            // A client that did not wait needs no interim response.
            let hasty = try await RawClient(port: port)
            try await hasty.send("PUT /accepted \(head)body")
            #expect(try await hasty.receiveResponse().text == "got 4")

            let strange = try await RawClient(port: port)
            try await strange.send("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nExpect: tea\r\n\r\n")
            #expect(try await strange.receiveResponse().status == 417)
            #expect(await strange.receiveToEnd() == "")
        }
    }

    @Test("A slow consumer holds back the sender instead of filling memory")
    func uploadBackPressure() async throws {
        let byteCount = 48 << 20
        let gate = Gate()
        try await withServer(answer: { request in
            guard case .streamed(let body) = request.body else { return .text("not streamed") }
            await gate.wait()
            var total = 0
            var largest = 0
            do {
                while let chunk = try await body.next() {
                    total += chunk.readableBytes
                    largest = max(largest, chunk.readableBytes)
                }
            } catch {
                return .text("\(error)")
            }
            return .text("\(total) \(largest <= 256 << 10)")
        }) { server, port in
            let client = try await RawClient(port: port)
            try await client.send("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: \(byteCount)\r\n\r\n")
            let sending = Task { [channel = client.channel] in
                try await channel.writeAndFlush(ByteBuffer(repeating: 7, count: byteCount))
            }
            // The consumer does not pull. The server's reading comes to rest well before the body's end.
            var last: UInt64 = 0
            var quietCount = 0
            while quietCount < 10 {
                try await Task.sleep(for: .milliseconds(20))
                let received = server.statistics.bytesReceived
                quietCount = received == last && received > 0 ? quietCount + 1 : 0
                last = received
            }
            // The buffer's limit and what one read may add to it.
            #expect(last <= UInt64(512 << 10) + UInt64(4 * (128 << 10)) + 1024)
            gate.open()
            try await sending.value
            #expect(try await client.receiveResponse().text == "\(byteCount) true")
        }
    }

    @Test("A slow reader holds back the producer instead of filling memory")
    func downloadBackPressure() async throws {
        let chunkCount = 200
        let chunk = ByteBuffer(repeating: 9, count: 256 << 10)
        let written = Box(Atomic<Int>(0))
        try await withServer(answer: { _ in
            HTTPResponse(
                status: .ok, headers: [:],
                body: .streamed(byteCount: UInt64(chunkCount * chunk.readableBytes)) { writer in
                    for _ in 0..<chunkCount {
                        try await writer.write(chunk)
                        written.value.add(1, ordering: .relaxed)
                    }
                })
        }) { _, port in
            let client = try await RawClient(port: port, receiveBufferByteCount: 64 << 10, readsByItself: false)
            try await client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            var last = 0
            var quietCount = 0
            while quietCount < 10 {
                try await Task.sleep(for: .milliseconds(20))
                let count = written.value.load(ordering: .relaxed)
                quietCount = count == last && count > 0 ? quietCount + 1 : 0
                last = count
            }
            // The rest waits: only the sockets' buffers and one high-water mark were filled.
            #expect(last < chunkCount / 2)
            let response = try await client.receiveHead()
            #expect(response.status == 200)
            for _ in 0..<chunkCount {
                #expect(try await client.receive(byteCount: chunk.readableBytes) == chunk)
            }
        }
    }

    @Test(
        "A body that breaks off is an error, never a short body",
        arguments: ["Content-Length: 1000000\r\n\r\nabc", "Transfer-Encoding: chunked\r\n\r\n5\r\nabc"])
    func brokenOff(rest: String) async throws {
        let outcome = Box(Mutex<HTTPBodyError?>(nil))
        let finished = Gate()
        try await withServer(answer: { request in
            do throws(HTTPBodyError) {
                _ = try await collect(request.body)
            } catch {
                outcome.value.withLock { $0 = error }
            }
            finished.open()
            return .text("")
        }) { server, port in
            let client = try await RawClient(port: port)
            try await client.send("PUT / HTTP/1.1\r\nHost: h\r\n\(rest)")
            try await waitUntil { server.statistics.bytesReceived > 0 }
            try await client.close()
            await finished.wait()
            #expect(outcome.value.withLock { $0 } == .connectionClosed)
        }
    }

    @Test("Broken chunks are an error for the handler, and the connection's end")
    func malformedChunk() async throws {
        try await withServer(answer: { request in
            do throws(HTTPBodyError) {
                _ = try await collect(request.body)
                return .text("read")
            } catch {
                return .text("\(error)", status: .badRequest)
            }
        }) { _, port in
            let client = try await RawClient(port: port)
            try await client.send("PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nWiki\r\nnope\r\n")
            let response = try await client.receiveResponse()
            #expect(response.status == 400)
            #expect(response.text == "malformed")
            #expect(await client.receiveToEnd() == "")
        }
    }

    @Test("An unread body is passed over when it is small")
    func drained() async throws {
        try await withServer({ $0.limits.collectedBodyByteCountMax = 10 }, answer: { .text($0.target) }) { _, port in
            let client = try await RawClient(port: port)
            for framing in ["Content-Length: 1000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n3e8\r\n"] {
                try await client.send("PUT /first HTTP/1.1\r\nHost: h\r\n\(framing)")
                #expect(try await client.receiveResponse().text == "/first")
                try await client.send(ByteBuffer(repeating: 0x61, count: 1000))
                if framing.hasPrefix("T") { try await client.send("\r\n0\r\n\r\n") }
                try await client.send("GET /second HTTP/1.1\r\nHost: h\r\n\r\n")
                #expect(try await client.receiveResponse().text == "/second")
            }
        }
    }

    @Test("A client that is still sending a large unwanted body reads the response before the connection ends")
    func lingering() async throws {
        try await withServer(answer: { _ in .text("no", status: .forbidden) }) { _, port in
            for framing in ["Content-Length: 100000000", "Transfer-Encoding: chunked"] {
                let client = try await RawClient(port: port)
                try await client.send("PUT / HTTP/1.1\r\nHost: h\r\n\(framing)\r\n\r\n")
                let sending = Task { [channel = client.channel] in
                    for _ in 0..<64 {
                        try? await channel.writeAndFlush(ByteBuffer(string: "10000\r\n"))
                        try? await channel.writeAndFlush(ByteBuffer(repeating: 1, count: 1 << 16))
                        try? await channel.writeAndFlush(ByteBuffer(string: "\r\n"))
                    }
                }
                let response = try await client.receiveResponse()
                #expect(response.status == 403)
                #expect(response.text == "no")
                #expect(await client.receiveToEnd() == "")
                await sending.value
            }
        }
    }

    @Test("A body stream kept beyond its request gives nothing of the next one")
    func staleStream() async throws {
        let kept = Box(Mutex<(any HTTPBodyStream)?>(nil))
        try await withServer(
            { $0.limits.collectedBodyByteCountMax = 1 },
            answer: { request in
                if let stream = kept.value.withLock({ $0 }) {
                    await #expect(throws: HTTPBodyError.connectionClosed) { try await stream.next() }
                } else if case .streamed(let stream) = request.body {
                    kept.value.withLock { $0 = stream }
                }
                return .text(String(buffer: (try? await collect(request.body)) ?? ByteBuffer(string: "?")))
            }
        ) { _, port in
            let client = try await RawClient(port: port)
            for _ in 1...2 {
                try await client.send("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody")
                #expect(try await client.receiveResponse().text == "body")
            }
        }
    }
}

/// Carries a value that cannot be copied into closures.
final class Box<Value: ~Copyable & Sendable>: Sendable {
    let value: Value

    init(_ value: consuming Value) {
        self.value = value
    }
}
