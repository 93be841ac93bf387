import HTTPServer
import NIOCore
import NIOHTTP1
import Testing

/// What a request may look like, over real sockets: the library's decoder, the guard before it and the checks behind it together.
@Suite(.timeLimit(.minutes(1))) struct RequestSyntaxTests {
    /// Sends `text` in steps; a server that has had enough may close before the last.
    private func send(_ text: String, to client: RawClient, stepByteCount: Int) async {
        let bytes = Array(text.utf8)
        for start in stride(from: 0, to: bytes.count, by: stepByteCount) {
            let step = ByteBuffer(bytes: bytes[start..<min(start + stepByteCount, bytes.count)])
            guard (try? await client.send(step)) != nil else { return }
            // One step, one read (usually): the same bytes arrive in many pieces.
            await Task.yield()
        }
    }

    @Test("A head reads the same however it is cut, and what follows it is the next request", arguments: [1, 2, 3, 7, 1000])
    func cuts(stepByteCount: Int) async throws {
        let text =
            "\r\nPUT /bucket/a%20key?uploads HTTP/1.1\r\nHost: h\r\ncontent-LENGTH:\t12 \r\nX-Amz-Meta-Name: ä, b\r\n"
            + "X-Empty:\r\n\r\nbody\r\n\r\n4567GET /z HTTP/1.1\r\nHost: h\r\n\r\n"
        try await withServer(answer: { request in
            let body = (try? await collect(request.body)).map { String(buffer: $0) } ?? "?"
            return .text(
                "\(request.method) \(request.target) \(request.headers.map { "\($0.name)=\($0.value)" }) \(body.debugDescription)"
            )
        }) { _, port in
            let client = try await RawClient(port: port)
            await send(text, to: client, stepByteCount: stepByteCount)
            let first = try await client.receiveResponse()
            #expect(
                first.text == #"PUT /bucket/a%20key?uploads "#
                    + #"["Host=h", "content-LENGTH=12", "X-Amz-Meta-Name=ä, b", "X-Empty="] "body\r\n\r\n4567""#)
            #expect(try await client.receiveResponse().text == #"GET /z ["Host=h"] """#)
        }
    }

    @Test(
        "A chunked body reads the same however it is cut, and what follows it is the next request",
        arguments: [1, 2, 3, 5, 1000])
    func chunkedCuts(stepByteCount: Int) async throws {
        // Empty lines within the data are data; trailers are dropped.
        let text =
            "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
            + "4\r\nWiki\r\n00A;ext=\"1\"\r\npedia in 1\r\nc\r\n\r\n\r\n\n\nGET / \r\n0\r\nTrailer: x\r\n\r\n"
        try await withServer(answer: { request in
            .text((try? await collect(request.body)).map { String(buffer: $0) } ?? "broken")
        }) { _, port in
            let client = try await RawClient(port: port)
            await send(text + text + "GET / HTTP/1.1\r\nHost: h\r\n\r\n", to: client, stepByteCount: stepByteCount)
            for _ in 1...2 {
                #expect(try await client.receiveResponse().text == "Wikipedia in 1\r\n\r\n\n\nGET / ")
            }
            #expect(try await client.receiveResponse().text == "")
        }
    }

    @Test(
        "A request whose end or meaning two parsers could see differently is refused",
        arguments: [
            "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 3, 3\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: +3\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 0x3\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 1 2\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\r\nContent-Length:\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, identity\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding:\r\n\r\n",
            "GET / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n folded\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\r\nX:\r\n\tfolded\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding:\r\n chunked\r\n\r\n",
            "GET / HTTP/1.1\r\n Host: h\r\n\r\n",
            "GET / HTTP/1.1\r\nHost : h\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\r\nX: a\u{0}b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\r\nX: a\u{1}b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\r\nX: a\u{7F}b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\r\nX: a\rb\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\r\nX: a\nY: b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\r\n\n",
            "GET / HTTP/1.1\nHost: h\n\n",
            "GET / HTTP/1.1\r\nHost: h\r\n: nameless\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\r\nno colon\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\r\nX(Y): z\r\n\r\n",
            "GET / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n",
            "GET / HTTP/1.1 \r\nHost: h\r\n\r\n",
            "GET /a b HTTP/1.1\r\nHost: h\r\n\r\n",
            "GET /\tb HTTP/1.1\r\nHost: h\r\n\r\n",
            "GET /\u{7F} HTTP/1.1\r\nHost: h\r\n\r\n",
            "GET /ä HTTP/1.1\r\nHost: h\r\n\r\n",
            "GET / HTTP/2.0\r\nHost: h\r\n\r\n",
            "GET / HTTP/1.10\r\nHost: h\r\n\r\n",
            "GET / HTTP/1.2\r\nHost: h\r\n\r\n",
            "GET /\r\nHost: h\r\n\r\n",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            "G@T / HTTP/1.1\r\nHost: h\r\n\r\n",
            "FROB / HTTP/1.1\r\nHost: h\r\n\r\n",
            "\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n",
            "\u{16}\u{3}\u{1}",
        ])
    func refused(text: RequestText) async throws {
        try await withServer(answer: { _ in .text("answered") }) { server, port in
            for stepByteCount in [1, 1000] {
                let client = try await RawClient(port: port)
                await send(text.text, to: client, stepByteCount: stepByteCount)
                let response = try await client.receiveResponse()
                #expect(response.status == 400, "in steps of \(stepByteCount)")
                #expect(response.text == "malformedRequest", "in steps of \(stepByteCount)")
                #expect(await client.receiveToEnd() == "")
            }
            #expect(server.statistics.violations == 2)
        }
    }

    @Test(
        "A broken chunk is no body",
        arguments: [
            "x\r\n", "\r\n", "-1\r\n", "4\nWiki\r\n0\r\n\r\n", "4\r\nWikiX\r\n", "4\r\nWiki\n0\r\n\r\n",
            "12345678901234567\r\n",
            "4;\u{0}\r\n", "0\r\nTrailer: \u{1}\r\n\r\n", "0\r\n" + .repeating("T: x\r\n", 300),
            "0\r\nT: " + .repeating("x", 100_000), "0\r\nT:" + .repeating(" ", 100_000),
        ])
    func brokenChunks(text: RequestText) async throws {
        try await withServer(answer: { request in
            do throws(HTTPBodyError) {
                return .text(String(buffer: try await collect(request.body)))
            } catch {
                return .text("\(error)", status: .badRequest)
            }
        }) { _, port in
            for stepByteCount in text.text.utf8.count < 100 ? [1, 5000] : [5000] {
                let client = try await RawClient(port: port)
                try await client.send("PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
                await send(text.text, to: client, stepByteCount: stepByteCount)
                #expect(try await client.receiveResponse().text == "malformed", "in steps of \(stepByteCount)")
                #expect(await client.receiveToEnd() == "")
            }
        }
    }

    @Test(
        "The connection is kept as version and header say",
        arguments: [
            ("HTTP/1.1", "X: y", true), ("HTTP/1.1", "Connection: close", false), ("HTTP/1.1", "Connection: foo, CLOSE", false),
            ("HTTP/1.0", "X: y", false), ("HTTP/1.0", "Connection: Keep-Alive", true),
            ("HTTP/1.0", "Connection: keep-alive, close", false),
        ])
    func keepsAlive(version: String, header: String, keepsAlive: Bool) async throws {
        try await withServer(answer: { _ in .text("x") }) { _, port in
            let client = try await RawClient(port: port)
            try await client.send("GET / \(version)\r\nHost: h\r\n\(header)\r\n\r\n")
            #expect(try await client.receiveResponse().headers["Connection"] != (keepsAlive ? ["close"] : []))
            if keepsAlive {
                try await client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
                #expect(try await client.receiveResponse().status == 200)
            } else {
                #expect(await client.receiveToEnd() == "")
            }
        }
    }

    @Test(
        "A request to change the protocol is answered as any other, and is the connection's last",
        arguments: [
            "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n\r\n",
            "PUT / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: x\r\nContent-Length: 4\r\n\r\nbody",
            "CONNECT h:80 HTTP/1.1\r\nHost: h\r\n\r\n",
            "CONNECT h:80 HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody",
        ])
    func upgrades(text: RequestText) async throws {
        try await withServer(answer: { .text("\($0.method)") }) { _, port in
            let client = try await RawClient(port: port)
            try await client.send(text.text + "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            let response = try await client.receiveResponse()
            #expect(response.status == 200)
            #expect(response.headers["Connection"] == ["close"])
            #expect(await client.receiveToEnd() == "")
        }
    }

    @Test(
        "Methods that S3 does not have reach the handler all the same",
        arguments: ["GET", "PUT", "POST", "HEAD", "DELETE", "OPTIONS", "PATCH", "TRACE", "PROPFIND", "SOURCE", "QUERY"])
    func methods(method: String) async throws {
        try await withServer(answer: { HTTPResponse(status: .ok, headers: ["X-Method": $0.method.rawValue]) }) { _, port in
            let client = try await RawClient(port: port)
            try await client.send("\(method) / HTTP/1.1\r\nHost: h\r\n\r\n")
            #expect(try await client.receiveResponse(toHead: true).headers["X-Method"] == [method])
        }
    }

    @Test("A head of exactly the allowed size passes, one more header or byte does not")
    func exactLimits() async throws {
        try await withServer(
            {
                $0.limits.requestLineByteCountMax = 20
                $0.limits.headersByteCountMax = 40
                $0.limits.headerCountMax = 3
            }, answer: { _ in .text("x") }
        ) { _, port in
            // The first request line has exactly 20 bytes, the third request exactly 3 headers, the fifth exactly 40 bytes of them.
            for (request, status) in [
                ("GET /123456 HTTP/1.1\r\nHost: h\r\n\r\n", 200),
                ("GET /1234567 HTTP/1.1\r\nHost: h\r\n\r\n", 414),
                ("GET / HTTP/1.1\r\nHost: h\r\nA: b\r\nC: d\r\n\r\n", 200),
                ("GET / HTTP/1.1\r\nHost: h\r\nA: b\r\nC: d\r\nE: f\r\n\r\n", 431),
                ("GET / HTTP/1.1\r\nHost: h\r\nX: \(String(repeating: "x", count: 26))\r\n\r\n", 200),
                ("GET / HTTP/1.1\r\nHost: h\r\nX: \(String(repeating: "x", count: 27))\r\n\r\n", 431),
            ] {
                for stepByteCount in [1, 1000] {
                    let client = try await RawClient(port: port)
                    await send(request, to: client, stepByteCount: stepByteCount)
                    #expect(try await client.receiveResponse().status == status, "\(request.debugDescription)")
                    try? await client.close()
                }
            }
        }
    }
}
