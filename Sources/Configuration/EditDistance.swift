/// Which of several names somebody probably meant.
struct NameSuggestion {
    /// The closest candidate that at most a third of the letters (and at least two) away, or `nil`.
    static func closest(to name: String, among candidates: some Sequence<String>) -> String? {
        let allowed = max(2, name.count / 3)
        var best: (name: String, distance: Int)?
        for candidate in candidates {
            let distance = distance(from: name, to: candidate)
            // Less than the name's own length, or any two-letter name would be close to any other.
            guard distance <= allowed, distance < min(name.count, candidate.count) else { continue }
            if best.map({ distance < $0.distance }) ?? true { best = (candidate, distance) }
        }
        return best?.name
    }

    /// Insertions, removals, replacements and swaps of neighbours that turn one into the other (restricted Damerau–Levenshtein).
    static func distance(from first: String, to second: String) -> Int {
        let a = Array(first.utf8)
        let b = Array(second.utf8)
        var twoBack = [Int](repeating: 0, count: b.count + 1)
        var oneBack = Array(0...b.count)
        for i in 0..<a.count {
            var row = [i + 1]
            for j in 0..<b.count {
                var cost = min(oneBack[j + 1] + 1, row[j] + 1, oneBack[j] + (a[i] == b[j] ? 0 : 1))
                if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { cost = min(cost, twoBack[j - 1] + 1) }
                row.append(cost)
            }
            twoBack = oneBack
            oneBack = row
        }
        return oneBack[b.count]
    }
}
