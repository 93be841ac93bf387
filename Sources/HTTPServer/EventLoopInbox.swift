import NIOCore
import Synchronization

/// What other threads hand an event loop. All that waits costs the loop one task and one wake-up: a group of writes that becomes durable
/// together is answered together.
final class EventLoopInbox: Sendable {
    private let eventLoop: any EventLoop
    private let waiting = Mutex<[@Sendable () -> Void]>([])

    init(eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
    }

    /// Runs `body` on the loop, behind those that came before it. From any thread.
    func execute(_ body: @escaping @Sendable () -> Void) {
        let isFirst = waiting.withLock { waiting in
            waiting.append(body)
            return waiting.count == 1
        }
        if isFirst { eventLoop.execute { self.drain() } }
    }

    private func drain() {
        let bodies = waiting.withLock { waiting in
            defer { waiting = [] }
            return waiting
        }
        for body in bodies { body() }
    }
}
