package import CoreMetrics

/// The backend of swift-metrics that Prometheus scrapes.
///
/// Counters become counters (`…_total`), meters and plain recorders gauges, timers histograms of seconds (`…_seconds`) and
/// aggregating recorders histograms. Names and labels are made legal. A metric whose name already belongs to one of another kind
/// works and is not exported: the alternative is a scrape that the whole of Prometheus refuses.
package struct PrometheusMetricsFactory: Sendable {
    private let registry: PrometheusRegistry

    /// - Parameter seriesCountMax: sets of labels that one name may have; the rest is counted together.
    package init(seriesCountMax: Int = 1000) {
        registry = PrometheusRegistry(seriesCountMax: seriesCountMax)
    }

    /// The text of the HELP line of a metric, by the label that it was made with.
    package func describe(_ label: String, _ help: String) {
        for name in Set([Self.counterName(label), Self.timerName(label), MetricName.sanitized(label)]) {
            registry.setHelp(help, of: name)
        }
    }

    /// `collect` is called at each scrape, on the executor that serves it: it may suspend, and must not block.
    package func registerCollector(_ collect: @escaping @Sendable () async -> [MetricSample]) {
        registry.register(collect)
    }

    /// All metrics as text. Thread-safe.
    package func exposition(format: ExpositionFormat) async -> [UInt8] {
        let snapshot = await registry.snapshot()
        var writer = ExpositionWriter(format: format)
        writer.write(snapshot.families, help: snapshot.help, collected: snapshot.collected)
        return writer.finish()
    }

    static func counterName(_ label: String) -> String {
        let name = MetricName.sanitized(label)
        return name.hasSuffix("_total") ? String(name.dropLast("_total".count)) : name
    }

    static func timerName(_ label: String) -> String {
        let name = MetricName.sanitized(label)
        return name.hasSuffix("_seconds") ? name : name + "_seconds"
    }
}

extension PrometheusMetricsFactory: MetricsFactory {
    package func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        registry.handler(
            name: Self.counterName(label), kind: .counter, labels: MetricLabels(dimensions),
            make: {
                let handler = PrometheusCounter()
                return (handler, .counter(handler))
            },
            existing: { if case .counter(let handler) = $0 { handler } else { nil } }) ?? PrometheusCounter()
    }

    package func makeFloatingPointCounter(label: String, dimensions: [(String, String)]) -> any FloatingPointCounterHandler {
        registry.handler(
            name: Self.counterName(label), kind: .counter, labels: MetricLabels(dimensions),
            make: {
                let handler = PrometheusFloatingPointCounter()
                return (handler, .floatingPointCounter(handler))
            },
            existing: { if case .floatingPointCounter(let handler) = $0 { handler } else { nil } })
            ?? PrometheusFloatingPointCounter()
    }

    package func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        gauge(label: label, dimensions: dimensions)
    }

    package func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
        guard aggregate else { return gauge(label: label, dimensions: dimensions) }
        return histogram(name: MetricName.sanitized(label), dimensions: dimensions, bounds: PrometheusHistogram.sizeBounds)
    }

    package func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        histogram(name: Self.timerName(label), dimensions: dimensions, bounds: PrometheusHistogram.durationBounds)
    }

    private func gauge(label: String, dimensions: [(String, String)]) -> PrometheusGauge {
        registry.handler(
            name: MetricName.sanitized(label), kind: .gauge, labels: MetricLabels(dimensions),
            make: {
                let handler = PrometheusGauge()
                return (handler, .gauge(handler))
            },
            existing: { if case .gauge(let handler) = $0 { handler } else { nil } }) ?? PrometheusGauge()
    }

    private func histogram(name: String, dimensions: [(String, String)], bounds: [Double]) -> PrometheusHistogram {
        registry.handler(
            name: name, kind: .histogram, labels: MetricLabels(dimensions),
            make: {
                let handler = PrometheusHistogram(bounds: bounds)
                return (handler, .histogram(handler))
            },
            existing: { if case .histogram(let handler) = $0 { handler } else { nil } }) ?? PrometheusHistogram(bounds: bounds)
    }

    // Series live as long as the process: a counter that disappears and comes back looks like a restart.
    package func destroyCounter(_ handler: any CounterHandler) {}
    package func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) {}
    package func destroyMeter(_ handler: any MeterHandler) {}
    package func destroyRecorder(_ handler: any RecorderHandler) {}
    package func destroyTimer(_ handler: any TimerHandler) {}
}
