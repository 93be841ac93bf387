import KeyValueStore

private let first = ContractFamilies.first

/// Keys 10, 20, 30, 40, 50 (one byte each), the value repeats the key.
private func openTens<Harness: KeyValueStoreHarness>(_ harness: Harness) throws -> Harness.Store {
    let store = try harness.open(families: ContractFamilies.all)
    try store.write { transaction in
        for key in stride(from: UInt8(10), through: 50, by: 10) { transaction.put([key, key], for: [key], in: first) }
    }
    return store
}

extension ContractCase {
    func bounds(_ harness: some KeyValueStoreHarness) throws {
        let snapshot = try openTens(harness).makeSnapshot()
        let table: [(lower: UInt8?, upper: UInt8?, keys: [UInt8])] = [
            (nil, nil, [10, 20, 30, 40, 50]), (20, 40, [20, 30]), (19, 41, [20, 30, 40]), (nil, 10, []), (nil, 11, [10]),
            (50, nil, [50]), (51, nil, []), (21, 29, []),
        ]
        for (lower, upper, keys) in table {
            let what = "keys in \(String(describing: lower)) ..< \(String(describing: upper))"
            let (from, to) = (lower.map { [$0] }, upper.map { [$0] })
            let expected = keys.map { Record(key: [$0], value: [$0, $0]) }
            try expectEqual(snapshot.records(in: first, from: from, to: to), expected, what)
            try expectEqual(snapshot.recordsBackward(in: first, from: from, to: to), expected.reversed(), what)
        }
    }

    func crossedBounds(_ harness: some KeyValueStoreHarness) throws {
        let snapshot = try openTens(harness).makeSnapshot()
        let table: [(lower: [UInt8]?, upper: [UInt8])] = [
            ([20], [20]), ([40], [20]), ([60], [10]), (nil, []), ([], []), ([10], []),
        ]
        for (lower, upper) in table {
            var cursor = try snapshot.makeCursor(in: first, from: lower, to: upper, tier: .all)
            try cursor.seekToFirst()
            try expectEqual(cursor.record, nil, "first of an empty range")
            try cursor.seekToLast()
            try expectEqual(cursor.record, nil, "last of an empty range")
            for key in [[], [20], [30], [60]] as [[UInt8]] {
                try cursor.seek(to: key)
                try expectEqual(cursor.record, nil, "a seek in an empty range")
                try cursor.previous()
                try expectEqual(cursor.record, nil, "a step back in an empty range")
            }
        }
    }

    func seekClamps(_ harness: some KeyValueStoreHarness) throws {
        let snapshot = try openTens(harness).makeSnapshot()
        var cursor = try snapshot.makeCursor(in: first, from: [20], to: [40], tier: .all)
        for (target, key) in [([], 20), ([10], 20), ([20], 20), ([21], 30), ([30], 30)] as [([UInt8], UInt8)] {
            try cursor.seek(to: target)
            try expectEqual(cursor.record?.key, [key], "a seek to \(target)")
        }
        for target in [[31], [40], [45], [255, 255]] as [[UInt8]] {
            try cursor.seek(to: target)
            try expectEqual(cursor.record?.key, nil, "a seek to \(target)")
            try cursor.previous()
            try expectEqual(cursor.record?.key, [30], "a step back from \(target)")
        }
    }

    func seekPastEnd(_ harness: some KeyValueStoreHarness) throws {
        let snapshot = try openTens(harness).makeSnapshot()
        var cursor = try snapshot.makeCursor(in: first, from: nil, to: nil, tier: .all)
        try cursor.seek(to: [51])
        try expectEqual(cursor.isValid, false, "past the last key")
        try cursor.previous()
        try expectEqual(cursor.record?.key, [50], "a step back")
        try cursor.next()
        try cursor.previous()
        try expectEqual(cursor.record?.key, [50], "over the end and back")
    }

    func greatestBelow(_ harness: some KeyValueStoreHarness) throws {
        let snapshot = try openTens(harness).makeSnapshot()
        var cursor = try snapshot.makeCursor(in: first, from: nil, to: nil, tier: .all)
        let table: [(target: UInt8, below: [UInt8]?)] = [
            (5, nil), (10, nil), (11, [10]), (20, [10]), (50, [40]), (51, [50]), (255, [50]),
        ]
        for (target, below) in table {
            try cursor.seek(to: [target])
            try cursor.previous()
            try expectEqual(cursor.record?.key, below, "the greatest key below \(target)")
        }
    }

    func exhausted(_ harness: some KeyValueStoreHarness) throws {
        let snapshot = try openTens(harness).makeSnapshot()
        var cursor = try snapshot.makeCursor(in: first, from: nil, to: nil, tier: .all)
        try cursor.seekToLast()
        for _ in 0..<3 {
            try cursor.next()
            try expectEqual(cursor.isValid, false, "after the last record")
        }
        try cursor.previous()
        try expectEqual(cursor.record?.key, [50], "back from after the last")
        try cursor.seekToFirst()
        for _ in 0..<3 {
            try cursor.previous()
            try expectEqual(cursor.isValid, false, "before the first record")
        }
        try cursor.next()
        try expectEqual(cursor.record?.key, [10], "back from before the first")
    }

    func unpositioned(_ harness: some KeyValueStoreHarness) throws {
        let snapshot = try openTens(harness).makeSnapshot()
        var cursor = try snapshot.makeCursor(in: first, from: nil, to: nil, tier: .all)
        try expectEqual(cursor.isValid, false, "a new cursor")
        try cursor.next()
        try expectEqual(cursor.isValid, false, "a step of a new cursor")
        try cursor.previous()
        try expectEqual(cursor.isValid, false, "a step back of a new cursor")
    }

    func turning(_ harness: some KeyValueStoreHarness) throws {
        let snapshot = try openTens(harness).makeSnapshot()
        var cursor = try snapshot.makeCursor(in: first, from: nil, to: nil, tier: .all)
        for key in stride(from: UInt8(20), through: 40, by: 10) {
            try cursor.seek(to: [key])
            try cursor.next()
            try expectEqual(cursor.record?.key, [key + 10], "a step from \(key)")
            try cursor.previous()
            try expectEqual(cursor.record?.key, [key], "and back to \(key)")
            try cursor.previous()
            try expectEqual(cursor.record?.key, [key - 10], "a step back from \(key)")
            try cursor.next()
            try expectEqual(cursor.record?.key, [key], "and forth to \(key)")
        }
    }

    func cursorsShowOwnWrites(_ harness: some KeyValueStoreHarness) throws {
        let store = try openTens(harness)
        let transaction = store.makeTransaction()
        transaction.delete([10], in: first)
        transaction.put([1], for: [15], in: first)
        transaction.put([2], for: [20], in: first)
        transaction.put([3], for: [25], in: first)
        transaction.delete([25], in: first)
        transaction.delete([35], in: first)
        transaction.delete([50], in: first)
        let expected = [
            Record(key: [15], value: [1]), Record(key: [20], value: [2]), Record(key: [30], value: [30, 30]),
            Record(key: [40], value: [40, 40]),
        ]
        try expectEqual(transaction.records(in: first), expected, "forward")
        try expectEqual(transaction.recordsBackward(in: first), expected.reversed(), "backward")
        try expectEqual(transaction.records(in: first, from: [20], to: [40]), Array(expected[1...2]), "bounded")
        var cursor = try transaction.makeCursor(in: first, from: nil, to: nil, tier: .all)
        try cursor.seek(to: [10])
        try expectEqual(cursor.record, expected[0], "a seek to a deleted key")
        try cursor.seek(to: [50])
        try expectEqual(cursor.record, nil, "a seek to the deleted last key")
        try cursor.previous()
        try expectEqual(cursor.record, expected[3], "a step back over the deleted last key")
        try store.commit(transaction, durability: .buffered)
        try expectEqual(store.makeSnapshot().records(in: first), expected, "after the commit")
    }

    func cursorIsOfItsMoment(_ harness: some KeyValueStoreHarness) throws {
        let store = try openTens(harness)
        let transaction = store.makeTransaction()
        transaction.put([1], for: [15], in: first)
        var cursor = try transaction.makeCursor(in: first, from: nil, to: nil, tier: .all)
        try cursor.seek(to: [15])
        transaction.put([2], for: [15], in: first)
        transaction.put([3], for: [16], in: first)
        transaction.delete([20], in: first)
        try expectEqual(cursor.record, Record(key: [15], value: [1]), "the record under the cursor")
        try cursor.next()
        try expectEqual(cursor.record?.key, [20], "the record after it")
        try expectEqual(transaction.records(in: first).map(\.key), [[10], [15], [16], [30], [40], [50]], "a new cursor")
    }
}
