/// The names that Prometheus allows, made of whatever label a metric was given.
enum MetricName {
    /// `[a-zA-Z_][a-zA-Z0-9_]*`: other characters become `_`. (Colons are for recording rules.)
    static func sanitized(_ label: String) -> String {
        var bytes = label.utf8.map { isLetterOrUnderscore($0) || isDigit($0) ? $0 : UInt8(ascii: "_") }
        if bytes.first.map(isDigit) ?? true { bytes.insert(UInt8(ascii: "_"), at: 0) }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func isDigit(_ byte: UInt8) -> Bool { byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") }

    private static func isLetterOrUnderscore(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "_") || (byte | 0x20 >= UInt8(ascii: "a") && byte | 0x20 <= UInt8(ascii: "z"))
    }
}

/// A metric's labels: sorted, with legal and distinct names, so that two spellings of one set are one series.
struct MetricLabels: Sendable, Hashable, Comparable {
    private(set) var pairs: [Pair]

    struct Pair: Sendable, Hashable, Comparable {
        var name: String
        var value: String
        static func < (a: Pair, b: Pair) -> Bool { (a.name, a.value) < (b.name, b.value) }
    }

    /// Of two dimensions with one name the last counts. `le` belongs to histograms and is renamed.
    init(_ dimensions: [(String, String)]) {
        var byName: [String: String] = [:]
        for (label, value) in dimensions {
            let name = MetricName.sanitized(label)
            byName[name == "le" ? "le_" : name] = value
        }
        pairs = byName.map { Pair(name: $0.key, value: $0.value) }.sorted()
    }

    static func < (a: MetricLabels, b: MetricLabels) -> Bool { a.pairs.lexicographicallyPrecedes(b.pairs) }
}
