import SimulationKit
import Testing

@Suite struct BucketModelTests {
    private typealias Operation = HistoryOperation<BucketModel>

    private static func op(
        _ client: Int, _ call: BucketModel.Call, _ time: ClosedRange<UInt64>, _ reply: BucketModel.Reply
    ) -> Operation {
        Operation(client: client, call: call, invoked: time.lowerBound, outcome: .init(reply, returned: time.upperBound))
    }

    private static func put(_ key: String, _ value: UInt64, _ time: ClosedRange<UInt64>) -> Operation {
        op(1, .object(key: key, .put(value)), time, .object(.done))
    }

    private static func isAccepted(_ history: [Operation]) -> Bool {
        if case .linearizable = LinearizabilityChecker(BucketModel()).check(history) { true } else { false }
    }

    @Test func aListingIsOneMoment() {
        let puts = [Self.put("a", 1, 0...1), Self.put("b", 2, 2...3)]
        let a = BucketModel.Object(key: "a", value: 1)
        let b = BucketModel.Object(key: "b", value: 2)
        #expect(Self.isAccepted(puts + [Self.op(2, .list, 0...9, .listing([a]))]))
        #expect(Self.isAccepted(puts + [Self.op(2, .list, 0...9, .listing([a, b]))]))
        // Each key alone would allow it: a was not there yet, b was there already.
        #expect(!Self.isAccepted(puts + [Self.op(2, .list, 0...9, .listing([b]))]))
    }

    @Test func aRestoreIsOneMoment() {
        let old = BucketModel.Object(key: "a", value: 1)
        let before = [
            Self.put("a", 1, 0...1), Self.put("a", 2, 2...3), Self.put("b", 3, 4...5),
            Self.op(9, .restore([old]), 6...20, .done),
        ]
        let a = Self.op(3, .object(key: "a", .get), 7...8, .object(.value(1)))
        let b = Self.op(3, .object(key: "b", .get), 9...10, .object(.value(3)))
        let none = Self.op(3, .object(key: "b", .get), 9...10, .object(.absent))
        #expect(Self.isAccepted(before + [a, none]))
        #expect(Self.isAccepted(before + [b]))
        #expect(!Self.isAccepted(before + [a, b]))
        #expect(!Self.isAccepted(before + [Self.op(3, .list, 21...22, .listing([]))]))
        // An outcome that nobody knows may be either.
        let unknown = Operation(client: 9, call: .restore([old]), invoked: 6, outcome: nil)
        #expect(Self.isAccepted(before.dropLast() + [unknown, b]))
        #expect(Self.isAccepted(before.dropLast() + [unknown, a, none]))
    }

    @Test func aDeleteOfSeveralKeysIsOneMoment() {
        let before = [
            Self.put("a", 1, 0...1), Self.put("b", 2, 2...3), Self.op(2, .deleteAll(keys: ["a", "b"]), 4...20, .done),
        ]
        let a = Self.op(3, .object(key: "a", .get), 5...6, .object(.absent))
        let b = Self.op(3, .object(key: "b", .get), 7...8, .object(.value(2)))
        #expect(Self.isAccepted(before + [a]))
        #expect(Self.isAccepted(before + [b]))
        #expect(!Self.isAccepted(before + [a, b]))
    }

    @Test func keysAreListedInOrderWhateverTheOrderOfThePuts() {
        let objects = ["a", "b", "c"].map { BucketModel.Object(key: $0, value: 1) }
        let puts = ["c", "a", "b"].enumerated().map { Self.put($1, 1, UInt64($0 * 2)...UInt64($0 * 2 + 1)) }
        #expect(Self.isAccepted(puts + [Self.op(2, .list, 10...11, .listing(objects))]))
    }
}
