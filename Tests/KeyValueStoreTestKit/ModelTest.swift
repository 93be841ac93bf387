import KeyValueStore

/// A random run of a store against the plainest model there is: one dictionary per family. The seed is the whole run.
package struct ModelTest {
    package let seed: UInt64
    private var random: SplitMix64
    private var model: Model

    typealias Model = [[[UInt8]: [UInt8]]]

    package init(seed: UInt64) {
        self.seed = seed
        random = SplitMix64(state: seed)
        model = Model(repeating: [:], count: ContractFamilies.all.count)
    }

    /// - Throws: `ContractViolation` that names the seed.
    package mutating func run(rounds: Int, on harness: some KeyValueStoreHarness) throws {
        do {
            try play(rounds: rounds, on: harness)
        } catch {
            throw ContractViolation(description: "ModelTest(seed: \(seed)): \(error)")
        }
    }

    private mutating func play<Harness: KeyValueStoreHarness>(rounds: Int, on harness: Harness) throws {
        let store = try harness.open(families: ContractFamilies.all)
        var snapshots: [(snapshot: Harness.Store.Snapshot, model: Model)] = []
        for round in 0..<rounds {
            let transaction = store.makeTransaction()
            var written = model
            for _ in 0..<random.below(30) {
                write(to: transaction, &written)
                if random.below(4) == 0 { try compare(transaction, to: written) }
            }
            try compare(transaction, to: written)
            try compare(store.makeSnapshot(), to: model)
            if random.below(5) > 0 {
                try store.commit(transaction, durability: random.below(10) == 0 ? .synced : .buffered)
                model = written
            }
            try compare(store.makeSnapshot(), to: model)
            if random.below(6) == 0 { try store.flush() }
            if random.below(3) == 0 { snapshots.append((store.makeSnapshot(), model)) }
            if snapshots.count > 5 { snapshots.remove(at: Int(random.below(5))) }
            for (snapshot, model) in snapshots { try compare(snapshot, to: model) }
            if round % 50 == 49 { try compareCheckpoint(of: store, harness) }
        }
    }

    private mutating func compareCheckpoint<Harness: KeyValueStoreHarness>(
        of store: Harness.Store, _ harness: Harness
    ) throws {
        let path = harness.makeCheckpointPath()
        try store.createCheckpoint(at: path)
        let copy = try harness.openCheckpoint(of: store, at: path, families: ContractFamilies.all)
        for family in ContractFamilies.all {
            try expectEqual(copy.makeSnapshot().records(in: family), sorted(model, family), "the checkpoint")
        }
        copy.close()
    }

    private mutating func write(to transaction: some KeyValueTransaction, _ written: inout Model) {
        let family = ContractFamilies.all[Int(random.below(3))]
        let key = random.key()
        if random.below(3) == 0 {
            transaction.delete(key, in: family)
            written[family.index][key] = nil
        } else {
            let value = random.bytes(count: random.below(50) == 0 ? 6_000 : random.below(20))
            transaction.put(value, for: key, in: family)
            written[family.index][key] = value
        }
    }

    /// Some point reads and a random walk of a cursor with random bounds.
    private mutating func compare(_ reader: some KeyValueReader, to model: Model) throws {
        let family = ContractFamilies.all[Int(random.below(3))]
        for _ in 0..<3 {
            let key = random.key()
            try expectEqual(reader.get(key, in: family), model[family.index][key], "the value of \(key)")
        }
        let lower = random.below(2) == 0 ? nil : random.key()
        let upper = random.below(2) == 0 ? nil : random.key()
        let records = sorted(model, family).filter { record in
            !(lower.map { record.key.lexicographicallyPrecedes($0) } ?? false)
                && (upper.map { record.key.lexicographicallyPrecedes($0) } ?? true)
        }
        var cursor = try reader.makeCursor(in: family, from: lower, to: upper, tier: .all)
        try walk(&cursor, records, "bounds \(String(describing: lower)) ..< \(String(describing: upper))")
    }

    private mutating func walk(_ cursor: inout some KeyValueCursor, _ records: [Record], _ bounds: String) throws {
        // -1 is before the first record, `records.count` after the last; nil is nowhere.
        var index: Int?
        var trail: [String] = []
        for _ in 0..<12 {
            switch random.below(8) {
            case 0:
                try cursor.seekToFirst()
                index = 0
                trail.append("first")
            case 1:
                try cursor.seekToLast()
                index = records.count - 1
                trail.append("last")
            case 2:
                let key = random.key()
                try cursor.seek(to: key)
                index = records.firstIndex { !$0.key.lexicographicallyPrecedes(key) } ?? records.count
                trail.append("seek \(key)")
            case 3...5:
                try cursor.next()
                index = index.map { min($0 + 1, records.count) }
                trail.append("next")
            default:
                try cursor.previous()
                index = index.map { max($0 - 1, -1) }
                trail.append("previous")
            }
            let expected = index.flatMap { records.indices.contains($0) ? records[$0] : nil }
            try expectEqual(cursor.record, expected, "\(bounds) after \(trail)")
        }
    }

    private func sorted(_ model: Model, _ family: ColumnFamily) -> [Record] {
        model[family.index].map { Record(key: $0.key, value: $0.value) }
            .sorted { $0.key.lexicographicallyPrecedes($1.key) }
    }
}

/// A small deterministic generator (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
struct SplitMix64: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    mutating func below(_ bound: UInt64) -> UInt64 { next() % bound }

    mutating func bytes(count: UInt64) -> [UInt8] {
        (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) }
    }

    /// Short keys over few letters, so that runs hit the same keys and their neighbours; some long ones.
    mutating func key() -> [UInt8] {
        let letters: [UInt8] = [0, 1, 97, 98, 254, 255]
        var key = (0..<below(4)).map { _ in letters[Int(below(6))] }
        if below(4) == 0 { key += [UInt8](repeating: 97, count: 20) + [UInt8(truncatingIfNeeded: below(200))] }
        return key
    }
}
