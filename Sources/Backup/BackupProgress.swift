/// What is asked of a `BackupExporter`.
package struct BackupRequest: Hashable, Sendable {
    /// Absolute; its directory exists, it ends with `.snap`, and there is no such file.
    package var path: String
    /// The bodies above the inline size, too.
    package var withData: Bool
    /// Bytes written in a second, at most.
    package var bytesPerSecond: UInt64 = 32 << 20

    package init(path: String, withData: Bool) {
        self.path = path
        self.withData = withData
    }
}

/// How far a backup is, for operators.
package struct BackupProgress: Sendable {
    package enum State: Sendable {
        case running
        case done(id: String)
        case failed(BackupError)
    }

    package var request: BackupRequest
    package var state = State.running
    /// The last operation in it; nil: not known yet.
    package var index: UInt64?
    package var writtenByteCount: UInt64 = 0
    /// Of the whole file; 0: not known yet.
    package var fileByteCount: UInt64 = 0

    init(_ request: BackupRequest) { self.request = request }
}

/// Keeps writing at a rate, without making up for what was lost: a slow disk is not hurried afterwards.
struct BackupPace {
    let bytesPerSecond: UInt64
    private var due = ContinuousClock.now

    init(bytesPerSecond: UInt64) { self.bytesPerSecond = max(1, bytesPerSecond) }

    /// Returns when so many more bytes are within the rate. - Throws: `.stopped` when the task is cancelled.
    mutating func spend(_ byteCount: Int) async throws(BackupError) {
        due = max(due, ContinuousClock.now) + .nanoseconds(Int64(Double(byteCount) / Double(bytesPerSecond) * 1e9))
        do { try await Task.sleep(until: due, clock: .continuous) } catch { throw .stopped }
    }
}
