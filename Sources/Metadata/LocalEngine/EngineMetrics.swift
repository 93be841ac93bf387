import Metrics

/// The engine's figures for operators, under `rustfs_metadata_…`.
struct EngineMetrics: Sendable {
    /// From a write's arrival to its outcome.
    private let writeLatency = Timer(label: "rustfs_metadata_write_latency_seconds")
    /// What one group of writes takes at the store: the log's sync, mostly.
    private let commitDuration = Timer(label: "rustfs_metadata_commit_duration_seconds")
    private let batchSize = Recorder(label: "rustfs_metadata_commit_batch_size")
    private let queueDepth = Gauge(label: "rustfs_metadata_write_queue_depth")
    private let appliedIndex = Gauge(label: "rustfs_metadata_applied_index")
    private let applied = Counter(label: "rustfs_metadata_writes_total", dimensions: [("outcome", "applied")])
    /// A precondition, a missing bucket and the like: an answer, not a failure.
    private let declined = Counter(label: "rustfs_metadata_writes_total", dimensions: [("outcome", "declined")])
    private let failed = Counter(label: "rustfs_metadata_writes_total", dimensions: [("outcome", "failed")])

    enum Outcome {
        case applied
        case declined
        case failed

        init(_ result: WriteResult) {
            self =
                switch result {
                case .applied(.change(.success)), .applied(.batch), .accepted: .applied
                case .applied(.change(.failure)): .declined
                case .notApplied: .failed
                }
        }
    }

    /// - Parameter nanoseconds: from the write's arrival.
    func wrote(_ outcome: Outcome, nanoseconds: Int64) {
        switch outcome {
        case .applied: applied.increment()
        case .declined: declined.increment()
        case .failed: failed.increment()
        }
        writeLatency.recordNanoseconds(nanoseconds)
    }

    func committed(batchCount: Int, nanoseconds: Int64, appliedIndex index: UInt64) {
        commitDuration.recordNanoseconds(nanoseconds)
        batchSize.record(batchCount)
        appliedIndex.record(Int64(clamping: index))
    }

    func queued(_ count: Int) {
        queueDepth.record(count)
    }
}
