package import NIOPosix

extension NIOThreadPool {
    /// Runs work that may block on the pool and returns its result to the caller's executor; `nil` when the pool has stopped.
    package func runBlocking<Value: Sendable>(_ work: @escaping @Sendable () -> Value) async -> Value? {
        await withCheckedContinuation { continuation in
            submit { state in
                switch state {
                case .active: continuation.resume(returning: work())
                case .cancelled: continuation.resume(returning: nil)
                }
            }
        }
    }
}
