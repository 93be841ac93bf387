package import NIOCore
package import NIOHTTP1

/// A request whose head has arrived; its body may still be on its way.
package struct HTTPRequest: Sendable {
    package var method: HTTPMethod
    /// The request target as it stands on the request line, undecoded.
    package var target: String
    package var headers: HTTPHeaders
    package var body: HTTPRequestBody
    package var remoteAddress: SocketAddress?
    /// The request came over TLS.
    package var isSecure: Bool
    /// What the client's certificate says of it; nil: it has shown none, or was asked for none. One that was shown has been verified.
    package var peerCertificate: String?
    /// The loop of the connection, on which the handler runs.
    package var eventLoop: any EventLoop

    package init(
        method: HTTPMethod, target: String, headers: HTTPHeaders, body: HTTPRequestBody,
        remoteAddress: SocketAddress?, isSecure: Bool, peerCertificate: String? = nil, eventLoop: any EventLoop
    ) {
        self.method = method
        self.target = target
        self.headers = headers
        self.body = body
        self.remoteAddress = remoteAddress
        self.isSecure = isSecure
        self.peerCertificate = peerCertificate
        self.eventLoop = eventLoop
    }
}

/// A request's body.
package enum HTTPRequestBody: Sendable {
    /// All of it, collected before the handler started (small bodies; empty ones too).
    case collected(ByteBuffer)
    /// To be pulled while it arrives. With `Expect: 100-continue` the interim response is sent at the first pull, so that a
    /// request refused on its head alone never sends its body.
    case streamed(any HTTPBodyStream)
}

/// The bytes of a body, pulled with back-pressure. Used by one task at a time.
package protocol HTTPBodyStream: Sendable {
    /// The next bytes, `nil` at the end of a *complete* body.
    /// - Throws: `HTTPBodyError`: a body that broke off is never mistaken for one that ended.
    func next() async throws(HTTPBodyError) -> ByteBuffer?
}

package enum HTTPBodyError: Error, Sendable, Equatable {
    /// The client closed the connection, or sent less than it declared.
    case connectionClosed
    /// Nothing arrived for longer than the idle time, or the body came slower than the least rate.
    case timedOut
    /// The framing was broken (bad chunk header and the like).
    case malformed
}

/// What the handler answers.
package struct HTTPResponse: Sendable {
    package var status: HTTPResponseStatus
    package var headers: HTTPHeaders
    package var body: HTTPResponseBody
    /// Close the connection after this response.
    package var closesConnection: Bool

    package init(
        status: HTTPResponseStatus, headers: HTTPHeaders, body: HTTPResponseBody = .none, closesConnection: Bool = false
    ) {
        self.status = status
        self.headers = headers
        self.body = body
        self.closesConnection = closesConnection
    }
}

package enum HTTPResponseBody: Sendable {
    /// No bytes follow. To HEAD the handler sets `Content-Length` itself where it means the length of what GET would send; otherwise
    /// the server writes `Content-Length: 0` where the status allows a body.
    case none
    /// No bytes follow, as the request was a HEAD; the server sets `Content-Length` to what GET would send.
    case omitted(byteCount: UInt64)
    /// The server sets `Content-Length`.
    case bytes(ByteBuffer)
    /// Exactly `byteCount` bytes (the server sets `Content-Length`), written by `produce`. If it throws or writes less, the
    /// connection is closed, so that the client sees a broken transfer and not a short object.
    case streamed(byteCount: UInt64, produce: @Sendable (any HTTPResponseWriter) async throws -> Void)
    /// As above with a length that is not known ahead (`Transfer-Encoding: chunked`), for replies that keep the client waiting.
    case chunked(produce: @Sendable (any HTTPResponseWriter) async throws -> Void)
}

/// Writes a streamed response body. Used by one task at a time.
package protocol HTTPResponseWriter: Sendable {
    /// Returns when there is room for more.
    /// - Throws: when the connection is gone.
    func write(_ bytes: ByteBuffer) async throws
}

/// How a handler takes a request.
package enum HTTPReply: Sendable {
    /// The response was at hand: the request costs no task. Not a streamed one.
    case now(HTTPResponse)
    /// It follows by the promise that the closure is given: the request costs no task. Not a streamed one.
    case promised(@Sendable (HTTPResponsePromise) -> Void)
    /// It is made by a task of the connection's event loop.
    case later(@Sendable () async -> HTTPResponse)
}

/// The response that a handler has promised.
package struct HTTPResponsePromise: Sendable {
    private let deliver: @Sendable (@escaping @Sendable () -> HTTPResponse) -> Void

    package init(_ deliver: @escaping @Sendable (@escaping @Sendable () -> HTTPResponse) -> Void) {
        self.deliver = deliver
    }

    /// To be called once, from any thread; until then the connection waits. The response is made on the connection's event loop.
    package func complete(_ response: @escaping @Sendable () -> HTTPResponse) {
        deliver(response)
    }
}

/// What stands behind an HTTP server.
package protocol HTTPRequestHandler: Sendable {
    /// The server's first question, asked on the connection's event loop; without an implementation of its own, `respond` later.
    func reply(to request: HTTPRequest) -> HTTPReply
    /// Answers one request. Runs on the connection's event loop (as task executor): it must suspend, never block.
    /// It need not read the body: the server then drains what is small and closes the connection otherwise.
    func respond(to request: HTTPRequest) async -> HTTPResponse
    /// The connection's next bytes are not HTTP, or break a limit (`431`, `414`, `400`, `408`…): the response to close it with.
    func respond(toMalformed reason: HTTPProtocolViolation) -> HTTPResponse
}

extension HTTPRequestHandler {
    package func reply(to request: HTTPRequest) -> HTTPReply {
        .later { await respond(to: request) }
    }
}

/// Why the server itself refuses what arrives.
package enum HTTPProtocolViolation: Sendable, Equatable {
    case malformedRequest
    case requestLineTooLong
    case headersTooLarge
    case tooManyHeaders
    /// No complete head within the time for it.
    case headTimeout
}
