import KeyValueStore

private let first = ContractFamilies.first
private let second = ContractFamilies.second
private let large = ContractFamilies.large

extension ContractCase {
    func pointReads(_ harness: some KeyValueStoreHarness) throws {
        let store = try harness.open(families: ContractFamilies.all)
        try store.write { $0.put([], for: [1], in: first) }
        let snapshot = store.makeSnapshot()
        try expectEqual(snapshot.get([1], in: first), [], "an empty value")
        try expectEqual(snapshot.get([2], in: first), nil, "an absent key")
        try expectEqual(snapshot.get([1, 0], in: first), nil, "an absent longer key")
        try store.write { $0.delete([1], in: first) }
        try expectEqual(store.makeSnapshot().get([1], in: first), nil, "a deleted key")
        try store.write { $0.delete([9], in: first) }
        try expectEqual(store.makeSnapshot().records(in: first), [], "after deleting an absent key")
    }

    func edgeKeys(_ harness: some KeyValueStoreHarness) throws {
        let store = try harness.open(families: ContractFamilies.all)
        let keys: [[UInt8]] = [
            [], [0], [0, 0], [0, 1], [0, 255], [1], Array("a-b".utf8), Array("a/b".utf8), [127], [128], [254, 255], [255],
            [255, 0], [255, 255], Array(repeating: 255, count: 1_025),
        ]
        try store.write { transaction in
            for key in keys.reversed() { transaction.put(key, for: key, in: first) }
        }
        let snapshot = store.makeSnapshot()
        let expected = keys.map { Record(key: $0, value: $0) }
        try expectEqual(snapshot.records(in: first), expected, "forward")
        try expectEqual(snapshot.recordsBackward(in: first), expected.reversed(), "backward")
        for key in keys { try expectEqual(snapshot.get(key, in: first), key, "the value of \(key)") }
        try store.write { $0.delete([], in: first) }
        try expectEqual(store.makeSnapshot().records(in: first), Array(expected.dropFirst()), "without the empty key")
    }

    func largeValues(_ harness: some KeyValueStoreHarness) throws {
        let store = try harness.open(families: ContractFamilies.all)
        let sizes = [0, 1, 4_095, 4_096, 131_072, 1_048_576]
        let values = sizes.map { size in (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ size) } }
        try store.write { transaction in
            for (index, value) in values.enumerated() { transaction.put(value, for: [UInt8(index)], in: large) }
        }
        for pass in ["in memory", "in files"] {
            let snapshot = store.makeSnapshot()
            for (index, value) in values.enumerated() {
                try expectEqual(snapshot.get([UInt8(index)], in: large) == value, true, "\(sizes[index]) bytes \(pass)")
            }
            try expectEqual(snapshot.records(in: large).map(\.value) == values, true, "by a cursor \(pass)")
            try store.flush()
        }
    }

    func families(_ harness: some KeyValueStoreHarness) throws {
        let store = try harness.open(families: ContractFamilies.all)
        try store.write { transaction in
            transaction.put([1], for: [7], in: first)
            transaction.put([2], for: [7], in: second)
            transaction.put([3], for: [8], in: large)
        }
        try store.write { $0.delete([7], in: first) }
        let snapshot = store.makeSnapshot()
        try expectEqual(snapshot.records(in: first), [], "first")
        try expectEqual(snapshot.records(in: second), [Record(key: [7], value: [2])], "second")
        try expectEqual(snapshot.records(in: large), [Record(key: [8], value: [3])], "large")
    }

    func unknownFamily(_ harness: some KeyValueStoreHarness) throws {
        let store = try harness.open(families: ContractFamilies.all)
        let unknown = ColumnFamily(index: 3, name: "unknown")
        let (snapshot, transaction) = (store.makeSnapshot(), store.makeTransaction())
        try expectError(.invalidArgument, "a read") { _ = try snapshot.get([1], in: unknown) }
        try expectError(.invalidArgument, "a cursor") { _ = try snapshot.records(in: unknown) }
        try expectError(.invalidArgument, "a transaction's read") { _ = try transaction.get([1], in: unknown) }
        try expectError(.invalidArgument, "a transaction's cursor") { _ = try transaction.records(in: unknown) }
    }

    func snapshotIsolation(_ harness: some KeyValueStoreHarness) throws {
        let store = try harness.open(families: ContractFamilies.all)
        try store.write { transaction in
            transaction.put([1], for: [1], in: first)
            transaction.put([1], for: [2], in: first)
        }
        let before = store.makeSnapshot()
        var cursor = try before.makeCursor(in: first, from: nil, to: nil, tier: .all)
        try cursor.seekToFirst()
        try store.write { transaction in
            transaction.put([2], for: [1], in: first)
            transaction.delete([2], in: first)
            transaction.put([2], for: [3], in: first)
        }
        try store.flush()
        try cursor.next()
        try expectEqual(cursor.record, Record(key: [2], value: [1]), "an older cursor")
        try expectEqual(before.get([1], in: first), [1], "an older read")
        try expectEqual(before.records(in: first).map(\.value), [[1], [1]], "an older snapshot")
        try expectEqual(store.makeSnapshot().records(in: first).map(\.key), [[1], [3]], "a newer snapshot")
    }

    func flushed(_ harness: some KeyValueStoreHarness) throws {
        let store = try harness.open(families: ContractFamilies.all)
        for round in UInt8(0)..<5 {
            try store.write(durability: round % 2 == 0 ? .synced : .buffered) { transaction in
                transaction.put([round], for: [1], in: first)
                transaction.put([round], for: [round], in: second)
                if round > 0 { transaction.delete([round - 1], in: second) }
            }
            try store.flush()
            let snapshot = store.makeSnapshot()
            try expectEqual(snapshot.get([1], in: first), [round], "overwritten in round \(round)")
            try expectEqual(snapshot.records(in: second).map(\.key), [[round]], "deleted in round \(round)")
        }
    }

    func checkpoint(_ harness: some KeyValueStoreHarness) throws {
        let store = try harness.open(families: ContractFamilies.all)
        try store.write { transaction in
            transaction.put([1], for: [1], in: first)
            transaction.put([2], for: [2], in: second)
            transaction.put(Array(repeating: 3, count: 10_000), for: [3], in: large)
        }
        let path = harness.makeCheckpointPath()
        try store.createCheckpoint(at: path)
        try store.write { transaction in
            transaction.put([9], for: [1], in: first)
            transaction.delete([2], in: second)
        }
        let copy = try harness.openCheckpoint(of: store, at: path, families: ContractFamilies.all)
        let snapshot = copy.makeSnapshot()
        try expectEqual(snapshot.get([1], in: first), [1], "the value of that moment")
        try expectEqual(snapshot.get([2], in: second), [2], "the record deleted since")
        try expectEqual(snapshot.get([3], in: large)?.count, 10_000, "the large value")
        try copy.write { $0.put([5], for: [5], in: first) }
        try expectEqual(store.makeSnapshot().get([5], in: first), nil, "the original after a write to the copy")
        try expectEqual(store.makeSnapshot().get([1], in: first), [9], "the original")
    }

    func checkpointExists(_ harness: some KeyValueStoreHarness) throws {
        let store = try harness.open(families: ContractFamilies.all)
        let path = harness.makeCheckpointPath()
        try store.createCheckpoint(at: path)
        try expectError(.invalidArgument, "a second checkpoint there") { try store.createCheckpoint(at: path) }
    }

    func statistics(_ harness: some KeyValueStoreHarness) throws {
        let store = try harness.open(families: ContractFamilies.all)
        try store.write { $0.put([1], for: [1], in: first) }
        let statistics = store.statistics()
        try expectEqual(statistics.isEmpty, false, "no statistics")
        try expectEqual(Set(statistics.map(\.name)).count, statistics.count, "unique names")
        try expectEqual(statistics.allSatisfy { $0.value.isFinite && $0.value >= 0 }, true, "\(statistics)")
        try expectEqual(statistics.first { $0.name == "keys_estimate" }?.value, 1, "keys")
    }

    func closed(_ harness: some KeyValueStoreHarness) throws {
        let store = try harness.open(families: ContractFamilies.all)
        try store.write { $0.put([1], for: [1], in: first) }
        let (snapshot, transaction) = (store.makeSnapshot(), store.makeTransaction())
        transaction.put([2], for: [2], in: first)
        var cursor = try snapshot.makeCursor(in: first, from: nil, to: nil, tier: .all)
        try cursor.seekToFirst()
        store.close()
        store.close()
        try expectError(.closed, "a read of an older snapshot") { _ = try snapshot.get([1], in: first) }
        try expectError(.closed, "a memory read of an older snapshot") {
            _ = try snapshot.get([1], in: first, tier: .memory)
        }
        try expectError(.closed, "a new cursor of an older snapshot") { _ = try snapshot.records(in: first) }
        try expectError(.closed, "a step of an older cursor") { try cursor.next() }
        try expectError(.closed, "a seek of an older cursor") { try cursor.seek(to: [1]) }
        try expectError(.closed, "a read of an older transaction") { _ = try transaction.get([1], in: first) }
        try expectError(.closed, "a commit") { try store.commit(transaction, durability: .synced) }
        try expectError(.closed, "a flush") { try store.flush() }
        try expectError(.closed, "a checkpoint") { try store.createCheckpoint(at: harness.makeCheckpointPath()) }
        try expectError(.closed, "a new snapshot") { _ = try store.makeSnapshot().get([1], in: first) }
        try expectError(.closed, "a new transaction") {
            _ = try store.makeTransaction().get([1], in: first)
        }
        try expectEqual(store.statistics(), [], "statistics")
    }
}
