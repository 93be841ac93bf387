import Metadata
package import NIOPosix

extension BackupError {
    /// Runs what blocks on a pool. - Throws: what it throws; `.stopped` when the pool has stopped.
    package static func blocking<Value: Sendable>(
        on threads: NIOThreadPool, _ work: @escaping @Sendable () throws(BackupError) -> Value
    ) async throws(BackupError) -> Value {
        guard let outcome = await threads.runBlocking({ Result { () throws(BackupError) in try work() } }) else {
            throw .stopped
        }
        return try outcome.get()
    }
}
