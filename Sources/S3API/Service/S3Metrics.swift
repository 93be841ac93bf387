import Metrics
import NIOHTTP1
import Synchronization

/// Requests by operation and outcome, for Prometheus:
///
///     rustfs_metadata_s3_requests_total{operation="GetObject",code="404",error="NoSuchKey"}
///     rustfs_metadata_s3_request_duration_seconds{operation="GetObject"}
///
/// Names of operations and errors are those of the S3 API reference; `error` is missing where there is none. A request that is none of
/// an operation has the operation `Unknown`. So the sets of labels are bounded by what the service has. Any thread.
final class S3Metrics: Sendable {
    private struct Outcome: Hashable {
        var operation: String
        var status: UInt
        var error: String?
    }

    private struct State {
        var requests: [Outcome: Counter] = [:]
        var durations: [String: Metrics.Timer] = [:]
    }

    private let factory: any MetricsFactory
    private let state = Mutex(State())

    init(factory: any MetricsFactory) { self.factory = factory }

    static let requests = "rustfs_metadata_s3_requests_total"
    static let duration = "rustfs_metadata_s3_request_duration_seconds"

    /// - Parameters:
    ///   - operation: nil: none could be told.
    ///   - error: the code of the error document.
    ///   - begin: when the request was there, but for what of its body is streamed.
    func record(_ operation: S3Operation?, status: HTTPResponseStatus, error: String?, since begin: ContinuousClock.Instant) {
        let outcome = Outcome(operation: operation?.metricsName ?? "Unknown", status: status.code, error: error)
        let (counter, timer) = state.withLock { state in
            (
                state.requests[outcome] ?? makeCounter(outcome, &state),
                state.durations[outcome.operation] ?? makeTimer(outcome, &state)
            )
        }
        counter.increment()
        timer.record(duration: ContinuousClock.now - begin)
    }

    private func makeCounter(_ outcome: Outcome, _ state: inout State) -> Counter {
        var dimensions = [("operation", outcome.operation), ("code", "\(outcome.status)")]
        if let error = outcome.error { dimensions.append(("error", error)) }
        let counter = Counter(label: Self.requests, dimensions: dimensions, factory: factory)
        state.requests[outcome] = counter
        return counter
    }

    private func makeTimer(_ outcome: Outcome, _ state: inout State) -> Metrics.Timer {
        let timer = Metrics.Timer(label: Self.duration, dimensions: [("operation", outcome.operation)], factory: factory)
        state.durations[outcome.operation] = timer
        return timer
    }
}

extension S3Operation {
    /// What is not implemented counts as one: its names come from clients.
    fileprivate var metricsName: String {
        if case .notImplemented = self { "NotImplemented" } else { name }
    }
}
