import KeyValueStore
import Metadata
import ObjectDataStore
import Raft
import Replication
import Testing

/// A snapshot file, as far as tests have any.
struct TestBackup {
    let file: StoredBody
    let checkpoint: InMemoryStore.Checkpoint
    let index: LogIndex
    let digest: StateDigest

    init(_ number: UInt64, of store: InMemoryStore, _ machine: ReplicatedStateMachine) throws {
        file = StoredBody(id: BodyID(origin: 99, sequence: number), length: 10)
        try store.createCheckpoint(at: "backup \(number)")
        checkpoint = try #require(store.checkpoint(at: "backup \(number)"))
        (index, digest) = (machine.appliedIndex, machine.digest)
    }

    func replacement(_ restore: RestoreID, holders: [[NodeID]] = [[NodeID(1), NodeID(2)]]) -> StateReplacement {
        StateReplacement(restore: restore, file: file, holders: holders, snapshot: 7, index: index, digest: digest)
    }
}

extension ApplyBench {
    static let restore = RestoreID(high: 1, low: 2)

    /// With the rules that know restores, and an open session of node 1.
    static func restoring(mutations: ReplicationMutations = PutBack.bug) throws -> ApplyBench {
        var bench = try ApplyBench(mutations: mutations)
        try bench.apply(.raiseVersion(.restores))
        try bench.apply(.openSession(session(1)))
        return bench
    }

    /// A step in the session of node 1, and of another file's state if it comes to that.
    @discardableResult
    mutating func restore(
        _ step: RestoreStep, serial: UInt64, mark: UInt64 = 1, from backup: TestBackup? = nil
    ) throws -> OperationResult? {
        let operation = SessionOperation(
            session: Self.session(1), serial: Serial(serial), mark: Serial(mark), kind: .restore, operation: step.encoded())
        let entry = Entry(index: index.next, term: Term(2), payload: Command.operation(operation).encoded())
        guard let backup, try machine.replacement(at: entry) != nil else { return try apply([entry]).operations.first?.result }
        let next = InMemoryStore(checkpoint: backup.checkpoint)
        let transaction = next.makeTransaction()
        let report = try machine.replaceMetadata(
            with: next.makeSnapshot(), keeping: store.makeSnapshot(), at: entry, in: transaction)
        try next.commit(transaction, durability: .synced)
        (store, index) = (next, report.index)
        return report.operations.first?.result
    }
}

@Suite("A snapshot file takes the place of the state, through the log")
struct RestoreTests {
    private typealias Bench = ApplyBench

    private static func isRefused(_ result: OperationResult?) -> Bool {
        if case .applied(.change(.failure))? = result { true } else { false }
    }

    private static let done = OperationResult.applied(.change(.success(.done)))

    @Test("The metadata are the file's; sessions, results and rules are the log's; a restart finds it all")
    func replaced() throws {
        var bench = try Bench.restoring()
        try bench.operation(1, serial: 1, mark: 1, try TestOperations.put("old", 1))
        let backup = try TestBackup(1, of: bench.store, bench.machine)
        let put = try TestOperations.put("new", 2)
        try bench.operation(1, serial: 2, mark: 1, put)
        #expect(try bench.restore(.begin(Bench.restore), serial: 3) == Self.done)
        let step = RestoreStep.replace(backup.replacement(Bench.restore))
        #expect(try bench.restore(step, serial: 4, from: backup) == Self.done)
        let replacedAt = bench.index
        for _ in 0..<2 {
            #expect(try bench.versionCount() == 1)
            #expect(bench.machine.state.version == .restores && bench.machine.restore.preparation == nil)
            #expect(bench.machine.restore.unsettled.map(\.index) == [replacedAt])
            #expect(bench.machine.restore.unsettled.map(\.file) == [backup.file])
            #expect(try StateChecker.check(bench.store.makeSnapshot()).isConsistent)
            let digest = bench.machine.digest
            try bench.reload()
            #expect(bench.machine.digest == digest)
        }
        // What had taken effect before does not do so again, the restore included.
        guard case .repeated? = try bench.operation(1, serial: 2, mark: 1, put),
            case .repeated? = try bench.restore(step, serial: 4, from: backup)
        else {
            Issue.record("an operation takes effect twice")
            return
        }
        #expect(try bench.versionCount() == 1)
        let released = try bench.apply(.settleRestores(replacedAt)).effects.releasedBodies
        #expect(released == [backup.file.id])
        #expect(bench.machine.restore.unsettled.isEmpty && bench.machine.restore.settled == replacedAt)
        #expect(try bench.apply(.settleRestores(replacedAt)).effects.releasedBodies.isEmpty)
    }

    @Test("A replacement is refused that was not prepared, is called off, or whose file is on no quorum")
    func refused() throws {
        var bench = try Bench.restoring()
        let backup = try TestBackup(1, of: bench.store, bench.machine)
        let other = RestoreID(high: 3, low: 4)
        func replace(_ restore: RestoreID, _ holders: [[NodeID]]) -> RestoreStep {
            .replace(backup.replacement(restore, holders: holders))
        }
        let quorum = [NodeID(1), NodeID(3)]
        #expect(Self.isRefused(try bench.restore(replace(Bench.restore, [quorum]), serial: 1, from: backup)))
        #expect(try bench.restore(.begin(Bench.restore), serial: 2) == Self.done)
        #expect(Self.isRefused(try bench.restore(.begin(other), serial: 3)), "one at a time")
        #expect(Self.isRefused(try bench.restore(replace(other, [quorum]), serial: 4, from: backup)))
        for (number, holders) in [[], [[NodeID(2)]], [quorum, [NodeID(2), NodeID(9)]]].enumerated() {
            let result = try bench.restore(replace(Bench.restore, holders), serial: UInt64(5 + number), from: backup)
            #expect(Self.isRefused(result), "\(holders)")
        }
        #expect(try bench.restore(.cancel(Bench.restore), serial: 8) == Self.done)
        #expect(Self.isRefused(try bench.restore(replace(Bench.restore, [quorum]), serial: 9, from: backup)))
        // The end of the session that prepares is the end of the preparation.
        #expect(try bench.restore(.begin(other), serial: 10) == Self.done)
        try bench.apply(.expireSession(Bench.session(1)))
        #expect(bench.machine.restore.preparation == nil)
    }

    @Test("A file stays until every member has the state of it, and then goes")
    func settled() throws {
        #expect(try !Self.settledWithoutOne(mutations: PutBack.bug))
    }

    @Test("A disk that was away when a restore was settled, and has its entry, is not added again")
    func outdatedDisk() throws {
        var settings = TestCluster.settings
        settings.version = .restores
        let cluster = try TestCluster.ready(4, settings: settings)
        let leader = try #require(cluster.leader)
        try cluster.run { cluster.nodes.allSatisfy { $0.replica?.version == .restores } }
        try cluster.putAndWait("old", 1, on: leader)
        let backup = try TestBackup(1, of: leader.store, try #require(leader.machine))
        let away = try #require(cluster.followers.first)
        for node in cluster.nodes where node !== away { node.files[backup.file.id] = backup.checkpoint }
        let holders = cluster.nodes.filter { $0 !== away }.map(\.node).sorted()
        for step in [.begin(ApplyBench.restore), .replace(backup.replacement(ApplyBench.restore, holders: [holders]))]
            as [RestoreStep]
        {
            let token = cluster.propose(step.encoded(), kind: .restore, on: leader)
            try cluster.run { leader.outcomes[token] != nil }
        }
        let entry = try #require(leader.replica?.restore.unsettled.first?.index)
        try cluster.run { away.log.stored.lastIndex >= entry }
        away.crash()
        let removal = cluster.command(.remove(away.node, isForced: false), on: leader)
        try cluster.run { leader.commands[removal] != nil }
        #expect(leader.commands[removal] == .done)
        try cluster.run { leader.replica?.restore.settled == entry }

        try away.begin(at: cluster.now)
        let addition = cluster.command(.add(away.node, address: Array("node-9".utf8)), on: leader)
        try cluster.run { leader.commands[addition] != nil }
        #expect(leader.commands[addition] == .refused(.outdated(away.node)))
        #expect(leader.replica?.core.configuration.members.count == 3)
    }

    /// Three members, of which one does not find the file for long.
    ///
    /// - Returns: whether the restore was settled while a member lacked it.
    static func settledWithoutOne(mutations: ReplicationMutations) throws -> Bool {
        var settings = TestCluster.settings
        settings.mutations = mutations
        settings.version = .restores
        let cluster = try TestCluster.ready(3, settings: settings)
        let leader = try #require(cluster.leader)
        try cluster.run { cluster.nodes.allSatisfy { $0.replica?.version == .restores } }
        try cluster.putAndWait("old", 1, on: leader)
        let backup = try TestBackup(1, of: leader.store, try #require(leader.machine))
        try cluster.putAndWait("new", 2, on: leader)
        let late = try #require(cluster.followers.first)
        for node in cluster.nodes where node !== late { node.files[backup.file.id] = backup.checkpoint }
        let holders = cluster.nodes.filter { $0 !== late }.map(\.node).sorted()
        for step in [.begin(ApplyBench.restore), .replace(backup.replacement(ApplyBench.restore, holders: [holders]))]
            as [RestoreStep]
        {
            let token = cluster.propose(step.encoded(), kind: .restore, on: leader)
            try cluster.run { leader.outcomes[token] != nil }
            guard case .committed(_, .change(.success))? = leader.outcomes[token] else {
                Issue.record("\(String(describing: leader.outcomes[token]))")
                return false
            }
        }
        #expect(try leader.value("new") == nil && leader.value("old") == 1)
        cluster.run(milliseconds: 3000)
        let isEarly = leader.replica?.restore.unsettled.isEmpty ?? true
        late.files[backup.file.id] = backup.checkpoint
        late.releaseApply(at: cluster.now)
        try cluster.run { cluster.nodes.allSatisfy { $0.replica?.restore.unsettled.isEmpty ?? false } }
        try cluster.settle()
        #expect(try late.value("new") == nil && late.value("old") == 1)
        try cluster.expectSound()
        return isEarly
    }
}

/// The bugs of `ReplicationMutations` that concern restores.
extension MutantTests {
    static let restoreCases: [Case] = [
        Case(mutation: .settlesEarly, look: settledEarly), Case(mutation: .ignoresPreparation, look: calledOff),
        Case(mutation: .forgetsSessionsAtRestore, look: repeatedAfterRestore),
    ]

    @Sendable private static func settledEarly(_ mutations: ReplicationMutations) throws -> String? {
        try RestoreTests.settledWithoutOne(mutations: mutations) ? "a member can find the file no more" : nil
    }

    @Sendable private static func calledOff(_ mutations: ReplicationMutations) throws -> String? {
        var bench = try ApplyBench.restoring(mutations: mutations)
        let backup = try TestBackup(1, of: bench.store, bench.machine)
        try bench.restore(.begin(ApplyBench.restore), serial: 1)
        try bench.restore(.cancel(ApplyBench.restore), serial: 2)
        let result = try bench.restore(.replace(backup.replacement(ApplyBench.restore)), serial: 3, from: backup)
        return result == .applied(.change(.success(.done))) ? "it takes effect though it was called off" : nil
    }

    @Sendable private static func repeatedAfterRestore(_ mutations: ReplicationMutations) throws -> String? {
        var bench = try ApplyBench.restoring(mutations: mutations)
        let put = try TestOperations.put("k", 1)
        try bench.operation(1, serial: 1, mark: 1, put)
        let backup = try TestBackup(1, of: bench.store, bench.machine)
        try bench.restore(.begin(ApplyBench.restore), serial: 2)
        try bench.restore(.replace(backup.replacement(ApplyBench.restore)), serial: 3, from: backup)
        try bench.operation(1, serial: 1, mark: 1, put)
        let count = try bench.versionCount()
        return count == 1 ? nil : "it took effect \(count) times"
    }
}
