import NIOCore
import NIOHTTP1

extension HTTPConnection {
    /// Closes when everything written has left.
    ///
    /// - Parameter lingers: input may still be arriving. To close with it unread would reset the connection, and the client would
    ///   lose the response (RFC 9112, section 9.6): so only the outgoing side is closed, and input is discarded for a while.
    func closeAfterFlush(lingers: Bool) {
        guard phase != .closed, let context else { return }
        phase = .closing
        deadline = loop.deadline(after: loop.timeouts.writeStall)
        // Empty, so the encoder lets it pass as it is.
        context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(ByteBuffer())))).assumeIsolated().whenComplete { _ in
            guard self.phase == .closing else { return }
            if lingers {
                self.linger()
            } else {
                self.closeNow()
            }
        }
    }

    private func linger() {
        phase = .lingering
        deadline = loop.deadline(after: loop.timeouts.linger)
        if !isSecure {
            context?.close(mode: .output, promise: nil)
        }
        readIfWanted()
    }

    func closeNow() {
        context?.close(promise: nil)
    }

    /// The server is stopping: a connection without a request is closed, once the last response has left it.
    func closeIfIdle() {
        if phase == .awaitingHead, !input.hasHeadBegun {
            closeAfterFlush(lingers: false)
        }
    }

    /// Called by the loop's timer.
    func checkTimeouts(now: NIODeadline) {
        if let writeStallDeadline, now >= writeStallDeadline, isWriteStalled() {
            loop.counters.timeouts.increment()
            closeNow()
            return
        }
        switch phase {
        case .awaitingHead:
            guard now >= deadline else { return }
            if isHeadTimed {
                loop.counters.timeouts.increment()
                refuse(.headTimeout)
            } else {
                closeAfterFlush(lingers: false)
            }
        case .collecting:
            guard isBodyTooSlow(now: now) else { return }
            loop.counters.timeouts.increment()
            refuse(.headTimeout)
        case .responding:
            guard exchange.body?.wantsInput(limits: loop.limits) == true else {
                // The client cannot be blamed for what the server does not read.
                bodyWindow = HTTPBodyWindow(start: now, byteCount: 0)
                return
            }
            guard isBodyTooSlow(now: now) else { return }
            loop.counters.timeouts.increment()
            exchange.keepsAlive = false
            exchange.body?.fail(.timedOut)
        case .draining, .closing, .lingering:
            guard now >= deadline else { return }
            closeNow()
        case .closed:
            break
        }
    }

    /// Nothing has left since the last look; otherwise the client gets as much time again.
    private func isWriteStalled() -> Bool {
        guard let options = context?.channel.syncOptions, let unsent = try? options.getOption(.bufferedWritableBytes),
            unsent < stalledByteCount
        else { return true }
        stalledByteCount = unsent
        writeStallDeadline = loop.deadline(after: loop.timeouts.writeStall)
        return false
    }

    private func isBodyTooSlow(now: NIODeadline) -> Bool {
        guard now - bodyWindow.start >= TimeAmount(loop.timeouts.bodyWindow) else { return false }
        let isTooSlow = bodyWindow.byteCount < loop.timeouts.bodyByteCountMin
        bodyWindow = HTTPBodyWindow(start: now, byteCount: 0)
        return isTooSlow
    }
}
