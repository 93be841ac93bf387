import Metrics
import Synchronization
import Telemetry
import Testing

@Suite("Metrics are exported for Prometheus")
struct MetricsTests {
    private let factory = PrometheusMetricsFactory(seriesCountMax: 3)

    private func parse(_ format: ExpositionFormat) async throws -> ExpositionParser {
        let text = String(decoding: await factory.exposition(format: format), as: UTF8.self)
        return try ExpositionParser(text, isOpenMetrics: format == .openMetrics)
    }

    @Test(
        "Every kind has its type, its suffix and its value, in both formats",
        arguments: [ExpositionFormat.prometheus, .openMetrics])
    func kinds(format: ExpositionFormat) async throws {
        Counter(label: "requests", dimensions: [("method", "GET")], factory: factory).increment(by: 3)
        FloatingPointCounter(label: "energy_total", factory: factory).increment(by: 1.5)
        Gauge(label: "temperature", factory: factory).record(-2.25)
        Meter(label: "open", factory: factory).increment(by: 2)
        Recorder(label: "body_bytes", factory: factory).record(Int64(5))
        Timer(label: "latency", factory: factory).recordNanoseconds(3_000_000)
        let families = try await parse(format).families
        let suffix = format == .prometheus ? "_total" : ""
        #expect(families["requests" + suffix]?.type == "counter")
        #expect(families["requests" + suffix]?.samples.first?.name == "requests_total")
        #expect(families["requests" + suffix]?.samples.first?.labels == ["method": "GET"])
        #expect(families["requests" + suffix]?.samples.first?.value == 3)
        #expect(families["energy" + suffix]?.samples.first?.value == 1.5)
        #expect(families["temperature"]?.type == "gauge")
        #expect(families["temperature"]?.samples.first?.value == -2.25)
        #expect(families["open"]?.samples.first?.value == 2)
        #expect(families["body_bytes"]?.type == "histogram")
        let latency = try #require(families["latency_seconds"])
        #expect(latency.type == "histogram")
        #expect(latency.samples.first { $0.name == "latency_seconds_sum" }?.value == 0.003)
        #expect(latency.samples.first { $0.labels["le"] == "0.0025" }?.value == 0)
        #expect(latency.samples.first { $0.labels["le"] == "0.005" }?.value == 1)
    }

    @Test("A value on a bound belongs to its bucket, one above the last to +Inf alone")
    func bounds() async throws {
        let timer = Timer(label: "t", factory: factory)
        for nanoseconds: Int64 in [100_000, 100_001, 30_000_000_000, 30_000_000_001, -5] {
            timer.recordNanoseconds(nanoseconds)
        }
        let samples = try #require(try await parse(.prometheus).families["t_seconds"]).samples
        func bucket(_ bound: String) -> Double? { samples.first { $0.labels["le"] == bound }?.value }
        #expect(bucket("0.0001") == 2)
        #expect(bucket("0.00025") == 3)
        #expect(bucket("30") == 4)
        #expect(bucket("+Inf") == 5)
    }

    @Test("Illegal names and labels become legal, values and help are escaped")
    func escaping() async throws {
        factory.describe("9 lives/π", "back\\slash and\nline")
        Gauge(label: "9 lives/π", dimensions: [("the-label", "a\"b\\c\nd"), ("le", "x"), ("", "y")], factory: factory).record(1)
        for format in [ExpositionFormat.prometheus, .openMetrics] {
            let families = try await parse(format).families
            let (name, family) = try #require(families.first)
            #expect(name == "_9_lives___")
            #expect(family.help == "back\\\\slash and\\nline")
            #expect(family.samples.first?.labels == ["the_label": "a\"b\\c\nd", "le_": "x", "_": "y"])
        }
    }

    @Test("Labels in another order are the same series")
    func labelOrder() async throws {
        Counter(label: "c", dimensions: [("a", "1"), ("b", "2")], factory: factory).increment()
        Counter(label: "c", dimensions: [("b", "2"), ("a", "1")], factory: factory).increment()
        #expect(try await parse(.prometheus).families["c_total"]?.samples.map(\.value) == [2])
    }

    @Test("Labels without end are counted in one series instead of filling the memory")
    func overflow() async throws {
        for number in 0..<50 { Counter(label: "c", dimensions: [("key", "\(number)")], factory: factory).increment() }
        let samples = try #require(try await parse(.prometheus).families["c_total"]).samples
        #expect(samples.count == 4)
        #expect(samples.first { $0.labels == ["overflow": "true"] }?.value == 47)
    }

    @Test("A name that is taken by another kind still works, and the scrape stays valid")
    func clash() async throws {
        Gauge(label: "thing", factory: factory).record(1)
        Recorder(label: "thing", factory: factory).record(2)
        FloatingPointCounter(label: "n", factory: factory).increment(by: 0.5)
        Counter(label: "n", factory: factory).increment()
        let families = try await parse(.openMetrics).families
        #expect(families["thing"]?.type == "gauge")
        #expect(families["n"]?.samples.map(\.value) == [0.5])
    }

    @Test("Collectors are asked at each scrape, their samples grouped by name, and never break it")
    func collectors() async throws {
        let rounds = Rounds()
        factory.registerCollector {
            let round = rounds.next()
            return [
                MetricSample(name: "objects", help: "Objects.", labels: [("bucket", "a")], value: round),
                MetricSample(name: "reads_total", help: "Reads.", kind: .counter, value: 7),
                MetricSample(name: "objects", help: "Objects.", labels: [("bucket", "b")], value: .infinity),
                MetricSample(name: "objects", help: "Objects.", labels: [("bucket", "b")], value: 9),
                MetricSample(name: "mine", help: "Mine.", value: 1),
            ]
        }
        Gauge(label: "mine", factory: factory).record(5)
        _ = try await parse(.prometheus)
        let families = try await parse(.prometheus).families
        #expect(families["objects"]?.samples.map(\.value) == [2, .infinity])
        #expect(families["objects"]?.help == "Objects.")
        #expect(families["reads_total"]?.type == "counter")
        #expect(families["mine"]?.samples.map(\.value) == [5])
    }

    @Test("Increments of many threads are all counted")
    func concurrency() async throws {
        let counter = Counter(label: "c", factory: factory)
        let double = FloatingPointCounter(label: "d", factory: factory)
        let timer = Timer(label: "t", factory: factory)
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    for _ in 0..<5000 {
                        counter.increment()
                        double.increment(by: 0.5)
                        timer.recordNanoseconds(1)
                    }
                }
            }
        }
        let families = try await parse(.prometheus).families
        #expect(families["c_total"]?.samples.first?.value == 40_000)
        #expect(families["d_total"]?.samples.first?.value == 20_000)
        #expect(families["t_seconds"]?.samples.first { $0.name.hasSuffix("_count") }?.value == 40_000)
    }

    @Test("A counter never falls and ignores what is no increment")
    func counterOnlyGrows() async throws {
        let counter = FloatingPointCounter(label: "c", factory: factory)
        for amount in [1, -5, Double.nan, .infinity, 0.5] { counter.increment(by: amount) }
        let integer = Counter(label: "i", factory: factory)
        for amount in [Int64.max, .max, .max, .max] { integer.increment(by: amount) }
        let families = try await parse(.prometheus).families
        #expect(families["c_total"]?.samples.first?.value == 1.5)
        #expect((families["i_total"]?.samples.first?.value ?? 0) > 0)
    }

    @Test("The process tells of itself")
    func process() async throws {
        let process = ProcessMetrics()
        factory.registerCollector { process.samples() }
        let families = try await parse(.openMetrics).families
        #expect(families["process_cpu_seconds"]?.type == "counter")
        #expect((families["process_resident_memory_bytes"]?.samples.first?.value ?? 0) > 1_000_000)
        #expect((families["process_open_fds"]?.samples.first?.value ?? 0) >= 3)
        #expect((families["process_threads"]?.samples.first?.value ?? 0) >= 1)
        #expect((families["process_start_time_seconds"]?.samples.first?.value ?? 0) > 1_500_000_000)
        #expect((families["process_max_fds"]?.samples.first?.value ?? 0) > 0)
    }

    @Test(
        "The Accept header decides the format",
        arguments: [
            (nil, ExpositionFormat.prometheus), ("", .prometheus), ("*/*", .prometheus), ("text/plain", .prometheus),
            ("application/openmetrics-text", .openMetrics),
            ("application/openmetrics-text; version=1.0.0; charset=utf-8", .openMetrics),
            ("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.4", .openMetrics),
            ("application/openmetrics-text;q=0.3, text/plain;q=0.9", .prometheus),
            ("application/openmetrics-text;q=0", .prometheus),
        ])
    func negotiation(accept: String?, format: ExpositionFormat) {
        #expect(ExpositionFormat.negotiate(accept: accept) == format)
    }
}

private final class Rounds: Sendable {
    private let count = Mutex(0.0)
    func next() -> Double {
        count.withLock {
            $0 += 1
            return $0
        }
    }
}
