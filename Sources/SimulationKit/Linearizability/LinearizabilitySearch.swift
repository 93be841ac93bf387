/// One search of `LinearizabilityChecker`: its line of events, its choices so far, and what it has tried.
struct LinearizabilitySearch<Model: SequentialModel> {
    typealias Operation = HistoryOperation<Model>

    private struct Event {
        var operation: Int
        var isCall: Bool
        /// Neighbours in the line; 0 is its head, and the end.
        var previous = 0
        var next = 0
    }

    /// A state that unknown outcomes can lead to before the next operation that returned.
    private struct Variant {
        var state: Model.State
        var unknown: OperationSet
        /// The variant of the same level that it came from, and by which operation; nil for the first.
        var origin: (variant: Int, operation: Int)?
    }

    /// The choice of the next operation that returned.
    private struct Level {
        /// Those with fewer unknown outcomes come first.
        var variants: [Variant]
        var current = 0
        /// The next event to be tried from the current variant.
        var place: Int
        /// What was chosen, once there is a level behind this one.
        var chosen: Int?
    }

    private struct Configuration: Hashable {
        /// The placed ones of those that returned.
        var returned: OperationSet
        var state: Model.State
    }

    private let model: Model
    private let operations: [Operation]
    private let stepCountMax: Int

    /// Calls and returns of the operations that returned. Place 0 is the head.
    private var events: [Event] = [Event(operation: -1, isCall: false)]
    private var callEvents: [Int]
    private var returnEvents: [Int]
    /// The operations that did not, by the time of their calls.
    private let unknown: [Int]

    private var levels: [Level] = []
    private var placed: OperationSet
    /// For each configuration the smallest sets of unknown outcomes that it has been tried with.
    private var tried: [Configuration: [OperationSet]] = [:]

    private var longest: [Level] = []

    init(_ model: Model, _ operations: [Operation], stepCountMax: Int) {
        self.model = model
        self.operations = operations
        self.stepCountMax = stepCountMax
        placed = OperationSet(capacity: operations.count)
        callEvents = Array(repeating: 0, count: operations.count)
        returnEvents = Array(repeating: 0, count: operations.count)
        unknown = operations.indices.filter { operations[$0].outcome == nil }
            .sorted { (operations[$0].invoked, $0) < (operations[$1].invoked, $1) }

        var line: [(time: UInt64, order: Int, operation: Int)] = []
        for (position, operation) in operations.enumerated() {
            guard let outcome = operation.outcome else { continue }
            precondition(outcome.returned >= operation.invoked, "an operation returned before it was called")
            line.append((operation.invoked, 0, position))
            line.append((outcome.returned, 1, position))
        }
        line.sort { ($0.time, $0.order, $0.operation) < ($1.time, $1.order, $1.operation) }
        for item in line {
            let place = events.count
            events.append(Event(operation: item.operation, isCall: item.order == 0, previous: place - 1, next: 0))
            events[place - 1].next = place
            if item.order == 0 { callEvents[item.operation] = place } else { returnEvents[item.operation] = place }
        }
        events[0].previous = events.count - 1
    }

    mutating func run() -> LinearizabilityChecker<Model>.Verdict {
        let start = Variant(state: model.initialState, unknown: OperationSet(capacity: operations.count), origin: nil)
        levels = [Level(variants: [start], place: events[0].next)]
        var stepCount = 0
        while events[0].next != 0 {
            let top = levels.count - 1
            let event = events[levels[top].place]
            if event.isCall {
                stepCount += 1
                if stepCount > stepCountMax { return .unknown(stepCount: stepCountMax) }
                if !tryPlacing(event.operation) { levels[top].place = event.next }
                continue
            }
            // A return: what it belongs to should have taken effect by now.
            if levels.count > longest.count { longest = levels }
            stepCount += expandCurrentVariant(until: operations[event.operation].outcome?.returned ?? .max)
            levels[top].current += 1
            levels[top].place = events[0].next
            if levels[top].current == levels[top].variants.count {
                levels.removeLast()
                guard takeBack() else { return .violation(violation()) }
            }
        }
        return .linearizable
    }

    /// Lets the operation take effect now if its reply allows it and it leads to something new.
    private mutating func tryPlacing(_ position: Int) -> Bool {
        let top = levels.count - 1
        let variant = levels[top].variants[levels[top].current]
        var state = variant.state
        let reply = model.apply(operations[position].call, to: &state)
        guard reply == operations[position].outcome?.reply else { return false }
        placed.insert(position)
        guard isNew(Configuration(returned: placed, state: state), unknown: variant.unknown) else {
            placed.remove(position)
            return false
        }
        levels[top].chosen = position
        unlink(callEvents[position])
        unlink(returnEvents[position])
        levels.append(
            Level(variants: [Variant(state: state, unknown: variant.unknown, origin: nil)], place: events[0].next))
        return true
    }

    /// Takes the newest choice back and goes on behind it. - Returns: false if there is none.
    private mutating func takeBack() -> Bool {
        let top = levels.count - 1
        guard top >= 0, let position = levels[top].chosen else { return false }
        levels[top].chosen = nil
        placed.remove(position)
        // In the opposite order of the unlinking.
        relink(returnEvents[position])
        relink(callEvents[position])
        levels[top].place = events[callEvents[position]].next
        return true
    }

    /// Adds what one more unknown outcome makes of the current variant. - Returns: how many were tried.
    private mutating func expandCurrentVariant(until deadline: UInt64) -> Int {
        let top = levels.count - 1
        let current = levels[top].current
        let variant = levels[top].variants[current]
        var tryCount = 0
        for position in unknown {
            guard operations[position].invoked <= deadline else { break }
            guard !variant.unknown.contains(position) else { continue }
            tryCount += 1
            var state = variant.state
            _ = model.apply(operations[position].call, to: &state)
            // Without a change it would explain nothing.
            guard state != variant.state else { continue }
            var used = variant.unknown
            used.insert(position)
            guard isNew(Configuration(returned: placed, state: state), unknown: used) else { continue }
            levels[top].variants.append(Variant(state: state, unknown: used, origin: (current, position)))
        }
        return tryCount
    }

    private mutating func isNew(_ configuration: Configuration, unknown: OperationSet) -> Bool {
        var sets = tried[configuration] ?? []
        if sets.contains(where: { $0.isSubset(of: unknown) }) { return false }
        sets.removeAll { unknown.isSubset(of: $0) }
        sets.append(unknown)
        tried[configuration] = sets
        return true
    }

    private mutating func unlink(_ place: Int) {
        let event = events[place]
        events[event.previous].next = event.next
        events[event.next].previous = event.previous
    }

    private mutating func relink(_ place: Int) {
        let event = events[place]
        events[event.previous].next = place
        events[event.next].previous = place
    }

    // MARK: Telling

    private func violation() -> LinearizabilityViolation {
        var state = model.initialState
        var explained: [String] = []
        var isExplained = OperationSet(capacity: operations.count)
        for level in longest {
            guard let chosen = level.chosen else { break }
            for position in path(to: level.current, in: level) + [chosen] {
                _ = model.apply(operations[position].call, to: &state)
                isExplained.insert(position)
                explained.append("\(describe(position)), then: \(model.describe(state))")
            }
        }
        // Who must come next: those called before the first return that is not explained.
        let open = operations.indices.filter { !isExplained.contains($0) && operations[$0].outcome != nil }
        let deadline = open.compactMap { operations[$0].outcome?.returned }.min() ?? .max
        let unexplained = open.filter { operations[$0].invoked <= deadline }
            .sorted { (operations[$0].invoked, $0) < (operations[$1].invoked, $1) }
        return LinearizabilityViolation(explained: explained, unexplained: unexplained.map { describe($0) })
    }

    /// The unknown outcomes that led to a variant, in their order.
    private func path(to variant: Int, in level: Level) -> [Int] {
        var path: [Int] = []
        var variant = variant
        while let origin = level.variants[variant].origin {
            path.append(origin.operation)
            variant = origin.variant
        }
        return path.reversed()
    }

    private func describe(_ position: Int) -> String {
        let operation = operations[position]
        let end = operation.outcome.map { "\($0.returned)" } ?? "?"
        let reply = operation.outcome.map { model.describe($0.reply) } ?? "unknown"
        return "client \(operation.client) [\(operation.invoked)–\(end)] \(model.describe(operation.call)) → \(reply)"
    }
}

/// A set of operations by their position.
struct OperationSet: Hashable {
    private var words: [UInt64]

    init(capacity: Int) {
        words = Array(repeating: 0, count: (capacity + 63) / 64)
    }

    func contains(_ position: Int) -> Bool { words[position >> 6] & 1 << UInt64(position & 63) != 0 }

    mutating func insert(_ position: Int) { words[position >> 6] |= 1 << UInt64(position & 63) }

    mutating func remove(_ position: Int) { words[position >> 6] &= ~(1 << UInt64(position & 63)) }

    func isSubset(of other: OperationSet) -> Bool {
        for (own, others) in zip(words, other.words) where own & ~others != 0 { return false }
        return true
    }
}
