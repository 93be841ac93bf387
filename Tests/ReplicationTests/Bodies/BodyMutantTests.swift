import Metadata
import NIOCore
import ObjectDataStore
import Raft
import Replication
import Testing

/// The bugs of `ReplicationMutations` that concern bodies.
extension MutantTests {
    static let bodyCases: [Case] = [
        Case(mutation: .countsUndurableBodies, look: undurable), Case(mutation: .ignoresHolders, look: fewHolders),
        Case(mutation: .promotesWithoutBodies, look: poorLearner), Case(mutation: .removesWithoutBodies, look: poorRest),
        Case(mutation: .leavesJointWithoutBodies, look: poorSuccessor),
        Case(mutation: .believesItselfWhole, look: replacedState),
    ]

    static func report(lacking count: UInt64?, upTo index: LogIndex = LogIndex(.max)) -> BodyReport {
        BodyReport(lackingCount: count, lackingByteCount: count ?? 0, index: index)
    }

    @Sendable private static func undurable(_ mutations: ReplicationMutations) throws -> String? {
        var settings = BodyUploadSettings()
        settings.mutations = mutations
        let now = ClockReading.zero
        var upload = BodyUpload(
            BodyID(origin: 1, sequence: 1), in: Configuration(voters: [NodeID(1), NodeID(2), NodeID(3)]),
            requirement: .majority,
            settings: settings, at: now)
        upload.send(byteCount: 10, at: now)
        upload.finish(at: now)
        upload.durable(on: NodeID(1))
        return upload.outcome == .pending ? nil : "\(upload.holders) hold it"
    }

    @Sendable private static func fewHolders(_ mutations: ReplicationMutations) throws -> String? {
        var bench = try ApplyBench(mutations: mutations)
        try bench.apply(.openSession(ApplyBench.session(1)))
        var operation = MetadataOperation(
            opID: 1, timestamp: 1000,
            change: .putObject(
                PutObject(
                    bucket: BucketReference(name: TestOperations.bucket, requiredOwner: nil),
                    key: try ObjectKey(Array("k".utf8)),
                    body: .stored(StoredBody(id: BodyID(origin: 1, sequence: 1), length: 1 << 20)),
                    etag: ETag(high: 0, low: 1), owner: TestOperations.owner)))
        // The bench's members are 1, 2 and 3.
        operation.bodyHolders = [1, 7]
        var buffer = ByteBuffer()
        operation.encode(into: &buffer)
        try bench.operation(1, serial: 1, mark: 1, Array(buffer: buffer))
        return try bench.versionCount() == 0 ? nil : "it is named though one of three members holds it"
    }

    @Sendable private static func poorLearner(_ mutations: ReplicationMutations) throws -> String? {
        var settings = TestCluster.settings
        settings.mutations = mutations
        let cluster = try TestCluster.ready(3, settings: settings)
        let leader = try #require(cluster.leader)
        let node = try cluster.add(MembershipTests.newcomer(4, settings: settings))
        node.handle(.bodies(report(lacking: 1)), at: cluster.now)
        _ = cluster.command(.add(NodeID(4), address: []), on: leader)
        cluster.run(milliseconds: 1_000)
        return leader.replica?.core.configuration.voters.contains(NodeID(4)) == true ? "a voter that lacks a body" : nil
    }

    @Sendable private static func poorRest(_ mutations: ReplicationMutations) throws -> String? {
        var settings = TestCluster.settings
        settings.mutations = mutations
        let cluster = try TestCluster.ready(3, settings: settings)
        let leader = try #require(cluster.leader)
        // What it said of an earlier index is no answer.
        cluster.followers[1].handle(.bodies(report(lacking: 0, upTo: LogIndex(1))), at: cluster.now)
        cluster.run(milliseconds: 2_000)
        _ = cluster.command(.remove(cluster.followers[0].node, isForced: false), on: leader)
        cluster.run(milliseconds: 2_000)
        return leader.replica?.core.configuration.voters.count == 2 ? "a quorum that may lack bodies" : nil
    }

    /// A node is replaced, and a body was named while the change was on its way.
    @Sendable private static func poorSuccessor(_ mutations: ReplicationMutations) throws -> String? {
        var settings = TestCluster.settings
        settings.mutations = mutations
        let cluster = try TestCluster.ready(3, settings: settings)
        let leader = try #require(cluster.leader)
        let (gone, poor) = (cluster.followers[0], cluster.followers[1])
        let node = try cluster.add(MembershipTests.newcomer(4, settings: settings))
        poor.handle(.bodies(report(lacking: 1)), at: cluster.now)
        let commit = try #require(leader.replica?.core.commit)
        node.handle(.bodies(report(lacking: 0, upTo: commit)), at: cluster.now)
        let token = cluster.command(.replace(gone.node, with: NodeID(4), address: []), on: leader)
        cluster.run(milliseconds: 3_000)
        let configuration = try #require(leader.replica?.core.configuration)
        guard configuration.isJoint else { return "the transition is over: \(configuration.voters)" }
        node.handle(.bodies(report(lacking: 0)), at: cluster.now)
        try cluster.run { leader.replica?.core.configuration.isJoint == false }
        try cluster.run { leader.commands[token] != nil }
        return nil
    }

    @Sendable private static func replacedState(_ mutations: ReplicationMutations) throws -> String? {
        var ledger = BodyLedgerState(mutations: mutations)
        _ = ledger.takePassDue()
        ledger.lookedForAll(upTo: LogIndex(5))
        guard ledger.report == report(lacking: 0, upTo: LogIndex(5)) else { return nil }
        ledger.stateReplaced()
        return ledger.report == .unknown ? nil : "it says \(ledger.report)"
    }
}
