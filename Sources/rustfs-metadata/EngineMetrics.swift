import Metadata
import Telemetry

extension PrometheusMetricsFactory {
    /// Buckets whose figures are exported; the page must stay short however many there are.
    private static var bucketCountMax: Int { 1000 }

    /// Exports the engine's state and the counters of the buckets of these owners (canonical ids).
    func registerEngine(_ engine: LocalMetadataEngine, owners: [String]) {
        registerCollector {
            let status = engine.status()
            guard !status.isClosed else { return [] }
            return status.storeFigures.map { figure in
                MetricSample(
                    name: "rustfs_metadata_store_\(figure.name)", help: "A figure of the key-value store.", value: figure.value)
            }
        }
        registerCollector {
            var samples: [MetricSample] = []
            for owner in owners {
                let request = ListBuckets(owner: owner, maxBuckets: Self.bucketCountMax)
                guard let page = try? await engine.listBuckets(request, consistency: .eventual) else { continue }
                for bucket in page.buckets where samples.count < 3 * Self.bucketCountMax {
                    let reference = BucketReference(name: bucket.name, requiredOwner: nil)
                    // A bucket may be gone by now.
                    guard let usage = try? await engine.bucketUsage(reference, consistency: .eventual) else { continue }
                    samples += Self.samples(of: usage, bucket: bucket.name)
                }
            }
            return samples
        }
    }

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
