package import NIOCore
package import NIOPosix

/// Threads for hashing what is too large to hash on an event loop (MD5 costs 1.7 ms per MiB).
package struct S3HashingPool: Sendable {
    package let threads: NIOThreadPool

    /// - Parameter threads: started, and shut down after the last request, by whoever makes the pool.
    package init(threads: NIOThreadPool) {
        self.threads = threads
    }

    /// Runs work on one of the threads; the future completes on `eventLoop`. It fails only when the pool has been shut down.
    package func start<Result: Sendable>(
        on eventLoop: any EventLoop, _ work: @escaping @Sendable () -> Result
    ) -> EventLoopFuture<Result> {
        threads.runIfActive(eventLoop: eventLoop, work)
    }
}
