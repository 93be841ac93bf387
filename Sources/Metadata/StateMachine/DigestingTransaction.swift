import KeyValueStore

/// A record as it was read, with what it counts in the state digest: whoever replaces or removes it need not read it again.
struct Stored<Record> {
    var record: Record
    var contribution: StateDigest
}

/// The only way in which `apply` writes: no write passes that the state digest does not count.
struct DigestingTransaction<Transaction: KeyValueTransaction> {
    private let transaction: Transaction
    private(set) var digest: StateDigest
    /// So that a refusal can be shown to have left no writes.
    private(set) var writeCount = 0

    init(_ transaction: Transaction, digest: StateDigest) {
        self.transaction = transaction
        self.digest = digest
    }

    // MARK: Writing

    /// - Parameter old: what the record counted before (from `Stored`, or computed from what it must have been); `nil`: it was absent.
    /// - Returns: what it counts now.
    @discardableResult
    mutating func put(
        _ value: [UInt8], for key: [UInt8], in family: ColumnFamily, replacing old: StateDigest?
    ) -> StateDigest {
        precondition(family != KeySchema.inline, "inline bytes count by the hash in their record")
        writeCount += 1
        let new = RecordHash.contribution(family, key, value)
        if let old { digest.subtract(old) }
        digest.add(new)
        transaction.put(value, for: key, in: family)
        return new
    }

    mutating func delete(_ key: [UInt8], in family: ColumnFamily, removing old: StateDigest) {
        precondition(family != KeySchema.inline, "inline bytes count by the hash in their record")
        writeCount += 1
        digest.subtract(old)
        transaction.delete(key, in: family)
    }

    /// Deletes a record whose value is known without reading it.
    mutating func delete(_ key: [UInt8], in family: ColumnFamily, holding value: [UInt8]) {
        delete(key, in: family, removing: RecordHash.contribution(family, key, value))
    }

    mutating func putInline(_ bytes: UnsafeRawBufferPointer, for key: [UInt8]) {
        writeCount += 1
        transaction.put(copying: bytes, for: key, in: KeySchema.inline)
    }

    mutating func deleteInline(_ key: [UInt8]) {
        writeCount += 1
        transaction.delete(key, in: KeySchema.inline)
    }

    // MARK: Reading

    func read<Record>(
        _ key: [UInt8], in family: ColumnFamily, _ decode: (RawSpan) throws(RecordDamage) -> Record
    ) throws(ApplyStop) -> Stored<Record>? {
        let outcome: Result<Stored<Record>, RecordDamage>?
        do {
            outcome = try transaction.withValue(key, in: family, tier: .all) { value in
                Self.decoded(key, value, in: family, decode)
            }
        } catch { throw .failed(.store(error)) }
        switch outcome {
        case nil: return nil
        case .success(let stored)?: return stored
        case .failure(let damage)?: throw .failed(.damaged(damage))
        }
    }

    func contains(_ key: [UInt8], in family: ColumnFamily) throws(ApplyStop) -> Bool {
        do {
            return try transaction.withValue(key, in: family, tier: .all) { _ in true } ?? false
        } catch { throw .failed(.store(error)) }
    }

    func readInline(_ key: [UInt8]) throws(ApplyStop) -> [UInt8]? {
        do {
            return try transaction.withValue(key, in: KeySchema.inline, tier: .all) { $0.copy(0..<$0.byteCount) }
        } catch { throw .failed(.store(error)) }
    }

    /// Records in order, until `visit` returns false.
    func scan<Record>(
        _ family: ColumnFamily, from lowerBound: [UInt8], to upperBound: [UInt8],
        _ decode: (RawSpan) throws(RecordDamage) -> Record,
        visit: (_ key: [UInt8], Stored<Record>) throws(ApplyStop) -> Bool
    ) throws(ApplyStop) {
        var cursor: Transaction.Cursor
        do {
            cursor = try transaction.makeCursor(in: family, from: lowerBound, to: upperBound, tier: .all)
            try cursor.seekToFirst()
        } catch { throw .failed(.store(error)) }
        while cursor.isValid {
            let key = cursor.withKey { $0.copy(0..<$0.byteCount) }
            switch cursor.withValue({ Self.decoded(key, $0, in: family, decode) }) {
            case .failure(let damage): throw .failed(.damaged(damage))
            case .success(let stored):
                guard try visit(key, stored) else { return }
            }
            do { try cursor.next() } catch { throw .failed(.store(error)) }
        }
    }

    private static func decoded<Record>(
        _ key: [UInt8], _ value: RawSpan, in family: ColumnFamily, _ decode: (RawSpan) throws(RecordDamage) -> Record
    ) -> Result<Stored<Record>, RecordDamage> {
        do throws(RecordDamage) {
            let record = try decode(value)
            return .success(Stored(record: record, contribution: RecordHash.contribution(family, key, value)))
        } catch { return .failure(error) }
    }
}
