import KeyValueStore
import Metadata
import ObjectDataStore
import Testing

/// Damage is a failure of apply, never an answer: "not there" and "could not read" are different things.
@Suite struct StoreFailureTests {
    /// A store with one versioned bucket, an object with versions, and an upload with a part.
    private static func filled() throws -> ApplyHarness {
        var harness = try ApplyHarness()
        try harness.make(Sample.createBucket("b"))
        try harness.make(Sample.put("b", "k"))
        try harness.make(Sample.versioning("b", .enabled))
        try harness.make(Sample.put("b", "k"))
        let id = try #require(try harness.make(Sample.createUpload("b", "u")).uploadID)
        let upload = Sample.upload("b", "u", id)
        try harness.make(Sample.part(upload, 1, Sample.inline("part")))
        try harness.make(Sample.complete(upload, [1]))
        try harness.make(Sample.createUpload("b", "u"))
        try harness.make(Sample.versioning("b", .suspended))
        try harness.expectConsistent()
        return harness
    }

    private static func overwrite(
        _ harness: ApplyHarness, _ family: ColumnFamily, with value: @Sendable ([UInt8]) -> [UInt8]?
    ) throws {
        let snapshot = harness.store.makeSnapshot()
        var cursor = try snapshot.makeCursor(in: family, from: nil, to: nil, tier: .all)
        try cursor.seekToFirst()
        let transaction = harness.store.makeTransaction()
        while cursor.isValid {
            let key = cursor.withKey { $0.copy(0..<$0.byteCount) }
            if let new = value(cursor.withValue { $0.copy(0..<$0.byteCount) }) {
                transaction.put(new, for: key, in: family)
            } else {
                transaction.delete(key, in: family)
            }
            try cursor.next()
        }
        try harness.store.commit(transaction, durability: .buffered)
    }

    @Test("A damaged record fails the batch", arguments: [KeySchema.buckets, KeySchema.objects])
    func damaged(family: ColumnFamily) throws {
        var harness = try Self.filled()
        try Self.overwrite(harness, family) { _ in [99] }
        try harness.reload()
        #expect(throws: MetadataStoreFailure.self) { try harness.make(Sample.put("b", "k")) }
    }

    @Test("A store of another schema, or with damaged system records, is not loaded")
    func systemDamaged() throws {
        let harness = try Self.filled()
        try Self.overwrite(harness, KeySchema.system) { _ in [99] }
        #expect(throws: MetadataStoreFailure.self) { try MetadataStateMachine(loading: harness.store.makeSnapshot()) }
        let other = try Self.filled()
        let transaction = other.store.makeTransaction()
        transaction.put(FormatRecord(schemaVersion: 1).encode(), for: KeySchema.format, in: KeySchema.system)
        try other.store.commit(transaction, durability: .buffered)
        #expect(throws: MetadataStoreFailure.unsupportedSchema(1)) {
            try MetadataStateMachine(loading: other.store.makeSnapshot())
        }
    }

    @Test("The checker finds damage and loss in every family", arguments: KeySchema.families)
    func checker(family: ColumnFamily) throws {
        for mutation: @Sendable ([UInt8]) -> [UInt8]? in [{ _ in nil }, { $0 + [0] }, { $0.dropLast() + [0x55] }] {
            var harness = try Self.filled()
            try harness.make(Sample.put("b", "stored", Sample.stored(1)))
            let id = try #require(try harness.make(Sample.createUpload("b", "w")).uploadID)
            try harness.make(Sample.part(Sample.upload("b", "w", id), 1, Sample.inline("part")))
            try harness.expectConsistent()
            try Self.overwrite(harness, family, with: mutation)
            let report = try StateChecker.check(harness.store.makeSnapshot())
            #expect(!report.isConsistent && !report.problems.isEmpty)
        }
    }

    @Test("A skipped entry of the log moves the applied index and nothing else")
    func skip() throws {
        let harness = try Self.filled()
        var machine = harness.machine
        let transaction = harness.store.makeTransaction()
        machine.skip(to: harness.index + 5)
        machine.finishBatch(in: transaction)
        try harness.store.commit(transaction, durability: .buffered)
        let loaded = try MetadataStateMachine(loading: harness.store.makeSnapshot())
        #expect(loaded.appliedIndex == harness.index + 5)
        #expect(loaded.digest == harness.machine.digest)
        #expect(try StateChecker.check(harness.store.makeSnapshot()).isConsistent)
    }

    @Test("An index that was applied before traps")
    func appliedTwice() async {
        await #expect(processExitsWith: .failure) {
            var harness = try ApplyHarness()
            try harness.make(Sample.createBucket("b"))
            var effects = ApplyEffects()
            let operation = MetadataOperation(opID: 1, timestamp: 1, change: Sample.createBucket("c"))
            _ = try harness.applyDirectly(operation, at: 1, &effects)
        }
    }
}

extension ApplyHarness {
    /// Without care for the index.
    mutating func applyDirectly(
        _ operation: MetadataOperation, at index: UInt64, _ effects: inout ApplyEffects
    ) throws -> MetadataOutcome {
        var machine = machine
        return try machine.apply(operation, at: index, in: store.makeTransaction(), effects: &effects)
    }
}
