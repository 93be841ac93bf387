import NIOCore
import NIOHTTP1

extension HTTPConnection {
    /// A head is complete: its body is collected first if it is small and under way, else the handler starts at once.
    func receive(_ head: HTTPRequestHead) {
        // What the decoder had in hand when an earlier part was refused.
        guard phase == .awaitingHead else { return }
        isHeadTimed = false
        guard let head = HTTPRequestHeadFields(head) else {
            refuse(.malformedRequest)
            return
        }
        guard head.expectation != .unsupported else {
            refuse(with: HTTPResponse(status: .expectationFailed, headers: [:]))
            return
        }
        bodyWindow = HTTPBodyWindow(start: loop.now, byteCount: 0)
        input.expectBody(head.framing)
        if case .length(let byteCount) = head.framing,
            byteCount == 0 || (byteCount <= UInt64(loop.limits.collectedBodyByteCountMax) && head.expectation == .none)
        {
            // Nothing is to come, but a client that expects an interim response may take a final one that arrives without it
            // for the answer to its next request on this connection (botocore does).
            if head.expectation == .interimResponse { writeInterimResponse() }
            pendingHead = head
            phase = .collecting
            return
        }
        // A client that has sent some of its body already does not wait.
        exchange.body = HTTPStreamedBody(
            framing: head.framing,
            awaitsInterimResponse: head.expectation == .interimResponse && input.heldByteCount == 0)
        start(head, body: .streamed(HTTPConnectionBody(connection: self, exchangeNumber: exchange.number + 1)))
    }

    func receiveBody(_ bytes: ByteBuffer) {
        bodyWindow.byteCount += bytes.readableBytes
        switch phase {
        case .collecting:
            collect(bytes)
        case .responding:
            exchange.body?.append(bytes)
        case .draining:
            drainedByteCount += bytes.readableBytes
            exchange.body?.pass(bytes)
            if drainedByteCount > loop.limits.drainedBodyByteCountMax {
                input.discard()
                closeAfterFlush(lingers: true)
            }
        case .awaitingHead, .closing, .lingering, .closed:
            break
        }
    }

    private func collect(_ bytes: ByteBuffer) {
        guard pendingBody.readableBytes > 0 else {
            pendingBody = bytes
            return
        }
        if case .length(let byteCount) = pendingHead?.framing, pendingBody.writableBytes < bytes.readableBytes {
            // One allocation for the whole body.
            var whole = ByteBufferAllocator().buffer(capacity: Int(byteCount))
            whole.writeImmutableBuffer(pendingBody)
            pendingBody = whole
        }
        pendingBody.writeImmutableBuffer(bytes)
    }

    func receiveEnd() {
        // Only the decoder knows where a chunked body ends.
        input.hold()
        switch phase {
        case .collecting:
            guard let head = pendingHead else { return }
            let body = pendingBody
            forgetPending()
            start(head, body: .collected(body))
        case .responding:
            exchange.body?.finish()
        case .draining:
            exchange.body?.finish()
            awaitNextHead()
        case .awaitingHead, .closing, .lingering, .closed:
            break
        }
    }

    /// The decoder gave up; it reads nothing more.
    func receiveMalformed() {
        switch phase {
        case .awaitingHead, .collecting:
            refuse(.malformedRequest)
        case .responding:
            input.discard()
            exchange.keepsAlive = false
            exchange.body?.fail(.malformed)
        case .draining:
            input.discard()
            closeAfterFlush(lingers: true)
        case .closing, .lingering, .closed:
            break
        }
    }

    func start(_ head: HTTPRequestHeadFields, body: HTTPRequestBody) {
        exchange.number += 1
        exchange.isHead = head.method == .HEAD
        exchange.isHTTP10 = head.isHTTP10
        exchange.keepsAlive = head.keepsAlive
        phase = .responding
        let number = exchange.number
        let request = HTTPRequest(
            method: head.method, target: head.target, headers: head.headers, body: body, remoteAddress: remoteAddress,
            isSecure: isSecure, peerCertificate: isSecure ? certificateOfPeer() : nil, eventLoop: loop.eventLoop)
        let produce: @Sendable () async -> HTTPResponse
        switch loop.handler.reply(to: request) {
        case .now(let response):
            respond(response, number: number)
            return
        case .promised(let promise):
            promise(HTTPResponsePromise { self.respondSoon($0, number: number) })
            return
        case .later(let body): produce = body
        }
        // Immediate: a handler that need not wait answers without a turn of the event loop.
        let task = Task.immediate(executorPreference: loop.executor) {
            await self.serve(number: number, produce)
        }
        if phase == .responding, exchange.number == number {
            exchange.task = task
        } else if phase == .closed {
            task.cancel()
        }
    }

    /// Answers what is not a request, and closes.
    func refuse(_ reason: HTTPProtocolViolation) {
        loop.counters.violations.increment()
        refuse(with: loop.handler.respond(toMalformed: reason))
    }

    func refuse(with response: HTTPResponse) {
        exchange.isHead = false
        exchange.isHTTP10 = false
        exchange.keepsAlive = false
        forgetPending()
        var response = response
        switch response.body {
        case .none, .omitted, .bytes: break
        case .streamed, .chunked: response.body = .none
        }
        writeWhole(response)
        input.discard()
        closeAfterFlush(lingers: true)
    }

    /// Back to the start, for the connection's next request.
    func awaitNextHead() {
        exchange.body = nil
        phase = .awaitingHead
        isHeadTimed = false
        deadline = loop.deadline(after: loop.timeouts.idle)
        if loop.isStopping {
            closeIfIdle()
        }
        admitHead()
    }
}
