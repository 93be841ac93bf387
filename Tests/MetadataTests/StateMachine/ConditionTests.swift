import Metadata
import Testing

@Suite struct ConditionTests {
    /// Whether the key has an object (with tag (1, 2), 5 bytes, written at 1,000 ms), a delete marker, or nothing.
    enum Before: Sendable, CaseIterable { case object, marker, absent }

    struct Case: Sendable, CustomStringConvertible {
        let description: String
        let conditions: WriteConditions
        /// For object, marker, absent; `nil`: the write goes through.
        let refusals: [MetadataError.Code?]
    }

    static let same = ETagMatch.tag(ETag(high: 1, low: 2))
    static let other = ETagMatch.tag(ETag(high: 1, low: 3))

    static let cases: [Case] = [
        Case(description: "none", conditions: WriteConditions(), refusals: [nil, nil, nil]),
        Case(
            description: "If-Match: same", conditions: WriteConditions(ifMatch: [same]),
            refusals: [nil, .noSuchKey, .noSuchKey]),
        Case(
            description: "If-Match: other, same", conditions: WriteConditions(ifMatch: [other, same]),
            refusals: [nil, .noSuchKey, .noSuchKey]),
        Case(
            description: "If-Match: other", conditions: WriteConditions(ifMatch: [other]),
            refusals: [.preconditionFailed, .noSuchKey, .noSuchKey]),
        Case(
            description: "If-Match: foreign", conditions: WriteConditions(ifMatch: [.foreign]),
            refusals: [.preconditionFailed, .noSuchKey, .noSuchKey]),
        Case(
            description: "If-Match: *", conditions: WriteConditions(ifMatch: [.any]), refusals: [nil, .noSuchKey, .noSuchKey]),
        Case(
            description: "If-None-Match: *", conditions: WriteConditions(ifNoneMatch: [.any]),
            refusals: [.preconditionFailed, nil, nil]),
        Case(
            description: "If-None-Match: same", conditions: WriteConditions(ifNoneMatch: [other, same]),
            refusals: [.preconditionFailed, nil, nil]),
        Case(
            description: "If-None-Match: other", conditions: WriteConditions(ifNoneMatch: [other]), refusals: [nil, nil, nil]),
        Case(
            description: "same second", conditions: WriteConditions(ifMatchLastModifiedMilliseconds: 1_999),
            refusals: [nil, .noSuchKey, .noSuchKey]),
        Case(
            description: "another second", conditions: WriteConditions(ifMatchLastModifiedMilliseconds: 2_000),
            refusals: [.preconditionFailed, .noSuchKey, .noSuchKey]),
        Case(description: "size", conditions: WriteConditions(ifMatchSize: 5), refusals: [nil, .noSuchKey, .noSuchKey]),
        Case(
            description: "another size", conditions: WriteConditions(ifMatchSize: 6),
            refusals: [.preconditionFailed, .noSuchKey, .noSuchKey]),
    ]

    private static func harness(_ before: Before) throws -> ApplyHarness {
        var harness = try ApplyHarness()
        try harness.make(Sample.createBucket("b"))
        if before == .marker { try harness.make(Sample.versioning("b", .enabled)) }
        if before != .absent { try harness.make(Sample.put("b", "k"), timestamp: 1_000) }
        if before == .marker { try harness.make(Sample.delete("b", "k"), timestamp: 5_000) }
        return harness
    }

    @Test("Conditions decide puts, deletes and updates alike", arguments: cases, Before.allCases)
    func decision(condition: Case, before: Before) throws {
        let position = try #require(Before.allCases.firstIndex(of: before))
        for change in [
            Sample.put("b", "k", conditions: condition.conditions), Sample.delete("b", "k", conditions: condition.conditions),
        ] {
            var harness = try Self.harness(before)
            if let expected = condition.refusals[position] {
                #expect(try harness.refusal(change) == expected)
            } else {
                try harness.make(change)
            }
            try harness.expectConsistent()
        }
    }

    @Test("A refusal for want of an object names the delete marker that hides it, and its time")
    func namesMarker() throws {
        var harness = try Self.harness(.marker)
        let marker = try #require(try harness.versions(of: "k", in: "b").first?.id)
        guard case .failure(let error) = try harness.attempt(Sample.put("b", "k", conditions: WriteConditions(ifMatch: [.any])))
        else {
            Issue.record("not refused")
            return
        }
        #expect(error == MetadataError(.noSuchKey, deleteMarker: marker, lastModifiedMilliseconds: 5_000))
    }

    @Test("Conditions of a delete that names a version are about that version")
    func namedVersion() throws {
        var harness = try Self.harness(.absent)
        try harness.make(Sample.versioning("b", .enabled))
        let old = try harness.make(Sample.put("b", "k", etag: ETag(high: 1, low: 2))).putResult?.versionID
        try harness.make(Sample.put("b", "k", etag: ETag(high: 1, low: 3)))
        #expect(
            try harness.refusal(Sample.delete("b", "k", old, conditions: WriteConditions(ifMatch: [Self.other])))
                == .preconditionFailed)
        try harness.make(Sample.delete("b", "k", old, conditions: WriteConditions(ifMatch: [Self.same])))
        // It is gone now.
        #expect(
            try harness.refusal(Sample.delete("b", "k", old, conditions: WriteConditions(ifMatch: [Self.same]))) == .noSuchKey)
        try harness.expectConsistent()
    }

    @Test("Of two puts that must be the first, in one batch, one wins")
    func twoConditionalPuts() throws {
        var harness = try Self.harness(.absent)
        let put = Sample.put("b", "k", conditions: WriteConditions(ifNoneMatch: [.any]))
        let outcomes = try harness.commit([.change(put), .change(put)])
        let codes = outcomes.map { outcome -> MetadataError.Code? in
            guard case .change(.failure(let error)) = outcome else { return nil }
            return error.code
        }
        #expect(codes == [nil, .preconditionFailed])
    }
}
