import KeyValueStore

private let first = ContractFamilies.first
private let second = ContractFamilies.second
private let large = ContractFamilies.large

extension ContractCase {
    func readsOwnWrites(_ harness: some KeyValueStoreHarness) throws {
        let store = try harness.open(families: ContractFamilies.all)
        try store.write { transaction in
            transaction.put([1], for: [1], in: first)
            transaction.put([1], for: [2], in: first)
        }
        let transaction = store.makeTransaction()
        try expectEqual(transaction.get([1], in: first), [1], "before the write")
        transaction.put([5], for: [1], in: first)
        transaction.delete([2], in: first)
        transaction.put([], for: [3], in: first)
        try expectEqual(transaction.get([1], in: first), [5], "an overwritten key")
        try expectEqual(transaction.get([2], in: first), nil, "a deleted key")
        try expectEqual(transaction.get([3], in: first), [], "a new key with an empty value")
        try expectEqual(transaction.get([1], in: second), nil, "the key in another family")
        try expectEqual(store.makeSnapshot().get([1], in: first), [1], "outside, before the commit")
        try store.commit(transaction, durability: .buffered)
        let expected = [Record(key: [1], value: [5]), Record(key: [3], value: [])]
        try expectEqual(store.makeSnapshot().records(in: first), expected, "outside, after the commit")
    }

    func lastWriteWins(_ harness: some KeyValueStoreHarness) throws {
        let store = try harness.open(families: ContractFamilies.all)
        try store.write { transaction in
            for round in UInt8(0)..<100 { transaction.put([round], for: [1], in: first) }
            transaction.put([1], for: [2], in: first)
            transaction.delete([2], in: first)
            transaction.delete([3], in: first)
            transaction.put([3], for: [3], in: first)
        }
        let expected = [Record(key: [1], value: [99]), Record(key: [3], value: [3])]
        try expectEqual(store.makeSnapshot().records(in: first), expected, "after the commit")
    }

    func dropped(_ harness: some KeyValueStoreHarness) throws {
        let store = try harness.open(families: ContractFamilies.all)
        do {
            let transaction = store.makeTransaction()
            transaction.put([1], for: [1], in: first)
        }
        try store.flush()
        try expectEqual(store.makeSnapshot().records(in: first), [], "records")
        try expectEqual(store.makeTransaction().get([1], in: first), nil, "in the next transaction")
    }

    func atomic(_ harness: some KeyValueStoreHarness) throws {
        let store = try harness.open(families: ContractFamilies.all)
        for round in UInt8(1)...20 {
            let transaction = store.makeTransaction()
            for family in ContractFamilies.all { transaction.put([round], for: [0], in: family) }
            for family in ContractFamilies.all {
                let seen = try store.makeSnapshot().get([0], in: family)
                try expectEqual(seen, round == 1 ? nil : [round - 1], "\(family.name) before the commit")
            }
            try store.commit(transaction, durability: round % 2 == 0 ? .synced : .buffered)
            let snapshot = store.makeSnapshot()
            for family in ContractFamilies.all {
                try expectEqual(snapshot.get([0], in: family), [round], "\(family.name) after the commit")
            }
        }
    }

    func byteCount(_ harness: some KeyValueStoreHarness) throws {
        let store = try harness.open(families: ContractFamilies.all)
        let transaction = store.makeTransaction()
        try expectEqual(transaction.byteCount, 0, "an empty transaction")
        transaction.put(Array(repeating: 0, count: 1_000), for: [1], in: first)
        let one = transaction.byteCount
        try expectEqual((1_000...2_000).contains(one), true, "after 1,000 bytes: \(one)")
        transaction.put(Array(repeating: 0, count: 1_000), for: [1], in: second)
        let two = transaction.byteCount
        try expectEqual((2_000...4_000).contains(two), true, "after 2,000 bytes: \(two)")
    }

    func copying(_ harness: some KeyValueStoreHarness) throws {
        let store = try harness.open(families: ContractFamilies.all)
        let transaction = store.makeTransaction()
        var bytes = [UInt8](repeating: 7, count: 5_000)
        bytes.withUnsafeBytes { transaction.put(copying: $0, for: [1], in: large) }
        transaction.put(copying: UnsafeRawBufferPointer(start: nil, count: 0), for: [2], in: large)
        for index in bytes.indices { bytes[index] = 0 }
        try expectEqual(transaction.get([1], in: large), Array(repeating: 7, count: 5_000), "in the transaction")
        try store.commit(transaction, durability: .buffered)
        let snapshot = store.makeSnapshot()
        try expectEqual(snapshot.get([1], in: large), Array(repeating: 7, count: 5_000), "after the commit")
        try expectEqual(snapshot.get([2], in: large), [], "from no memory")
    }
}
