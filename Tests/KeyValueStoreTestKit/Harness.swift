package import KeyValueStore

/// How the compatibility suite gets stores of one implementation.
package protocol KeyValueStoreHarness {
    associatedtype Store: KeyValueStore

    /// An empty store.
    func open(families: [ColumnFamily]) throws -> Store
    /// A path for `createCheckpoint(at:)` that is free.
    func makeCheckpointPath() -> String
    /// A store opened on a checkpoint that `store` created.
    func openCheckpoint(of store: Store, at path: String, families: [ColumnFamily]) throws -> Store
}

/// What an implementation did that the contract forbids.
package struct ContractViolation: Error, CustomStringConvertible {
    package var description: String
}

/// - Throws: `ContractViolation` saying what was expected and what came.
func expectEqual<Value: Equatable>(_ actual: Value, _ expected: Value, _ what: @autoclosure () -> String) throws {
    guard actual != expected else { return }
    throw ContractViolation(description: "\(what()): expected \(expected), got \(actual)")
}

/// - Throws: `ContractViolation` unless `body` throws a store error of that code.
func expectError(
    _ code: KeyValueStoreError.Code, _ what: String, _ body: () throws -> Void
) throws {
    do {
        try body()
    } catch let error as KeyValueStoreError {
        return try expectEqual(error.code, code, "\(what): \(error)")
    }
    throw ContractViolation(description: "\(what): expected \(code), but nothing was thrown")
}

/// One key with its value.
struct Record: Equatable, CustomStringConvertible {
    var key: [UInt8]
    var value: [UInt8]

    var description: String { "\(key)=\(value)" }
}

extension KeyValueReader {
    func get(_ key: [UInt8], in family: ColumnFamily, tier: ReadTier = .all) throws -> [UInt8]? {
        try withValue(key, in: family, tier: tier) { value in value.withUnsafeBytes { Array($0) } }
    }

    /// All records of a range, by stepping forward.
    func records(in family: ColumnFamily, from lower: [UInt8]? = nil, to upper: [UInt8]? = nil) throws -> [Record] {
        var cursor = try makeCursor(in: family, from: lower, to: upper, tier: .all)
        var records: [Record] = []
        try cursor.seekToFirst()
        while let record = cursor.record {
            records.append(record)
            try cursor.next()
        }
        return records
    }

    /// All records of a range, by stepping backward.
    func recordsBackward(in family: ColumnFamily, from lower: [UInt8]? = nil, to upper: [UInt8]? = nil) throws -> [Record] {
        var cursor = try makeCursor(in: family, from: lower, to: upper, tier: .all)
        var records: [Record] = []
        try cursor.seekToLast()
        while let record = cursor.record {
            records.append(record)
            try cursor.previous()
        }
        return records
    }
}

extension KeyValueCursor {
    /// A copy of the record under the cursor, or `nil`.
    var record: Record? {
        guard isValid else { return nil }
        return Record(
            key: withKey { key in key.withUnsafeBytes { Array($0) } },
            value: withValue { value in value.withUnsafeBytes { Array($0) } })
    }
}

extension KeyValueStore {
    /// Commits a transaction that `body` filled.
    func write(durability: WriteDurability = .buffered, _ body: (Transaction) throws -> Void) throws {
        let transaction = makeTransaction()
        try body(transaction)
        try commit(transaction, durability: durability)
    }
}
