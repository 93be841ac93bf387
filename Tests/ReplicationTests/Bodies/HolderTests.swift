import Metadata
import NIOCore
import ObjectDataStore
import Raft
import Replication
import Testing

@Suite("An operation whose body too few members hold")
struct HolderTests {
    private static let body = StoredBody(id: BodyID(origin: 5, sequence: 6), length: 200_000)

    private static func put(holders: [UInt64]) throws -> [UInt8] {
        var operation = MetadataOperation(
            opID: 1, timestamp: 1000,
            change: .putObject(
                PutObject(
                    bucket: BucketReference(name: TestOperations.bucket, requiredOwner: nil),
                    key: try ObjectKey(Array("key".utf8)), body: .stored(body), etag: ETag(high: 0, low: 1),
                    owner: TestOperations.owner)))
        operation.bodyHolders = holders
        var buffer = ByteBuffer()
        operation.encode(into: &buffer)
        return Array(buffer: buffer)
    }

    private static func apply(_ bench: inout ApplyBench, serial: UInt64, holders: [UInt64]) throws -> ApplyReport {
        try bench.apply(
            .operation(
                SessionOperation(
                    session: ApplyBench.session(3), serial: Serial(serial), mark: Serial(1),
                    operation: try put(holders: holders))))
    }

    @Test("is refused, and the body stays, so that it can be named again; by the first rules it is released")
    func refused() throws {
        for version in [ClusterVersion.first, .offersAgain] {
            var bench = try ApplyBench()
            if version > .first { try bench.apply(.raiseVersion(version)) }
            let report = try Self.apply(&bench, serial: 10, holders: [3])
            guard case .applied(.change(.failure(let error))) = report.operations[0].result else {
                Issue.record("it is named")
                return
            }
            #expect(error.code == .unavailable)
            #expect(report.effects.releasedBodies == (version == .first ? [Self.body.id] : []))
            let again = try Self.apply(&bench, serial: 11, holders: [1, 3])
            guard case .applied(.change(.success)) = again.operations[0].result else {
                Issue.record("it is not named")
                return
            }
            #expect(again.effects.referencedBodies == [Self.body])
        }
    }
}
