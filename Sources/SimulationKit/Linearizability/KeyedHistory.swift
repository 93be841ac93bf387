/// A history of one object store: operations on single objects, each judged with the others of its bucket and key only.
///
/// That is enough: a history is linearizable if the part of each object is (Herlihy and Wing, 1990, theorem 1).
package struct KeyedHistory: Sendable {
    package struct Object: Hashable, Comparable, Sendable, CustomStringConvertible {
        package var bucket: String
        package var key: String

        package init(bucket: String, key: String) {
            self.bucket = bucket
            self.key = key
        }

        package static func < (first: Object, second: Object) -> Bool {
            (first.bucket, first.key) < (second.bucket, second.key)
        }

        package var description: String { "\(bucket)/\(key)" }
    }

    package enum Verdict: Sendable {
        case linearizable
        case violation(Object, LinearizabilityViolation)
        /// Nothing wrong was found, but these objects are undecided.
        case unknown([Object])
    }

    private var operations: [Object: [HistoryOperation<RegisterModel>]] = [:]

    package init() {}

    package var objectCount: Int { operations.count }

    package var operationCount: Int { operations.values.reduce(0) { $0 + $1.count } }

    package mutating func add(_ operation: HistoryOperation<RegisterModel>, on object: Object) {
        operations[object, default: []].append(operation)
    }

    /// - Parameter stepCountMax: for each object.
    package func check(stepCountMax: Int = 2_000_000) -> Verdict {
        let checker = LinearizabilityChecker(RegisterModel(), stepCountMax: stepCountMax)
        var undecided: [Object] = []
        for (object, operations) in operations.sorted(by: { $0.key < $1.key }) {
            switch checker.check(operations) {
            case .linearizable: break
            case .violation(let violation): return .violation(object, violation)
            case .unknown: undecided.append(object)
            }
        }
        return undecided.isEmpty ? .linearizable : .unknown(undecided)
    }
}
