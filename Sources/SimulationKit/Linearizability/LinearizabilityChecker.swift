/// Decides whether a history could have come from operations that each took effect in one moment between call and return (Wing and
/// Gong, 1993), with memoisation of what has been tried (Lowe, 2017).
///
/// The search walks the events of the history in order of time. A call that it meets may take effect now, before all that are still
/// open; a return that it meets belongs to a call that should have taken effect by now, so that the last choice was wrong:
///
///     calls and returns in order, those already placed left out       get↓  put 7↓  get↑=7  put 7↑
///     1. get↓ now? It would see nothing, but saw 7: go on             ·
///     2. put 7↓ now: its two events leave the line, begin again              ×               ×
///     3. get↓ now? It sees 7: placed. All that returned is placed     ×              ×
///
/// A configuration is what has been placed and the state that this led to. Operations with an unknown outcome never have to be
/// placed, and are placed only when nothing else can come next. Of two configurations that are equal but for those, the one that has
/// used fewer is at least as good: the other one is not tried. That keeps many unknown outcomes affordable.
package struct LinearizabilityChecker<Model: SequentialModel> {
    package typealias Operation = HistoryOperation<Model>

    package enum Verdict: Sendable {
        case linearizable
        case violation(LinearizabilityViolation)
        /// The budget was used up: neither.
        case unknown(stepCount: Int)
    }

    let model: Model
    /// How often an operation is tried in one search.
    let stepCountMax: Int

    package init(_ model: Model, stepCountMax: Int = 2_000_000) {
        self.model = model
        self.stepCountMax = stepCountMax
    }

    package func check(_ operations: [Operation]) -> Verdict {
        var search = LinearizabilitySearch(model, operations, stepCountMax: stepCountMax)
        return search.run()
    }
}

/// A history that no order explains, with the longest attempt.
package struct LinearizabilityViolation: Hashable, Sendable, CustomStringConvertible {
    /// The operations of the longest order that explains replies, with the state behind each.
    package var explained: [String]
    /// What had to come next and could not, and what was open then.
    package var unexplained: [String]

    /// How many of the explained ones are printed.
    static var tailCountMax: Int { 12 }

    package var description: String {
        var lines: [String] = []
        let hidden = explained.count - Self.tailCountMax
        if hidden > 0 { lines.append("… \(hidden) operations explained before") }
        lines += explained.suffix(Self.tailCountMax)
        lines.append("none of these can come next:")
        lines += unexplained
        return lines.joined(separator: "\n")
    }
}
