import KeyValueStore
import Metadata
import Raft
import Replication
import Testing

@Suite("Results as sessions keep them")
struct OutcomeBytesTests {
    @Test("Every outcome that the state machine gives is kept and found again, whatever the operations", arguments: 1...5)
    func kept(seed: UInt64) throws {
        var bench = try ApplyBench()
        try bench.apply(.openSession(ApplyBench.session(1)))
        var random = TestRandom(seed: seed)
        var expected: [MetadataOutcome] = []
        for serial: UInt64 in 1...100 {
            let operation = try Self.operation(&random)
            guard case .applied(let outcome)? = try bench.operation(1, serial: serial, mark: 1, operation) else {
                Issue.record("it takes effect")
                return
            }
            expected.append(outcome)
        }
        let results = try bench.machine.results(of: NodeID(1))
        #expect(results.map(\.outcome) == expected)
        let kinds = Set(expected.map { "\($0)".prefix(90) })
        #expect(kinds.count > 2, "\(kinds)")
    }

    static func operation(_ random: inout TestRandom) throws -> [UInt8] {
        let key = try ObjectKey(Array("k\(random.below(3))".utf8))
        let bucket = BucketReference(name: random.chance(1, in: 5) ? "none" : TestOperations.bucket, requiredOwner: nil)
        switch random.below(5) {
        case 0: return try TestOperations.put("k\(random.below(3))", random.next())
        case 1:
            return TestOperations.bytes(
                .deleteObject(DeleteObject(bucket: bucket, key: key, versionID: nil, owner: TestOperations.owner)))
        case 2:
            return TestOperations.bytes(
                .createBucket(CreateBucket(name: "b\(random.below(3))", owner: TestOperations.owner, location: "")))
        case 3: return TestOperations.bytes(.deleteBucket(DeleteBucket(bucket: bucket)))
        default:
            return TestOperations.bytes(
                .setBucketVersioning(SetBucketVersioning(bucket: bucket, versioning: .enabled)))
        }
    }

    @Test("Every error code has a number of its own")
    func errorNumbers() {
        #expect(Set(OutcomeCode.errors.map(\.number)).count == OutcomeCode.errors.count)
        #expect(Set(OutcomeCode.errors.map { "\($0.code)" }).count == OutcomeCode.errors.count)
    }
}
