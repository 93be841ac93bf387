import SimulationKit
import Testing

@Suite struct LinearizabilityCheckerTests {
    struct Example: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var operations: [Operation]

        init(_ name: String, _ operations: [Operation]) {
            testDescription = name
            self.operations = operations
        }
    }

    static let linearizable: [Example] = [
        Example("an empty history", []),
        Example("a get of nothing", [op(1, .get, 0...1, .absent)]),
        Example(
            "a get beside a put sees the old value or the new one",
            [op(1, .put(7), 0...10, .done), op(2, .get, 1...3, .absent), op(3, .get, 2...9, .value(7))]),
        Example(
            "what returns at the time of a call is concurrent with it",
            [op(1, .put(7), 0...5, .done), op(2, .get, 5...6, .absent)]),
        Example(
            "a lost put takes effect long after its call",
            [
                lost(1, .put(7), from: 0), op(2, .put(8), 1...2, .done), op(2, .get, 3...4, .value(8)),
                op(2, .get, 5...6, .value(7)),
            ]),
        Example(
            "a lost put never takes effect",
            [lost(1, .put(7), from: 0), op(2, .put(8), 1...2, .done), op(2, .get, 3...4, .value(8))]),
        Example(
            "of two puts on condition of nothing one wins",
            [
                op(1, .putIfAbsent(1), 0...9, .preconditionFailed), op(2, .putIfAbsent(2), 0...9, .done),
                op(1, .get, 10...11, .value(2)),
            ]),
        Example(
            "a lost conditional put is why the next one fails",
            [
                op(1, .put(1), 0...1, .done), lost(2, .putIfMatch(2, expected: 1), from: 2),
                op(3, .putIfMatch(3, expected: 1), 3...4, .preconditionFailed), op(3, .get, 5...6, .value(2)),
            ]),
        Example(
            "a delete in the middle of two puts",
            [
                op(1, .put(1), 0...10, .done), op(2, .delete, 0...10, .done), op(3, .put(2), 0...10, .done),
                op(4, .get, 1...2, .absent), op(4, .get, 3...4, .value(2)), op(4, .get, 5...6, .value(1)),
            ]),
    ]

    static let notLinearizable: [Example] = [
        Example("a value that nobody put", [op(1, .get, 0...1, .value(9))]),
        Example(
            "a stale read",
            [op(1, .put(1), 0...1, .done), op(1, .put(2), 2...3, .done), op(2, .get, 4...5, .value(1))]),
        Example("a lost write", [op(1, .put(1), 0...1, .done), op(2, .get, 2...3, .absent)]),
        Example(
            "two readers see two puts in different orders",
            [
                op(1, .put(1), 0...20, .done), op(2, .put(2), 0...20, .done), op(3, .get, 1...2, .value(1)),
                op(4, .get, 1...2, .value(2)), op(3, .get, 3...4, .value(2)), op(4, .get, 3...4, .value(1)),
                op(3, .get, 5...6, .value(2)),
            ]),
        Example(
            "a read goes back in time beside a put",
            [op(1, .put(1), 0...10, .done), op(2, .get, 1...2, .value(1)), op(3, .get, 3...4, .absent)]),
        Example(
            "both puts on condition of nothing succeed",
            [op(1, .putIfAbsent(1), 0...9, .done), op(2, .putIfAbsent(2), 0...9, .done)]),
        Example(
            "a retried put takes effect twice",
            [
                op(1, .put(1), 0...1, .done), op(2, .put(2), 2...3, .done), op(3, .get, 4...5, .value(2)),
                op(3, .get, 6...7, .value(1)),
            ]),
        Example(
            "a lost put takes effect before its call",
            [op(2, .get, 0...1, .value(7)), lost(1, .put(7), from: 2)]),
        Example(
            "one lost put takes effect twice",
            [
                lost(1, .put(7), from: 0), op(2, .get, 1...2, .value(7)), op(2, .delete, 3...4, .done),
                op(2, .get, 5...6, .value(7)),
            ]),
        Example(
            "If-Match succeeds against another value",
            [op(1, .put(1), 0...1, .done), op(2, .putIfMatch(3, expected: 2), 2...3, .done)]),
    ]

    @Test(arguments: linearizable) func acceptsWhatSomeOrderExplains(_ example: Example) {
        #expect(BruteForceChecker(model: RegisterModel()).isLinearizable(example.operations))
        guard case .linearizable = LinearizabilityChecker(RegisterModel()).check(example.operations) else {
            Issue.record("\(LinearizabilityChecker(RegisterModel()).check(example.operations))")
            return
        }
    }

    @Test(arguments: notLinearizable) func refusesWhatNoOrderExplains(_ example: Example) {
        #expect(!BruteForceChecker(model: RegisterModel()).isLinearizable(example.operations))
        guard case .violation = LinearizabilityChecker(RegisterModel()).check(example.operations) else {
            Issue.record("\(LinearizabilityChecker(RegisterModel()).check(example.operations))")
            return
        }
    }

    /// Histories from clients of a register that sometimes serves a wrong value: a good part of them is not linearizable.
    @Test(arguments: 0..<40) func agreesWithTryingEveryOrder(_ seed: Int) {
        var random = RandomHistories(seed: UInt64(seed))
        var counts = (good: 0, bad: 0)
        for _ in 0..<100 {
            let history = random.history(operationCount: 7)
            let expected = BruteForceChecker(model: RegisterModel()).isLinearizable(history)
            switch LinearizabilityChecker(RegisterModel()).check(history) {
            case .linearizable:
                #expect(expected, "\(history)")
                counts.good += 1
            case .violation:
                #expect(!expected, "\(history)")
                counts.bad += 1
            case .unknown: Issue.record("seven operations need no such budget")
            }
        }
        #expect(counts.good > 50 && counts.bad > 3, "the histories decide nothing: \(counts)")
    }

    @Test func whatItCannotDecideIsUnknown() {
        let history = (0..<20).map { op($0, .put(UInt64($0)), 0...100, .done) } + [op(99, .get, 101...102, .value(77))]
        guard case .unknown(let stepCount) = LinearizabilityChecker(RegisterModel(), stepCountMax: 500).check(history) else {
            Issue.record("a budget of 500 steps was enough")
            return
        }
        #expect(stepCount == 500)
    }

    /// Twenty outcomes that nobody knows have a million subsets; only the smallest ones are tried.
    @Test func manyUnknownOutcomesAreAffordable() {
        var history = (0..<20).map { lost($0, .put(UInt64(1000 + $0)), from: 0) }
        for step in 0..<200 {
            let time = UInt64(10 + 10 * step)
            history.append(op(50, .put(UInt64(step)), time...time + 4, .done))
            history.append(op(51, .get, (time + 5)...(time + 6), .value(UInt64(step))))
        }
        guard case .linearizable = LinearizabilityChecker(RegisterModel(), stepCountMax: 100_000).check(history) else {
            Issue.record("not decided")
            return
        }
        history.append(op(51, .get, 5000...5001, .value(3)))
        guard case .violation = LinearizabilityChecker(RegisterModel(), stepCountMax: 1_000_000).check(history) else {
            Issue.record("not decided")
            return
        }
    }

    @Test func aCounterexampleSaysWhatCouldNotComeNext() {
        let history = [op(1, .put(1), 0...1, .done), op(1, .put(2), 2...3, .done), op(2, .get, 4...5, .value(1))]
        guard case .violation(let violation) = LinearizabilityChecker(RegisterModel()).check(history) else {
            Issue.record("a stale read was accepted")
            return
        }
        #expect(
            violation.description == """
                client 1 [0–1] put 1 → done, then: 1
                client 1 [2–3] put 2 → done, then: 2
                none of these can come next:
                client 2 [4–5] get → 1
                """)
    }

    @Test func objectsAreJudgedApart() {
        var history = KeyedHistory()
        for key in 0..<50 {
            let object = KeyedHistory.Object(bucket: "b", key: "\(key)")
            history.add(op(1, .put(1), 0...9, .done), on: object)
            history.add(op(2, .get, 0...9, key == 31 ? .value(4) : .value(1)), on: object)
        }
        guard case .violation(let object, _) = history.check() else {
            Issue.record("a value that nobody put was accepted")
            return
        }
        #expect(object.description == "b/31")
    }
}

/// Clients that call at random times a register whose reply is now and then that of another moment.
struct RandomHistories {
    private var random: SeededRandom

    init(seed: UInt64) {
        random = SeededRandom(seed: seed)
    }

    mutating func history(operationCount: Int) -> [Operation] {
        let model = RegisterModel()
        var state: RegisterModel.State = nil
        var earlier: RegisterModel.State = nil
        var operations: [Operation] = []
        for position in 0..<operationCount {
            let call = call(unique: UInt64(position))
            // It takes effect at 10 × position, somewhere between call and return.
            let moment = UInt64(100 + 10 * position)
            let isWrong = random.chance(1, in: 2)
            var seen = isWrong ? earlier : state
            let reply = model.apply(call, to: &seen)
            if !isWrong {
                earlier = state
                state = seen
            }
            let invoked = moment - UInt64(random.next(below: 30))
            let returned = moment + UInt64(random.next(below: 30))
            operations.append(
                random.chance(1, in: 5) ? lost(position, call, from: invoked) : op(position, call, invoked...returned, reply))
        }
        return operations
    }

    private mutating func call(unique: UInt64) -> RegisterModel.Call {
        let recent = unique == 0 ? 0 : unique - 1
        switch random.next(below: 8) {
        case 0, 1: return .put(unique)
        case 2: return .delete
        case 3: return .putIfAbsent(unique)
        case 4: return .putIfMatch(unique, expected: recent)
        case 5: return .deleteIfMatch(expected: recent)
        default: return .get
        }
    }
}
