/// The two text formats of a scrape.
package enum ExpositionFormat: Sendable, Equatable {
    /// Prometheus text format 0.0.4.
    case prometheus
    /// OpenMetrics 1.0.
    case openMetrics

    package var contentType: String {
        switch self {
        case .prometheus: "text/plain; version=0.0.4; charset=utf-8"
        case .openMetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8"
        }
    }

    /// What an `Accept` header asks for: OpenMetrics where it is named, not refused (`q=0`), and not preferred less than plain text.
    package static func negotiate(accept: String?) -> ExpositionFormat {
        var openMetrics = 0.0
        var plain = 0.0
        for range in (accept ?? "").split(separator: ",") {
            let parts = range.split(separator: ";").map { part in
                String(part.drop { $0 == " " || $0 == "\t" }.reversed().drop { $0 == " " || $0 == "\t" }.reversed())
                    .lowercased()
            }
            let quality = parts.dropFirst().first { $0.hasPrefix("q=") }.map { Double($0.dropFirst(2)) ?? 0 } ?? 1
            switch parts.first {
            case "application/openmetrics-text": openMetrics = max(openMetrics, quality)
            case "text/plain": plain = max(plain, quality)
            default: break
            }
        }
        return openMetrics > 0 && openMetrics >= plain ? .openMetrics : .prometheus
    }
}

/// Writes metric families as text, each family's lines together, which both formats require.
struct ExpositionWriter {
    private var bytes: [UInt8] = []
    private let format: ExpositionFormat

    init(format: ExpositionFormat) {
        self.format = format
        bytes.reserveCapacity(16 << 10)
    }

    mutating func write(
        _ families: [(name: String, family: PrometheusRegistry.Family)], help: [String: String], collected: [MetricSample]
    ) {
        for (name, family) in families {
            header(name: name, kind: family.kind, help: help[name])
            for (labels, handler) in family.series.sorted(by: { $0.key < $1.key }) {
                write(handler, name: name, labels: labels)
            }
        }
        writeCollected(collected, taken: Set(families.map(\.name)))
    }

    mutating func finish() -> [UInt8] {
        if format == .openMetrics { append("# EOF\n") }
        return bytes
    }

    private mutating func write(_ handler: PrometheusRegistry.Handler, name: String, labels: MetricLabels) {
        switch handler {
        case .counter(let counter): sample(name + "_total", labels, counter.current)
        case .floatingPointCounter(let counter): sample(name + "_total", labels, counter.current)
        case .gauge(let gauge): sample(name, labels, gauge.current)
        case .histogram(let histogram):
            let (cumulative, sum) = histogram.snapshot
            for (index, count) in cumulative.enumerated() {
                let bound = index < histogram.bounds.count ? Self.text(histogram.bounds[index]) : "+Inf"
                sample(name + "_bucket", labels, Double(count), bound: bound)
            }
            sample(name + "_sum", labels, sum)
            sample(name + "_count", labels, Double(cumulative.last ?? 0))
        }
    }

    /// Collected samples form families too; one whose name is a metric's already would make the scrape invalid and is left out.
    private mutating func writeCollected(_ samples: [MetricSample], taken: Set<String>) {
        var order: [String] = []
        var byName: [String: [MetricSample]] = [:]
        for sample in samples {
            let name =
                sample.kind == .counter ? PrometheusMetricsFactory.counterName(sample.name) : MetricName.sanitized(sample.name)
            if byName[name] == nil { order.append(name) }
            byName[name, default: []].append(sample)
        }
        for name in order where !taken.contains(name) {
            guard let samples = byName[name], let first = samples.first else { continue }
            header(name: name, kind: first.kind == .counter ? .counter : .gauge, help: first.help)
            var seen: Set<MetricLabels> = []
            for sample in samples where sample.kind == first.kind {
                let labels = MetricLabels(sample.labels)
                guard seen.insert(labels).inserted else { continue }
                self.sample(first.kind == .counter ? name + "_total" : name, labels, sample.value)
            }
        }
    }

    /// A counter's family is named without `_total` in OpenMetrics and with it in the older format.
    private mutating func header(name: String, kind: PrometheusRegistry.Kind, help: String?) {
        let family = kind == .counter && format == .prometheus ? name + "_total" : name
        append("# HELP \(family) \(Self.escaped(help ?? "\(name) of rustfs-metadata.", quotes: format == .openMetrics))\n")
        append("# TYPE \(family) \(kind.rawValue)\n")
    }

    private mutating func sample(_ name: String, _ labels: MetricLabels, _ value: Double, bound: String? = nil) {
        append(name)
        var pairs = labels.pairs.map { "\($0.name)=\"\(Self.escaped($0.value, quotes: true))\"" }
        if let bound { pairs.append("le=\"\(bound)\"") }
        if !pairs.isEmpty { append("{\(pairs.joined(separator: ","))}") }
        append(" \(Self.text(value))\n")
    }

    private mutating func append(_ text: String) { bytes += text.utf8 }

    static func escaped(_ text: String, quotes: Bool) -> String {
        var result = ""
        for character in text.unicodeScalars {
            switch character {
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\"" where quotes: result += "\\\""
            default: result.unicodeScalars.append(character)
            }
        }
        return result
    }

    /// Whole numbers without a fraction, so that a counter reads as one.
    static func text(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
        if value == value.rounded(), abs(value) < 9e15 { return String(Int64(value)) }
        return String(value)
    }
}
