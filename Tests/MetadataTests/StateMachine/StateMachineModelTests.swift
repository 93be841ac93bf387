import KeyValueStore
import Metadata
import ObjectDataStore
import Testing

/// Random runs against `MetadataModel`. A failure names the seed; the seed is the whole run.
@Suite struct StateMachineModelTests {
    @Test("apply does what the model does, and every batch leaves a consistent store", arguments: UInt64(1)...40)
    func random(seed: UInt64) throws {
        var run = try ModelRun(seed: seed)
        for _ in 0..<120 {
            try run.playBatch()
            if run.hasFailed { return }
        }
    }

    /// Digest and records must not depend on how the operations were cut into batches, or on what was in the caches.
    @Test("replicas that batch differently hold the same bytes and the same digest", arguments: UInt64(100)...106)
    func batching(seed: UInt64) throws {
        var generator = ChangeGenerator(seed: seed)
        var model = MetadataModel()
        var payloads: [MetadataOperation.Payload] = []
        for index in 1...300 {
            let payload = generator.payload(model)
            _ = ModelRun.make(payload, index: UInt64(index), timestamp: 1_000, &model)
            payloads.append(payload)
        }
        var one = try ApplyHarness()
        var two = try ApplyHarness()
        for payload in payloads { _ = try one.commit([payload]) }
        var rest = payloads[...]
        while !rest.isEmpty {
            let count = 1 + generator.random.below(40)
            _ = try two.commit(Array(rest.prefix(count)))
            rest = rest.dropFirst(count)
            if generator.random.chance(1, in: 3) { try two.reload() }
        }
        #expect(one.machine.digest == two.machine.digest, "seed \(seed)")
        #expect(try one.contents() == two.contents(), "seed \(seed)")
    }
}

private struct ModelRun {
    let seed: UInt64
    var generator: ChangeGenerator
    var harness: ApplyHarness
    var model = MetadataModel()
    var hasFailed = false

    init(seed: UInt64) throws {
        self.seed = seed
        generator = ChangeGenerator(seed: seed)
        harness = try ApplyHarness()
    }

    /// Applies up to five operations in one batch, compares, and now and then loses the batch or the machine.
    mutating func playBatch() throws {
        let timestamp = 1_000 * (1 + harness.index)
        let modelBefore = model
        var payloads: [MetadataOperation.Payload] = []
        var expected: [[Result<MetadataReply, MetadataError>]] = []
        let count = 1 + generator.random.below(5)
        for position in 0..<count {
            let payload = generator.payload(model)
            payloads.append(payload)
            let index = harness.index + UInt64(position) + 1
            expected.append(Self.make(payload, index: index, timestamp: timestamp, &model))
        }
        if generator.random.chance(1, in: 10) {
            try harness.abandon(payloads, timestamp: timestamp)
            model = modelBefore
            return
        }
        let outcomes = try harness.commit(payloads, timestamp: timestamp)
        for (position, outcome) in outcomes.enumerated() {
            compare(outcome, expected[position], payloads[position])
        }
        try compareState()
        let releasedBefore = modelBefore.released.count
        let released = model.released.dropFirst(releasedBefore).sorted()
        expect(harness.effects.releasedBodies.sorted() == Array(released), "released bodies")
        if generator.random.chance(1, in: 10) { try harness.reload() }
    }

    static func make(
        _ payload: MetadataOperation.Payload, index: UInt64, timestamp: UInt64, _ model: inout MetadataModel
    ) -> [Result<MetadataReply, MetadataError>] {
        let changes: [MetadataChange] =
            switch payload {
            case .change(let change): [change]
            case .batchOps(let changes): changes
            }
        return changes.enumerated().map { offset, change in
            model.make(change, at: CommitPosition(index: index, offset: UInt32(offset)), timestamp: timestamp)
        }
    }

    // MARK: Comparing

    private mutating func expect(_ holds: Bool, _ what: String) {
        guard !holds else { return }
        hasFailed = true
        Issue.record("seed \(seed), index \(harness.index): \(what)")
    }

    /// Refusals agree in their code and in the delete marker that they name.
    private mutating func compare(
        _ outcome: MetadataOutcome, _ expected: [Result<MetadataReply, MetadataError>], _ payload: MetadataOperation.Payload
    ) {
        let results: [Result<MetadataReply, MetadataError>] =
            switch outcome {
            case .change(let result): [result]
            case .batch(let results): results
            }
        expect(results.count == expected.count, "count of results")
        for (result, expectation) in zip(results, expected) {
            switch (result, expectation) {
            case (.success(let reply), .success(let expectedReply)):
                expect(reply == expectedReply, "\(reply), expected \(expectedReply) of \(payload)")
            case (.failure(let error), .failure(let expectedError)):
                let isSame = error.code == expectedError.code && error.deleteMarker == expectedError.deleteMarker
                expect(isSame, "\(error), expected \(expectedError) of \(payload)")
            case (_, _): expect(false, "\(result), expected \(expectation) of \(payload)")
            }
        }
    }

    private mutating func compareState() throws {
        let report = try StateChecker.check(harness.store.makeSnapshot())
        expect(report.isConsistent, report.problems.joined(separator: "\n"))
        expect(report.digest == harness.machine.digest, "the machine's digest")
        for name in ChangeGenerator.buckets {
            let bucket = model.buckets[name]
            let counters = try harness.counters(of: name)
            expect((counters == nil) == (bucket == nil), "bucket \(name)")
            guard let bucket, let counters else { continue }
            expect(Self.bytes(try harness.tags(of: name)) == Self.bytes(bucket.tags), "tags of \(name)")
            let all = bucket.versions.values.joined()
            let objects = bucket.versions.values.count { $0.first.map { !$0.isDeleteMarker } ?? false }
            expect(counters.objects == UInt64(objects), "objects of \(name)")
            expect(counters.versions == UInt64(all.count), "versions of \(name)")
            expect(counters.bytes == all.reduce(0) { $0 + $1.size }, "bytes of \(name)")
            for key in ChangeGenerator.keys { try compareVersions(of: key, bucket, name) }
        }
    }

    /// Texts that are equal to Swift may differ in their bytes.
    private static func bytes(_ tags: [ResourceTag]) -> [[UInt8]] {
        tags.flatMap { [Array($0.key.utf8), Array($0.value.utf8)] }
    }

    private mutating func compareVersions(of key: ObjectKey, _ bucket: MetadataModel.Bucket, _ name: String) throws {
        let stored = try harness.versions(of: key.description, in: name)
        let expected = bucket.versions[key] ?? []
        expect(stored.map(\.id) == expected.map(\.id), "version ids of \(key.description.debugDescription) in \(name)")
        for ((_, record), version) in zip(stored, expected) {
            let isSame =
                record.etag == version.etag && record.size == version.size && record.modifiedMilliseconds == version.modified
                && record.flags.contains(.isDeleteMarker) == version.isDeleteMarker
                && record.attributes.contentType == version.contentType
                && Self.bytes(record.attributes.tags) == Self.bytes(version.tags)
            expect(isSame, "a version of \(key.description.debugDescription): \(record), expected \(version)")
        }
    }
}
