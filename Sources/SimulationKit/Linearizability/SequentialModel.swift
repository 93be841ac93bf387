/// What a thing would do if its operations came one after the other: the specification that a concurrent history is judged by.
///
/// A model is deterministic: a state and a call have one reply and one next state.
package protocol SequentialModel: Sendable {
    associatedtype State: Hashable & Sendable
    associatedtype Call: Sendable
    associatedtype Reply: Hashable & Sendable

    /// Before the first operation.
    var initialState: State { get }

    /// Does the call, and says what its caller sees.
    func apply(_ call: Call, to state: inout State) -> Reply

    func describe(_ state: State) -> String
    func describe(_ call: Call) -> String
    func describe(_ reply: Reply) -> String
}

/// One operation of a history, as its caller saw it.
package struct HistoryOperation<Model: SequentialModel>: Sendable {
    package var client: Int
    package var call: Model.Call
    /// When it was called. Times are those of one clock; what returns at the time of a call counts as concurrent with it.
    package var invoked: UInt64
    /// Nil: its caller never learned what came of it. It may take effect at any time after its call, or never.
    package var outcome: Outcome?

    package struct Outcome: Sendable {
        package var reply: Model.Reply
        package var returned: UInt64

        package init(_ reply: Model.Reply, returned: UInt64) {
            self.reply = reply
            self.returned = returned
        }
    }

    package init(client: Int, call: Model.Call, invoked: UInt64, outcome: Outcome?) {
        self.client = client
        self.call = call
        self.invoked = invoked
        self.outcome = outcome
    }
}
