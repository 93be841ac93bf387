/// A strict reader of Prometheus' text format 0.0.4 and of OpenMetrics: whatever it does not expect is an error.
struct ExpositionParser {
    struct ParseError: Error, CustomStringConvertible {
        var description: String
    }

    struct Family {
        var type: String
        var help: String
        /// By the sample's whole name and its labels as written.
        var samples: [(name: String, labels: [String: String], value: Double)] = []
    }

    private(set) var families: [String: Family] = [:]

    init(_ text: String, isOpenMetrics: Bool) throws {
        guard text.hasSuffix("\n") else { throw ParseError(description: "no line feed at the end") }
        var lines = text.dropLast().split(separator: "\n", omittingEmptySubsequences: false)
        if isOpenMetrics {
            guard lines.popLast() == "# EOF" else { throw ParseError(description: "no # EOF") }
        }
        var current: String?
        var help: (name: String, text: String)?
        for line in lines {
            if line.hasPrefix("# HELP ") {
                let words = line.dropFirst(7).split(separator: " ", maxSplits: 1)
                help = (String(words[0]), String(words.count > 1 ? words[1] : ""))
            } else if line.hasPrefix("# TYPE ") {
                let words = line.dropFirst(7).split(separator: " ")
                guard words.count == 2, let help, help.name == words[0] else {
                    throw ParseError(description: "TYPE without HELP: \(line)")
                }
                guard families[help.name] == nil else { throw ParseError(description: "two families \(help.name)") }
                guard ["counter", "gauge", "histogram"].contains(words[1]) else {
                    throw ParseError(description: "type \(words[1])")
                }
                families[help.name] = Family(type: String(words[1]), help: help.text)
                current = help.name
            } else {
                guard let current else { throw ParseError(description: "sample before TYPE: \(line)") }
                try add(Self.sample(line), to: current, isOpenMetrics: isOpenMetrics)
            }
        }
        for (name, family) in families { try Self.check(name, family) }
    }

    private mutating func add(
        _ sample: (name: String, labels: [String: String], value: Double), to family: String, isOpenMetrics: Bool
    ) throws {
        let type = families[family]?.type ?? ""
        let suffixes =
            type == "histogram" ? ["_bucket", "_sum", "_count"] : type == "counter" && isOpenMetrics ? ["_total"] : [""]
        guard suffixes.contains(where: { sample.name == family + $0 }) else {
            throw ParseError(description: "\(sample.name) in the family \(family)")
        }
        if type == "counter", !sample.name.hasSuffix("_total") { throw ParseError(description: "counter \(sample.name)") }
        let isTwice = families[family]?.samples.contains { $0.name == sample.name && $0.labels == sample.labels } ?? false
        if isTwice { throw ParseError(description: "twice: \(sample)") }
        families[family]?.samples.append(sample)
    }

    private static func check(_ name: String, _ family: Family) throws {
        guard !family.samples.isEmpty else { throw ParseError(description: "\(name) has no sample") }
        guard family.type == "histogram" else { return }
        for count in family.samples where count.name.hasSuffix("_count") {
            let buckets = family.samples.filter { sample in
                sample.name.hasSuffix("_bucket") && sample.labels.filter { $0.key != "le" } == count.labels
            }
            let bounds = buckets.map { $0.labels["le"].flatMap { $0 == "+Inf" ? Double.infinity : Double($0) } ?? .nan }
            guard bounds == bounds.sorted(), bounds.last == .infinity else {
                throw ParseError(description: "bounds of \(name): \(bounds)")
            }
            let values = buckets.map(\.value)
            guard values == values.sorted(), values.last == count.value else {
                throw ParseError(description: "buckets of \(name): \(values)")
            }
        }
    }

    private static func sample(_ line: Substring) throws -> (name: String, labels: [String: String], value: Double) {
        var rest = line
        let name = rest.prefix { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }
        guard let first = name.first, !first.isNumber else { throw ParseError(description: "name in: \(line)") }
        rest = rest.dropFirst(name.count)
        var labels: [String: String] = [:]
        if rest.first == "{" {
            rest = rest.dropFirst()
            while rest.first != "}" {
                let label = rest.prefix { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }
                rest = rest.dropFirst(label.count)
                guard !label.isEmpty, rest.hasPrefix("=\"") else { throw ParseError(description: "label in: \(line)") }
                rest = rest.dropFirst(2)
                let value = try quoted(&rest)
                guard labels.updateValue(value, forKey: String(label)) == nil else {
                    throw ParseError(description: "label twice: \(line)")
                }
                if rest.first == "," {
                    rest = rest.dropFirst()
                } else if rest.first != "}" {
                    throw ParseError(description: "after label: \(line)")
                }
            }
            rest = rest.dropFirst()
        }
        guard rest.first == " ", let value = number(rest.dropFirst()) else {
            throw ParseError(description: "value in: \(line)")
        }
        return (String(name), labels, value)
    }

    private static func number(_ text: Substring) -> Double? {
        switch text {
        case "+Inf": .infinity
        case "-Inf": -.infinity
        case "NaN": .nan
        default: Double(text)
        }
    }

    private static func quoted(_ rest: inout Substring) throws -> String {
        var value = ""
        while let character = rest.popFirst() {
            switch character {
            case "\"": return value
            case "\\":
                switch rest.popFirst() {
                case "n": value.append("\n")
                case "\\": value.append("\\")
                case "\"": value.append("\"")
                case let other: throw ParseError(description: "escape \(other.map(String.init) ?? "at the end")")
                }
            default: value.append(character)
            }
        }
        throw ParseError(description: "unterminated value")
    }
}
