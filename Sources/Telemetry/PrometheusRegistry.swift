import Synchronization

/// All metrics of a process, by name and labels.
///
/// Looking a metric up takes a lock; using it does not. A name has one kind, and at most `seriesCountMax` sets of labels, so that
/// a label made of a client's input cannot fill the memory: what comes later counts in one series labelled `overflow="true"`.
final class PrometheusRegistry: Sendable {
    enum Kind: String, Sendable {
        case counter
        case gauge
        case histogram
    }

    enum Handler: Sendable {
        case counter(PrometheusCounter)
        case floatingPointCounter(PrometheusFloatingPointCounter)
        case gauge(PrometheusGauge)
        case histogram(PrometheusHistogram)
    }

    typealias Collector = @Sendable () async -> [MetricSample]

    struct Family: Sendable {
        var kind: Kind
        var series: [MetricLabels: Handler] = [:]
    }

    private struct State {
        var families: [String: Family] = [:]
        var help: [String: String] = [:]
        var collectors: [Collector] = []
    }

    private let state = Mutex(State())
    private let seriesCountMax: Int

    init(seriesCountMax: Int) { self.seriesCountMax = seriesCountMax }

    /// The handler of a series, made on first use. `nil` when the name belongs to metrics of another kind.
    func handler<H>(
        name: String, kind: Kind, labels: MetricLabels, make: () -> (H, Handler), existing: (Handler) -> H?
    ) -> H? {
        state.withLock { state in
            var family = state.families[name] ?? Family(kind: kind)
            guard family.kind == kind else { return nil }
            let isFull = family.series.count >= seriesCountMax && family.series[labels] == nil
            let key = isFull ? MetricLabels([("overflow", "true")]) : labels
            if let found = family.series[key] { return existing(found) }
            let (handler, entry) = make()
            family.series[key] = entry
            state.families[name] = family
            return handler
        }
    }

    func setHelp(_ text: String, of name: String) {
        state.withLock { $0.help[name] = text }
    }

    func register(_ collector: @escaping Collector) {
        state.withLock { $0.collectors.append(collector) }
    }

    /// Everything as it is now. Collectors run outside the lock: they may wait, and use metrics themselves.
    func snapshot() async -> (families: [(name: String, family: Family)], help: [String: String], collected: [MetricSample]) {
        let collectors = state.withLock { $0.collectors }
        var collected: [MetricSample] = []
        for collect in collectors { collected += await collect() }
        let (families, help) = state.withLock { ($0.families, $0.help) }
        return (families.sorted { $0.key < $1.key }.map { (name: $0.key, family: $0.value) }, help, collected)
    }
}

/// A value that is asked for when metrics are scraped.
package struct MetricSample: Sendable {
    package enum Kind: Sendable { case counter, gauge }

    package var name: String
    package var help: String
    package var kind: Kind
    package var labels: [(String, String)]
    package var value: Double

    /// - Parameter name: a counter's without or with its `_total`; names of one sample kind are of that kind everywhere.
    package init(name: String, help: String, kind: Kind = .gauge, labels: [(String, String)] = [], value: Double) {
        self.name = name
        self.help = help
        self.kind = kind
        self.labels = labels
        self.value = value
    }
}
