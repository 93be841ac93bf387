import Logging
import NIOCore
import NIOHTTP1

extension HTTPConnection {
    /// The body of a request's task.
    func serve(number: UInt64, _ respond: @Sendable () async -> HTTPResponse) async {
        let response = await respond()
        switch response.body {
        case .none, .omitted, .bytes:
            await onLoop { self.respond(response, number: number) }
        case .streamed(let byteCount, let produce):
            await stream(response, byteCount: byteCount, number: number, produce: produce)
        case .chunked(let produce):
            await stream(response, byteCount: nil, number: number, produce: produce)
        }
    }

    private func stream(
        _ response: HTTPResponse, byteCount: UInt64?, number: UInt64,
        produce: @Sendable (any HTTPResponseWriter) async throws -> Void
    ) async {
        guard await onLoop({ self.beginStream(response, byteCount: byteCount, number: number) }) else { return }
        var isWhole = true
        do {
            try await produce(HTTPConnectionWriter(connection: self, exchangeNumber: number))
        } catch {
            loop.logger.debug("a response broke off", metadata: ["error": "\(error)"])
            isWhole = false
        }
        await onLoop { [isWhole] in self.endStream(isWhole: isWhole, number: number) }
    }

    /// Handlers return on the connection's loop unless they left it by means of their own.
    private func onLoop<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async -> Value {
        if loop.eventLoop.inEventLoop {
            return body()
        }
        return await withCheckedContinuation { continuation in
            loop.eventLoop.execute { continuation.resume(returning: body()) }
        }
    }

    /// From any thread.
    func respondSoon(_ response: @escaping @Sendable () -> HTTPResponse, number: UInt64) {
        if loop.eventLoop.inEventLoop {
            respond(response(), number: number)
        } else {
            loop.inbox.execute { self.respond(response(), number: number) }
        }
    }

    // MARK: On the event loop

    /// The request `number` is still the one to answer, and there is someone to answer.
    private func isAnswering(_ number: UInt64) -> Bool {
        phase == .responding && exchange.number == number
    }

    func respond(_ response: HTTPResponse, number: UInt64) {
        guard isAnswering(number) else { return }
        exchange.keepsAlive = keepsAlive(after: response)
        writeWhole(response)
        finishResponse()
    }

    /// The response of which the head says all, or whose body is at hand.
    func writeWhole(_ response: HTTPResponse) {
        guard let context else { return }
        switch response.body {
        case .none:
            writeHead(response, framing: .none, context: context)
        case .omitted(let byteCount):
            precondition(exchange.isHead, "only the answer to HEAD leaves its body out")
            writeHead(response, framing: .length(byteCount), context: context)
        case .bytes(let bytes):
            writeHead(response, framing: .length(UInt64(bytes.readableBytes)), context: context)
            if bytes.readableBytes > 0, !exchange.isHead, response.status.allowsBody {
                context.write(wrapOutboundOut(.body(.byteBuffer(bytes))), promise: nil)
            }
        case .streamed, .chunked:
            preconditionFailure("streamed responses have a writer")
        }
        context.write(wrapOutboundOut(.end(nil)), promise: nil)
        flushSoon()
    }

    /// - Returns: whether a body has to be produced.
    private func beginStream(_ response: HTTPResponse, byteCount: UInt64?, number: UInt64) -> Bool {
        guard isAnswering(number), let context else { return false }
        exchange.keepsAlive = keepsAlive(after: response) && (byteCount != nil || !exchange.isHTTP10)
        let framing: HTTPResponseFraming =
            if let byteCount { .length(byteCount) } else if exchange.isHTTP10 { .close } else { .chunked }
        writeHead(response, framing: framing, context: context)
        guard !exchange.isHead, response.status.allowsBody else {
            flushSoon()
            finishResponse()
            return false
        }
        exchange.response = .body(remaining: byteCount)
        if byteCount == nil {
            // The client is waiting for a sign of life; with a length, the first bytes take the head along.
            flushSoon()
        }
        return true
    }

    /// Writes some of a streamed body; `writer` goes on when the connection takes more.
    func writeBody(
        _ bytes: ByteBuffer, number: UInt64, writer: CheckedContinuation<HTTPResponseWriteError?, Never>
    ) {
        guard isAnswering(number), let context, case .body(let remaining) = exchange.response else {
            writer.resume(returning: .connectionClosed)
            return
        }
        let byteCount = UInt64(bytes.readableBytes)
        if let remaining {
            guard byteCount <= remaining else {
                exchange.response = .broken
                writer.resume(returning: .moreThanDeclared)
                return
            }
            exchange.response = .body(remaining: remaining - byteCount)
        }
        guard byteCount > 0 else {
            writer.resume(returning: nil)
            return
        }
        context.write(wrapOutboundOut(.body(.byteBuffer(bytes))), promise: nil)
        flushSoon()
        guard isAnswering(number) else {
            // The flush found the connection broken.
            writer.resume(returning: .connectionClosed)
            return
        }
        if isWritable {
            writer.resume(returning: nil)
        } else {
            precondition(exchange.writer == nil, "a response is written by one task at a time")
            exchange.writer = writer
        }
    }

    private func endStream(isWhole: Bool, number: UInt64) {
        guard isAnswering(number), let context else { return }
        guard isWhole, case .body(let remaining) = exchange.response, (remaining ?? 0) == 0 else {
            // The client must see a broken transfer, not a short object.
            closeNow()
            return
        }
        context.write(wrapOutboundOut(.end(nil)), promise: nil)
        flushSoon()
        finishResponse()
    }

    private func finishResponse() {
        // From here on, what is left of this request's body stream and writer is stale.
        exchange.number += 1
        exchange.task = nil
        exchange.response = .none
        exchange.body?.abandonReader()
        let isBodyRead = exchange.body?.isComplete ?? true
        if !exchange.keepsAlive {
            let lingers = !isBodyRead || input.heldByteCount > 0
            input.discard()
            exchange.body = nil
            closeAfterFlush(lingers: lingers)
        } else if isBodyRead {
            awaitNextHead()
        } else {
            phase = .draining
            deadline = loop.deadline(after: loop.timeouts.bodyWindow)
            drainedByteCount = exchange.body?.dropBuffered() ?? 0
            receiveBody(ByteBuffer())
            readIfWanted()
        }
    }

    /// The connection can be used again after this response.
    private func keepsAlive(after response: HTTPResponse) -> Bool {
        guard exchange.keepsAlive, !response.closesConnection, !loop.isStopping else { return false }
        guard let body = exchange.body, !body.isComplete else { return true }
        guard !body.hasFailed, !body.awaitsInterimResponse else { return false }
        guard let remaining = body.remainingByteCount else { return true }
        return remaining <= UInt64(loop.limits.drainedBodyByteCountMax)
    }

    private func writeHead(_ response: HTTPResponse, framing: HTTPResponseFraming, context: ChannelHandlerContext) {
        loop.counters.countResponse(status: response.status.code)
        let head = HTTPResponseHead(
            response, framing: framing, isHead: exchange.isHead,
            connection: exchange.keepsAlive ? (exchange.isHTTP10 ? .keepAlive : .unsaid) : .close,
            date: loop.date.current())
        context.write(wrapOutboundOut(.head(head)), promise: nil)
    }
}
