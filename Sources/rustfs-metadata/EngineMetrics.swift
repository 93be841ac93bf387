import Metadata
import Telemetry

extension PrometheusMetricsFactory {
    /// Buckets whose figures are exported; the page must stay short however many there are.
    private static var bucketCountMax: Int { 1000 }

    /// Exports the engine's state and the counters of the buckets of these owners (canonical ids).
    func registerEngine(_ engine: some ServedEngine, owners: [String]) {
        for (name, help) in Self.engineHelp { describe(name, help) }
        registerCollector {
            engine.storeFigures.map { figure in
                MetricSample(
                    name: "rustfs_metadata_store_\(figure.name)", help: "A figure of the key-value store.", value: figure.value)
            }
        }
        registerCollector {
            var samples: [MetricSample] = []
            for owner in owners {
                let request = ListBuckets(owner: owner, maxBuckets: Self.bucketCountMax)
                guard let page = try? await engine.listBuckets(request, read: .eventual) else { continue }
                for bucket in page.buckets where samples.count < 3 * Self.bucketCountMax {
                    let reference = BucketReference(name: bucket.name, requiredOwner: nil)
                    // A bucket may be gone by now.
                    guard let usage = try? await engine.bucketUsage(reference, read: .eventual) else { continue }
                    samples += Self.samples(of: usage, bucket: bucket.name)
                }
            }
            return samples
        }
    }

    /// What the engine itself records, by swift-metrics, which knows no help texts.
    private static let engineHelp = [
        ("rustfs_metadata_write_latency_seconds", "From a write's arrival at the engine to its outcome."),
        ("rustfs_metadata_commit_duration_seconds", "What one group of writes takes at the store, its sync included."),
        ("rustfs_metadata_commit_batch_size", "Writes that the last commit held."),
        ("rustfs_metadata_write_queue_depth", "Writes that wait for the next commit."),
        ("rustfs_metadata_applied_index", "The last operation that reads see."),
        ("rustfs_metadata_s3_requests_total", "S3 requests by operation, HTTP status and, where there is one, S3 error code."),
        (
            "rustfs_metadata_s3_request_duration_seconds",
            "From a request's head to the beginning of its response; what of a body is streamed back is not counted."
        ),
        ("rustfs_metadata_writes_total", "Writes by outcome: applied, declined by a precondition or the like, failed."),
    ]

    private static func samples(of usage: BucketUsage, bucket: String) -> [MetricSample] {
        let labels = [("bucket", bucket)]
        return [
            MetricSample(
                name: "rustfs_metadata_bucket_objects", help: "Keys whose newest version is not a delete marker.",
                labels: labels,
                value: Double(usage.objectCount)),
            MetricSample(
                name: "rustfs_metadata_bucket_versions", help: "All versions, delete markers included.", labels: labels,
                value: Double(usage.versionCount)),
            MetricSample(
                name: "rustfs_metadata_bucket_bytes", help: "Bytes of the bodies of all versions.", labels: labels,
                value: Double(usage.byteCount)),
        ]
    }
}
