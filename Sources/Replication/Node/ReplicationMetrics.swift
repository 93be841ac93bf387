import Metrics
import Raft
import RaftStorage

/// Replication's figures for operators, under `rustfs_metadata_…`.
package struct ReplicationMetrics: Sendable {
    private let appliedIndex = Gauge(label: "rustfs_metadata_applied_index")
    private let applyBatchSize = Recorder(label: "rustfs_metadata_apply_batch_size")
    private let term = Gauge(label: "rustfs_metadata_raft_term")
    private let isLeader = Gauge(label: "rustfs_metadata_raft_is_leader")
    private let hasLeader = Gauge(label: "rustfs_metadata_has_leader")
    private let leaderChanges = Counter(label: "rustfs_metadata_raft_leader_changes_total")
    private let writeLatency = Timer(label: "rustfs_metadata_write_latency_seconds")
    private let readLatency = Timer(label: "rustfs_metadata_read_index_latency_seconds")
    private let logWriteDuration = Timer(label: "rustfs_metadata_log_write_duration_seconds")
    private let logWriteSize = Recorder(label: "rustfs_metadata_log_write_size_bytes")
    private let applyDuration = Timer(label: "rustfs_metadata_apply_duration_seconds")

    package init() {}

    /// A batch is in the store, and readers see it.
    func applied(_ count: Int, index: LogIndex, in duration: Duration) {
        applyBatchSize.record(count)
        applyDuration.record(duration: duration)
        appliedIndex.record(Int64(clamping: index.rawValue))
    }

    func standing(_ standing: Standing) {
        term.record(Int64(clamping: standing.term.rawValue))
        isLeader.record(standing.role == .leader ? 1 : 0)
        hasLeader.record(standing.leader == nil ? 0 : 1)
        if standing.leader != nil { leaderChanges.increment() }
    }

    /// The log has made something durable.
    func wrote(_ round: LogWriter.Round) {
        logWriteDuration.record(duration: round.duration)
        logWriteSize.record(round.byteCount)
    }

    /// - Parameter nanoseconds: from the call to its outcome.
    func wrote(nanoseconds: Int64) { writeLatency.recordNanoseconds(nanoseconds) }
    func confirmedRead(nanoseconds: Int64) { readLatency.recordNanoseconds(nanoseconds) }
}
