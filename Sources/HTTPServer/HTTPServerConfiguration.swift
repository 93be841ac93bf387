package import NIOSSL

/// How an HTTP server listens and what it tolerates.
package struct HTTPServerConfiguration: Sendable {
    /// Name or address to bind.
    package var host: String
    /// 0 asks the system for a free port; `HTTPServer.start()` reports which.
    package var port: Int
    /// Serve TLS; plain HTTP when `nil`.
    package var tls: TLSConfiguration?
    package var limits = HTTPServerLimits()
    package var timeouts = HTTPServerTimeouts()

    package init(host: String, port: Int, tls: TLSConfiguration? = nil) {
        self.host = host
        self.port = port
        self.tls = tls
    }
}

/// Bounds on what one client, and all together, can make the server hold. Each is enforced while bytes arrive.
package struct HTTPServerLimits: Sendable {
    /// Longest request line. An S3 key of 1,024 bytes, each percent-encoded, is 3 KiB; a presigned query adds 2 KiB.
    package var requestLineByteCountMax = 16 << 10
    /// All header lines of a request together.
    package var headersByteCountMax = 64 << 10
    package var headerCountMax = 200
    /// Bodies up to this size are complete before the handler starts. Larger ones, and those of unknown size, are streamed.
    package var collectedBodyByteCountMax = 256 << 10
    /// Unread bytes of a streamed body that a connection holds before it stops reading from its socket.
    package var streamedBodyBufferByteCountMax = 512 << 10
    /// A pull of a streamed body gets up to this many bytes joined into one buffer.
    package var streamedBodyChunkByteCountMax = 256 << 10
    /// What a handler left unread of a body is discarded up to this size to keep the connection alive; beyond it the connection
    /// is closed after the response.
    package var drainedBodyByteCountMax = 256 << 10
    /// Open connections. Further ones get `503` and are closed.
    package var connectionCountMax = 4096

    package init() {}
}

/// How long a client may take. All are checked by one timer of each event loop, so they may be late by a second (or by a quarter of
/// the shortest of them).
package struct HTTPServerTimeouts: Sendable {
    /// From a request's first byte (or the connection's acceptance) to the end of its headers.
    package var head: Duration = .seconds(30)
    /// Between a response and the first byte of the next request.
    package var idle: Duration = .seconds(75)
    /// A body must bring `bodyByteCountMin` bytes in each window of this length while the server is ready to read it.
    package var bodyWindow: Duration = .seconds(30)
    package var bodyByteCountMin = 1 << 10
    /// How long the outgoing buffer of a connection may stay full without a byte leaving it, because the client does not read. The
    /// first look only notes the buffer's size, so a stalled connection lives between one and two of these.
    package var writeStall: Duration = .seconds(60)
    /// How long input is still discarded after the last response of a connection, so that the client reads the response before it
    /// meets a reset.
    package var linger: Duration = .seconds(2)

    package init() {}

    /// The period of the timer that checks the others.
    var checkInterval: Duration {
        let shortest = min(head, idle, bodyWindow, writeStall, linger)
        return min(max(shortest / 4, .milliseconds(10)), .seconds(1))
    }
}
