import HTTPServer
import NIOCore
import NIOHTTP1
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(1))) struct ExchangeTests {
    @Test("A connection serves one request after the other")
    func keepAlive() async throws {
        try await withServer(answer: { .text("\($0.method) \($0.target)") }) { server, port in
            let client = try await RawClient(port: port)
            for number in 1...3 {
                try await client.send("GET /\(number) HTTP/1.1\r\nHost: h\r\n\r\n")
                let response = try await client.receiveResponse()
                #expect(response.status == 200)
                #expect(response.text == "GET /\(number)")
                #expect(response.headers["Content-Length"] == ["6"])
                #expect(response.headers["Date"].count == 1)
                #expect(response.headers["Connection"] == [])
            }
            #expect(server.statistics.connectionsAccepted == 1)
            #expect(server.statistics.responsesByClass[2] == 3)
        }
    }

    @Test("Pipelined requests are answered in order, although the first is the slowest")
    func pipelining() async throws {
        let gate = Gate()
        let started = Box(Mutex(0))
        try await withServer(answer: { request in
            started.value.withLock { $0 += 1 }
            if request.target == "/0" { await gate.wait() }
            return .text(request.target)
        }) { _, port in
            let client = try await RawClient(port: port)
            let requests = (0..<50).map { "PUT /\($0) HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody" }.joined()
            try await client.send(requests)
            try await waitUntil { started.value.withLock { $0 } == 1 }
            gate.open()
            for number in 0..<50 {
                #expect(try await client.receiveResponse().text == "/\(number)")
            }
        }
    }

    @Test("Requests that are answered without a task keep their order among those that need one, however many there are")
    func answeredNow() async throws {
        let count = 5000
        try await withServer(
            answerNow: { $0.target.hasSuffix("7") ? nil : .text("now \($0.target)") },
            answer: { .text("later \($0.target)") }
        ) { server, port in
            let client = try await RawClient(port: port)
            try await client.send((0..<count).map { "GET /\($0) HTTP/1.1\r\nHost: h\r\n\r\n" }.joined())
            for number in 0..<count {
                let kind = number % 10 == 7 ? "later" : "now"
                #expect(try await client.receiveResponse().text == "\(kind) /\(number)")
            }
            try await client.send("GET /last HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            #expect(try await client.receiveResponse().headers["Connection"] == ["close"])
            #expect(await client.receiveToEnd() == "")
            #expect(server.statistics.responsesByClass[2] == UInt64(count) + 1)
        }
    }

    @Test("Promised responses keep their order among the others, wherever they are made")
    func promised() async throws {
        let count = 3000
        @Sendable func promise(_ request: HTTPRequest) -> (@Sendable (HTTPResponsePromise) -> Void)? {
            let target = request.target
            switch target.last {
            case "3": return { promise in promise.complete { .text("at once \(target)") } }
            case "5": return { promise in Task { promise.complete { .text("elsewhere \(target)") } } }
            default: return nil
            }
        }
        try await withServer(promise: promise, answer: { .text("task \($0.target)") }) { server, port in
            let client = try await RawClient(port: port)
            try await client.send((0..<count).map { "GET /\($0) HTTP/1.1\r\nHost: h\r\n\r\n" }.joined())
            for number in 0..<count {
                let kind = number % 10 == 3 ? "at once" : number % 10 == 5 ? "elsewhere" : "task"
                #expect(try await client.receiveResponse().text == "\(kind) /\(number)")
            }
            #expect(server.statistics.responsesByClass[2] == UInt64(count))
        }
    }

    @Test("A promise is kept to many connections of one loop at a time, and one to a client that has left goes nowhere")
    func promisedToMany() async throws {
        let kept = Box(Mutex([HTTPResponsePromise]()))
        @Sendable func promise(_ request: HTTPRequest) -> (@Sendable (HTTPResponsePromise) -> Void)? {
            guard request.target != "/task" else { return nil }
            return { promise in kept.value.withLock { $0.append(promise) } }
        }
        try await withServer(promise: promise, answer: { .text($0.target) }) { _, port in
            var clients: [RawClient] = []
            for _ in 0..<20 { clients.append(try await RawClient(port: port)) }
            for (number, client) in clients.enumerated() {
                try await client.send("GET /\(number) HTTP/1.1\r\nHost: h\r\n\r\n")
            }
            try await waitUntil { kept.value.withLock { $0.count } == clients.count }
            let first = clients.removeFirst()
            try await first.close()
            for promise in kept.value.withLock({ $0 }) { promise.complete { .text("kept") } }
            for client in clients {
                #expect(try await client.receiveResponse().text == "kept")
                try await client.send("GET /task HTTP/1.1\r\nHost: h\r\n\r\n")
                #expect(try await client.receiveResponse().text == "/task")
            }
        }
    }

    @Test("The answer to HEAD says the length of the body that it leaves out")
    func omitted() async throws {
        let response = HTTPResponse(status: .ok, headers: [:], body: .omitted(byteCount: 12_345))
        try await withServer(answerNow: { $0.target == "/now" ? response : nil }, answer: { _ in response }) { _, port in
            let client = try await RawClient(port: port)
            for target in ["/now", "/later", "/now"] {
                try await client.send("HEAD \(target) HTTP/1.1\r\nHost: h\r\n\r\n")
                let head = try await client.receiveResponse(toHead: true)
                #expect(head.headers["Content-Length"] == ["12345"])
            }
        }
    }

    @Test(
        "The server closes when the client, the version or the handler wants it",
        arguments: [
            ("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", ["close"], true),
            ("GET / HTTP/1.0\r\n\r\n", ["close"], true),
            ("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", ["keep-alive"], false),
            ("GET /close HTTP/1.1\r\nHost: h\r\n\r\n", ["close"], true),
            ("GET / HTTP/1.1\r\nHost: h\r\n\r\n", [], false),
        ])
    func closing(request: RequestText, connection: [String], closes: Bool) async throws {
        try await withServer(answer: { request in
            var response = HTTPResponse.text("x")
            response.closesConnection = request.target == "/close"
            return response
        }) { _, port in
            let client = try await RawClient(port: port)
            try await client.send(request.text)
            #expect(try await client.receiveResponse().headers["Connection"] == connection)
            if closes {
                #expect(await client.receiveToEnd() == "")
            } else {
                try await client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
                #expect(try await client.receiveResponse().status == 200)
            }
        }
    }

    @Test("Responses without a body end with their head")
    func bodiless() async throws {
        try await withServer(answer: { request in
            switch request.target {
            case "/head": HTTPResponse(status: .ok, headers: ["Content-Length": "1234"])
            case "/bytes": .text("body")
            case "/streamed":
                HTTPResponse(
                    status: .ok, headers: [:], body: .streamed(byteCount: 99) { try await $0.write(ByteBuffer(string: "x")) })
            case "/304": HTTPResponse(status: .notModified, headers: ["ETag": "\"e\""], body: .bytes(ByteBuffer(string: "no")))
            case "/204": HTTPResponse(status: .noContent, headers: [:])
            default: HTTPResponse(status: .ok, headers: ["Content-Length": "77"])
            }
        }) { _, port in
            let client = try await RawClient(port: port)
            for (request, status, length) in [
                ("HEAD /head", 200, ["1234"]), ("HEAD /bytes", 200, ["4"]), ("HEAD /streamed", 200, ["99"]),
                ("GET /304", 304, ["2"]), ("GET /204", 204, []), ("GET /none", 200, ["0"]),
            ] {
                try await client.send("\(request) HTTP/1.1\r\nHost: h\r\n\r\n")
                let response = try await client.receiveResponse(toHead: true)
                #expect(response.status == status, "\(request)")
                #expect(response.headers["Content-Length"] == length, "\(request)")
            }
        }
    }

    @Test("A header's value cannot split a response")
    func splitting() async throws {
        try await withServer(answer: { _ in
            HTTPResponse(
                status: .ok, headers: ["Content-Disposition": "a\r\nSet-Cookie: b\u{0}", "Connection": "upgrade"], body: .none)
        }) { _, port in
            let client = try await RawClient(port: port)
            try await client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            let response = try await client.receiveResponse()
            #expect(response.headers["Content-Disposition"] == ["a  Set-Cookie: b "])
            #expect(response.headers["Set-Cookie"] == [])
            #expect(response.headers["Connection"] == [])
        }
    }

    @Test("A streamed response has the declared length, or is chunked and flushed at once")
    func streamedResponses() async throws {
        let gate = Gate()
        try await withServer(answer: { request in
            if request.target == "/chunked" {
                return HTTPResponse(
                    status: .ok, headers: [:],
                    body: .chunked { writer in
                        await gate.wait()
                        try await writer.write(ByteBuffer(string: "first"))
                        try await writer.write(ByteBuffer())
                        try await writer.write(ByteBuffer(string: "second"))
                    })
            }
            return HTTPResponse(
                status: .ok, headers: [:],
                body: .streamed(byteCount: 6) { writer in
                    try await writer.write(ByteBuffer(string: "abc"))
                    try await writer.write(ByteBuffer(string: "def"))
                })
        }) { _, port in
            let client = try await RawClient(port: port)
            try await client.send("GET /chunked HTTP/1.1\r\nHost: h\r\n\r\n")
            // The first byte of the head opens the gate: nothing else would.
            #expect(await client.receiveMore())
            gate.open()
            #expect(try await client.receiveResponse().text == "firstsecond")
            try await client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            #expect(try await client.receiveResponse().text == "abcdef")
            try await client.send("GET /chunked HTTP/1.0\r\n\r\n")
            #expect(await client.receiveToEnd().hasSuffix("\r\nConnection: close\r\n\r\nfirstsecond"))
        }
    }

    @Test(
        "A streamed response that fails or has another length is a broken transfer",
        arguments: ["short", "long", "throws", "chunked"])
    func brokenResponses(kind: String) async throws {
        struct Failure: Error {}
        try await withServer(answer: { _ in
            if kind == "chunked" {
                return HTTPResponse(
                    status: .ok, headers: [:],
                    body: .chunked { writer in
                        try await writer.write(ByteBuffer(string: "abc"))
                        throw Failure()
                    })
            }
            return HTTPResponse(
                status: .ok, headers: [:],
                body: .streamed(byteCount: 6) { writer in
                    try await writer.write(ByteBuffer(string: "abc"))
                    if kind == "throws" { throw Failure() }
                    if kind == "long" {
                        // Even a handler that ignores the error cannot make it look whole.
                        await #expect(throws: HTTPResponseWriteError.moreThanDeclared) {
                            try await writer.write(ByteBuffer(string: "defg"))
                        }
                        try? await writer.write(ByteBuffer(string: "def"))
                    }
                })
        }) { _, port in
            let client = try await RawClient(port: port)
            try await client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            await #expect(throws: RawClient.Broken.self) { try await client.receiveResponse() }
        }
    }

    @Test("A request stays on its connection's thread, before and after it waited")
    func thread() async throws {
        try await withServer(answer: { request in
            let before = request.eventLoop.inEventLoop
            await Task.yield()
            let afterYield = request.eventLoop.inEventLoop
            // Something that completes on another thread.
            try? await Task.sleep(for: .milliseconds(1))
            await withCheckedContinuation { continuation in
                Task.detached { continuation.resume() }
            }
            return .text("\(before) \(afterYield) \(request.eventLoop.inEventLoop)")
        }) { _, port in
            let client = try await RawClient(port: port)
            try await client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            #expect(try await client.receiveResponse().text == "true true true")
        }
    }

    @Test("A handler's task is cancelled when its client goes away")
    func cancellation() async throws {
        let started = Gate()
        let cancelled = Gate()
        try await withServer(answer: { _ in
            started.open()
            while !Task.isCancelled {
                try? await Task.sleep(for: .seconds(60))
            }
            cancelled.open()
            return .text("nobody reads this")
        }) { _, port in
            let client = try await RawClient(port: port)
            try await client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            await started.wait()
            try await client.close()
            await cancelled.wait()
        }
    }
}
