/// One object: a value that is put, read, deleted, and replaced on conditions.
///
/// A value stands for the content and its entity tag alike, so that histories should never put the same value twice.
package struct RegisterModel: SequentialModel {
    package typealias Value = UInt64
    package typealias State = Value?

    package enum Call: Hashable, Sendable {
        case get
        case put(Value)
        case delete
        /// If-Match: the object must be there with this value.
        case putIfMatch(Value, expected: Value)
        /// If-None-Match: `*`: there must be no object.
        case putIfAbsent(Value)
        case deleteIfMatch(expected: Value)
        /// The whole store becomes that of a snapshot file, which has this value here, or none.
        case restore(Value?)
    }

    package enum Reply: Hashable, Sendable {
        case done
        case value(Value)
        /// There is no object: what a get sees, and what refuses If-Match.
        case absent
        /// The object is another one than the condition asks for.
        case preconditionFailed
    }

    package let initialState: State

    package init(initialState: State = nil) {
        self.initialState = initialState
    }

    package func apply(_ call: Call, to state: inout State) -> Reply {
        switch call {
        case .get:
            return state.map { .value($0) } ?? .absent
        case .put(let value):
            state = value
            return .done
        case .delete:
            state = nil
            return .done
        case .putIfMatch(let value, let expected):
            guard let found = state else { return .absent }
            guard found == expected else { return .preconditionFailed }
            state = value
            return .done
        case .putIfAbsent(let value):
            guard state == nil else { return .preconditionFailed }
            state = value
            return .done
        case .deleteIfMatch(let expected):
            guard let found = state else { return .absent }
            guard found == expected else { return .preconditionFailed }
            state = nil
            return .done
        case .restore(let value):
            state = value
            return .done
        }
    }

    package func describe(_ state: State) -> String { state.map { "\($0)" } ?? "nothing" }

    package func describe(_ call: Call) -> String {
        switch call {
        case .get: "get"
        case .put(let value): "put \(value)"
        case .delete: "delete"
        case .putIfMatch(let value, let expected): "put \(value) if \(expected)"
        case .putIfAbsent(let value): "put \(value) if nothing"
        case .deleteIfMatch(let expected): "delete if \(expected)"
        case .restore(let value): "restore \(describe(value))"
        }
    }

    package func describe(_ reply: Reply) -> String {
        switch reply {
        case .done: "done"
        case .value(let value): "\(value)"
        case .absent: "nothing"
        case .preconditionFailed: "precondition failed"
        }
    }
}
