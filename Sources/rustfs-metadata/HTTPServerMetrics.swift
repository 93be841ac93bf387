import HTTPServer
import Telemetry

extension PrometheusMetricsFactory {
    /// Exports an HTTP server's own counters, labelled with its name.
    func registerHTTPServer(_ name: String, statistics: @escaping @Sendable () -> HTTPServerStatistics) {
        registerCollector {
            let now = statistics()
            func counter(_ metric: String, _ help: String, _ value: UInt64, _ labels: [(String, String)] = []) -> MetricSample {
                MetricSample(
                    name: "rustfs_metadata_http_\(metric)_total", help: help, kind: .counter,
                    labels: [("server", name)] + labels,
                    value: Double(value))
            }
            var samples = [
                MetricSample(
                    name: "rustfs_metadata_http_connections_open", help: "Connections open now.", labels: [("server", name)],
                    value: Double(now.connectionsOpen)),
                counter("connections", "Connections accepted.", now.connectionsAccepted),
                counter("connections_refused", "Connections turned away because too many were open.", now.connectionsRefused),
                counter("timeouts", "Connections closed because the client was too slow.", now.timeouts),
                counter("violations", "Requests refused because they were not HTTP or broke a limit.", now.violations),
                counter("received_bytes", "Bytes received.", now.bytesReceived),
                counter("sent_bytes", "Bytes sent.", now.bytesSent),
            ]
            for (digit, count) in now.responsesByClass.enumerated().dropFirst() {
                samples.append(
                    counter("responses", "Responses by the class of their status.", count, [("class", "\(digit)xx")]))
            }
            return samples
        }
    }
}
