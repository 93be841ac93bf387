import SimulationKit

typealias Operation = HistoryOperation<RegisterModel>

/// `op(1, .put(7), 0...4, .done)`: client 1 calls at 0 and knows at 4.
func op(_ client: Int, _ call: RegisterModel.Call, _ time: ClosedRange<UInt64>, _ reply: RegisterModel.Reply) -> Operation {
    Operation(client: client, call: call, invoked: time.lowerBound, outcome: .init(reply, returned: time.upperBound))
}

/// An operation whose outcome stays unknown.
func lost(_ client: Int, _ call: RegisterModel.Call, from time: UInt64) -> Operation {
    Operation(client: client, call: call, invoked: time, outcome: nil)
}

/// Tries every order: slow, and nothing to go wrong. An operation with an unknown outcome may be left out.
struct BruteForceChecker<Model: SequentialModel> {
    let model: Model

    func isLinearizable(_ operations: [HistoryOperation<Model>]) -> Bool {
        search(operations, left: Set(operations.indices), state: model.initialState)
    }

    private func search(_ operations: [HistoryOperation<Model>], left: Set<Int>, state: Model.State) -> Bool {
        if left.allSatisfy({ operations[$0].outcome == nil }) { return true }
        for next in left {
            // Nothing that is left may have returned before it was called.
            let isPossible = left.allSatisfy {
                guard let outcome = operations[$0].outcome else { return true }
                return outcome.returned >= operations[next].invoked
            }
            guard isPossible else { continue }
            var after = state
            let reply = model.apply(operations[next].call, to: &after)
            if let outcome = operations[next].outcome, outcome.reply != reply { continue }
            if search(operations, left: left.subtracting([next]), state: after) { return true }
        }
        return false
    }
}
