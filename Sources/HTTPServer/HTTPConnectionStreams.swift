import NIOCore
import NIOHTTP1

/// The body of one request, for its handler. May be pulled from any executor; without a hop on the connection's own.
struct HTTPConnectionBody: HTTPBodyStream {
    let connection: HTTPConnection
    let exchangeNumber: UInt64

    func next() async throws(HTTPBodyError) -> ByteBuffer? {
        let result = await withCheckedContinuation { continuation in
            let eventLoop = connection.loop.eventLoop
            if eventLoop.inEventLoop {
                connection.pullBody(number: exchangeNumber, reader: continuation)
            } else {
                eventLoop.execute { connection.pullBody(number: exchangeNumber, reader: continuation) }
            }
        }
        return try result.get()
    }
}

/// Writes the body of one response, for its handler.
struct HTTPConnectionWriter: HTTPResponseWriter {
    private static let fairByteCount = 64 << 10

    let connection: HTTPConnection
    let exchangeNumber: UInt64

    func write(_ bytes: ByteBuffer) async throws {
        let failure = await withCheckedContinuation { continuation in
            let eventLoop = connection.loop.eventLoop
            if eventLoop.inEventLoop {
                connection.writeBody(bytes, number: exchangeNumber, writer: continuation)
            } else {
                eventLoop.execute { connection.writeBody(bytes, number: exchangeNumber, writer: continuation) }
            }
        }
        if let failure {
            throw failure
        }
        if bytes.readableBytes >= Self.fairByteCount {
            // A producer that never waits, writing to a client that always reads, would keep the loop from its other connections.
            await Task.yield()
        }
    }
}

/// Why a streamed response cannot go on.
package enum HTTPResponseWriteError: Error, Sendable, Equatable {
    case connectionClosed
    /// More bytes than the response's declared length.
    case moreThanDeclared
}

extension HTTPConnection {
    /// Tells the client to send its body.
    func writeInterimResponse() {
        guard let context else { return }
        loop.counters.countResponse(status: 100)
        let interim = HTTPResponseHead(version: .http1_1, status: .continue)
        context.write(HTTPConnection.wrapOutboundOut(.head(interim)), promise: nil)
        flushSoon()
    }

    /// Hands the next bytes of the body to `reader`, and lets the client send more where there is room for it.
    func pullBody(number: UInt64, reader: CheckedContinuation<Result<ByteBuffer?, HTTPBodyError>, Never>) {
        guard exchange.number == number, exchange.body != nil else {
            reader.resume(returning: .failure(.connectionClosed))
            return
        }
        let wantedInput = exchange.body?.wantsInput(limits: loop.limits) ?? false
        if exchange.body?.awaitsInterimResponse == true {
            exchange.body?.awaitsInterimResponse = false
            writeInterimResponse()
        }
        exchange.body?.pull(reader, limits: loop.limits)
        if !wantedInput {
            bodyWindow = HTTPBodyWindow(start: loop.now, byteCount: 0)
        }
        readIfWanted()
    }
}
