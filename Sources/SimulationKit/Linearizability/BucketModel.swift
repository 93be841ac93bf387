/// A small bucket as a whole: operations over several of its keys must take effect in one moment.
///
/// Its histories are harder to judge than those of single keys; a few keys and a few dozen operations are its measure.
package struct BucketModel: SequentialModel {
    package typealias Value = RegisterModel.Value

    package struct Object: Hashable, Sendable {
        package var key: String
        package var value: Value

        package init(key: String, value: Value) {
            self.key = key
            self.value = value
        }
    }

    /// Sorted by key.
    package typealias State = [Object]

    package enum Call: Hashable, Sendable {
        /// What concerns one key.
        case object(key: String, RegisterModel.Call)
        case list
        case deleteAll(keys: [String])
        /// Sorted by key: what a snapshot file has in this bucket.
        case restore([Object])
    }

    package enum Reply: Hashable, Sendable {
        case object(RegisterModel.Reply)
        case listing([Object])
        case done
    }

    package let initialState: State = []
    private let register = RegisterModel()

    package init() {}

    package func apply(_ call: Call, to state: inout State) -> Reply {
        switch call {
        case .object(let key, let call):
            let place = state.firstIndex { $0.key >= key } ?? state.count
            let isThere = place < state.count && state[place].key == key
            var value = isThere ? state[place].value : nil
            let reply = register.apply(call, to: &value)
            switch (value, isThere) {
            case (let value?, true): state[place].value = value
            case (let value?, false): state.insert(Object(key: key, value: value), at: place)
            case (nil, true): state.remove(at: place)
            case (nil, false): break
            }
            return .object(reply)
        case .list:
            return .listing(state)
        case .deleteAll(let keys):
            state.removeAll { keys.contains($0.key) }
            return .done
        case .restore(let objects):
            state = objects
            return .done
        }
    }

    package func describe(_ state: State) -> String {
        state.isEmpty ? "nothing" : state.map { "\($0.key)=\($0.value)" }.joined(separator: " ")
    }

    package func describe(_ call: Call) -> String {
        switch call {
        case .object(let key, let call): "\(key): \(register.describe(call))"
        case .list: "list"
        case .deleteAll(let keys): "delete \(keys.joined(separator: " "))"
        case .restore(let objects): "restore \(describe(objects))"
        }
    }

    package func describe(_ reply: Reply) -> String {
        switch reply {
        case .object(let reply): register.describe(reply)
        case .listing(let objects): describe(objects)
        case .done: "done"
        }
    }
}
