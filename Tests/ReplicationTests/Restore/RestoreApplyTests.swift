import KeyValueStore
import Metadata
import ObjectDataStore
import Raft
import Replication
import Testing

/// A state machine whose state is replaced, and the states that it is replaced by.
private struct RestoreBench {
    /// What a snapshot file has.
    struct Backup {
        let bytes: [UInt8]
        let index: LogIndex
        let digest: StateDigest
    }

    private(set) var store: InMemoryStore
    private(set) var machine: ReplicatedStateMachine
    private var index = LogIndex(1)
    private var serials: [UInt64: UInt64] = [:]

    static let first = RestoreID(high: 1, low: 1)
    static let second = RestoreID(high: 2, low: 2)
    static let file = StoredBody(id: BodyID(origin: 3, sequence: 4), length: 1000)

    /// With the tests' bucket, and sessions of all nodes.
    init(version: ClusterVersion = .restores) throws {
        store = InMemoryStore(families: KeySchema.families)
        machine = try ReplicatedStateMachine(loading: store.makeSnapshot())
        let transaction = store.makeTransaction()
        machine.found(ApplyBench.genesis, in: transaction)
        try store.commit(transaction, durability: .synced)
        if version > .first { try apply(.raiseVersion(version)) }
        for node in ApplyBench.nodes { try apply(.openSession(ApplyBench.session(node.rawValue))) }
        for change in TestOperations.setUp { _ = try operation(3, TestOperations.bytes(change)) }
    }

    func entry(_ command: Command) -> Entry { Entry(index: index.next, term: Term(2), payload: command.encoded()) }

    @discardableResult
    mutating func apply(_ command: Command) throws -> ApplyReport { try apply([entry(command)]) }

    /// As an applier does it.
    @discardableResult
    mutating func apply(_ entries: [Entry], from backup: Backup? = nil) throws -> ApplyReport {
        let report: ApplyReport
        if let replacement = entries.count == 1 ? try machine.replacement(at: entries[0]) : nil {
            let backup = try #require(backup, "nobody expected that: \(replacement)")
            let next = try StoreBytes.load(backup.bytes)
            let transaction = next.makeTransaction()
            report = try machine.replaceMetadata(
                with: next.makeSnapshot(), keeping: store.makeSnapshot(), at: entries[0], in: transaction)
            try next.commit(transaction, durability: .synced)
            store = next
        } else {
            let transaction = store.makeTransaction()
            report = try machine.apply(entries, in: transaction)
            try store.commit(transaction, durability: .buffered)
        }
        index = report.index
        return report
    }

    mutating func command(_ node: UInt64, _ kind: SessionOperation.Kind, _ bytes: [UInt8]) -> Command {
        let serial = Serial((serials[node] ?? 0) + 1)
        serials[node] = serial.rawValue
        return .operation(
            SessionOperation(
                session: ApplyBench.session(node), serial: serial, mark: Serial(1), kind: kind, operation: bytes))
    }

    @discardableResult
    mutating func operation(_ node: UInt64, _ bytes: [UInt8]) throws -> OperationResult? {
        try apply(command(node, .metadata, bytes)).operations.first?.result
    }

    /// - Returns: why it is refused; nil: it is not.
    @discardableResult
    mutating func step(_ node: UInt64, _ step: RestoreStep, from backup: Backup? = nil) throws -> MetadataError? {
        let report = try apply([entry(command(node, .restore, step.encoded()))], from: backup)
        switch report.operations.first?.result {
        case .applied(.change(.success(.done)))?: return nil
        case .applied(.change(.failure(let error)))?: return error
        case let other: throw UnexpectedResult(result: "\(other, default: "none")")
        }
    }

    struct UnexpectedResult: Error { var result: String }

    mutating func put(_ keys: ClosedRange<UInt64>) throws {
        for key in keys { try operation(3, try TestOperations.put("key-\(key)", key)) }
    }

    func backup() throws -> Backup {
        Backup(bytes: try StoreBytes.dump(store), index: machine.appliedIndex, digest: machine.digest)
    }

    func replacement(
        of backup: Backup, _ id: RestoreID = first, holders: [[UInt64]] = [[1, 2]]
    ) -> RestoreStep {
        .replace(
            StateReplacement(
                restore: id, file: Self.file, holders: holders.map { $0.map { NodeID($0) } }, snapshot: 99,
                index: backup.index, digest: backup.digest))
    }

    mutating func restore(_ backup: Backup, _ id: RestoreID = first) throws {
        #expect(try step(2, .begin(id)) == nil)
        #expect(try step(2, replacement(of: backup, id), from: backup) == nil)
    }

    func value(_ key: UInt64) throws -> UInt64? {
        let reader = MetadataReader(store.makeSnapshot(), tier: .all)
        guard let bucket = try reader.bucket(named: TestOperations.bucket) else { return nil }
        return try reader.newest(of: ObjectKey(Array("key-\(key)".utf8)), in: bucket)?.record.etag.low
    }

    /// The store says the same as the machine, and contradicts itself nowhere.
    func check() throws {
        let report = try StateChecker.check(store.makeSnapshot())
        #expect(report.problems.isEmpty && report.digest == machine.digest)
        let loaded = try ReplicatedStateMachine(loading: store.makeSnapshot())
        #expect(loaded.state == machine.state && loaded.digest == machine.digest)
    }
}

@Suite("The state is replaced by an entry of the log")
struct RestoreApplyTests {
    @Test("Objects are the file's; sessions, members, cluster and place in the log are the log's")
    func replaced() throws {
        var bench = try RestoreBench()
        try bench.put(1...5)
        let backup = try bench.backup()
        try bench.put(3...9)
        try bench.apply(.expireSession(ApplyBench.session(1)))
        let repeated = bench.command(3, .metadata, try TestOperations.put("key-20", 20))
        let first = try bench.apply(repeated).operations[0]
        var before = bench.machine.state
        try bench.restore(backup)
        try bench.check()
        for key: UInt64 in 1...5 { #expect(try bench.value(key) == key) }
        for key: UInt64 in [6, 9, 20] { #expect(try bench.value(key) == nil) }
        let after = bench.machine.state
        #expect(after.applied.rawValue == before.applied.rawValue + 2 && after.restore.preparation == nil)
        #expect(after.restore.unsettled.map(\.index) == [after.applied])
        #expect(after.restore.unsettled.map(\.file) == [RestoreBench.file])
        (before.applied, before.restore) = (after.applied, after.restore)
        #expect(after == before)
        // What took effect before is known, though the state that it changed is gone.
        guard case .applied(let outcome) = first.result else {
            Issue.record("it takes effect")
            return
        }
        #expect(try bench.apply(repeated).operations[0].result == .repeated(first.index, outcome))
        #expect(try bench.value(20) == nil)
        try bench.put(30...31)
        #expect(try bench.value(31) == 31)
        try bench.check()
    }

    @Test("Every replica comes to the same bytes, however its batches end")
    func equal() throws {
        var one = try RestoreBench()
        try one.put(1...3)
        let backup = try one.backup()
        try one.put(2...6)
        var other = one
        other = try RestoreBench()
        try other.put(1...3)
        try other.put(2...6)
        try one.restore(backup)
        try other.restore(backup)
        #expect(try StoreBytes.dump(one.store) == StoreBytes.dump(other.store))
        #expect(one.machine.digest == other.machine.digest)
    }

    @Test("The same entry again is the repetition of an operation")
    func again() throws {
        var bench = try RestoreBench()
        let backup = try bench.backup()
        try bench.put(1...2)
        try bench.step(2, .begin(RestoreBench.first))
        let command = bench.command(2, .restore, bench.replacement(of: backup).encoded())
        let index = try bench.apply([bench.entry(command)], from: backup).index
        try bench.put(7...7)
        #expect(try bench.machine.replacement(at: bench.entry(command)) == nil)
        let report = try bench.apply(command)
        #expect(report.operations[0].result == .repeated(index, .change(.success(.done))) && !report.hasReplacedState)
        #expect(try bench.value(7) == 7)
    }

    @Test("One is prepared at a time, and only by rules that all members know")
    func prepared() throws {
        var bench = try RestoreBench()
        #expect(try bench.step(2, .begin(RestoreBench.first)) == nil)
        #expect(try bench.step(3, .begin(RestoreBench.second))?.code == .unavailable)
        #expect(try bench.step(3, .cancel(RestoreBench.second)) == nil)
        #expect(bench.machine.restore.preparation?.restore == RestoreBench.first)
        #expect(try bench.step(2, .cancel(RestoreBench.first)) == nil)
        #expect(try bench.step(3, .begin(RestoreBench.second)) == nil)
        try bench.check()
        var old = try RestoreBench(version: .first)
        #expect(try old.step(2, .begin(RestoreBench.first))?.code == .unavailable)
    }

    @Test("A preparation ends with its session, in whatever way that ends")
    func session() throws {
        for (number, command) in [
            Command.expireSession(ApplyBench.session(2)), .openSession(ApplyBench.session(2, start: 2)),
        ].enumerated() {
            var bench = try RestoreBench()
            let backup = try bench.backup()
            try bench.step(2, .begin(RestoreBench.first))
            let report = try bench.apply(command)
            #expect(report.restore?.preparation == nil && bench.machine.restore.preparation == nil, "\(number)")
            #expect(try bench.step(3, bench.replacement(of: backup))?.code == .unavailable)
            try bench.check()
        }
        var bench = try RestoreBench()
        try bench.step(2, .begin(RestoreBench.first))
        let change = ConfigurationChange([MembershipStep(.remove, NodeID(2))], context: [])
        let entry = Entry(
            index: bench.machine.appliedIndex.next, term: Term(2), type: .configurationChange, payload: change.encoded())
        #expect(try bench.apply([entry]).restore?.preparation == nil)
    }

    @Test("What is not prepared, not held by a quorum, or younger than the log is refused, and changes nothing")
    func refused() throws {
        var bench = try RestoreBench()
        try bench.put(1...2)
        let backup = try bench.backup()
        #expect(try bench.step(2, bench.replacement(of: backup))?.code == .unavailable, "not begun")
        try bench.step(2, .begin(RestoreBench.first))
        #expect(try bench.step(2, bench.replacement(of: backup, RestoreBench.second))?.code == .unavailable, "another one")
        for holders: [[UInt64]] in [[], [[1]], [[1, 2], [3]], [[]], [[4, 5, 6]]] {
            #expect(try bench.step(2, bench.replacement(of: backup, holders: holders))?.code == .unavailable, "\(holders)")
        }
        for distance: UInt64 in [1, 2, 1000] {
            let index = LogIndex(bench.machine.appliedIndex.rawValue + distance)
            let late = RestoreBench.Backup(bytes: backup.bytes, index: index, digest: backup.digest)
            #expect(try bench.step(2, bench.replacement(of: late))?.code == .invalidArgument)
        }
        #expect(try bench.value(2) == 2)
        #expect(try bench.step(2, bench.replacement(of: backup, holders: [[1, 2], [2, 3], [1, 2, 3]]), from: backup) == nil)
    }

    @Test("The members that count are those at that place of the log")
    func members() throws {
        var bench = try RestoreBench()
        let backup = try bench.backup()
        try bench.step(2, .begin(RestoreBench.first))
        let changes = [[MembershipStep(.addVoter, NodeID(4))], [MembershipStep(.addVoter, NodeID(5))]]
        for change in changes {
            let payload = ConfigurationChange(change, context: []).encoded()
            try bench.apply([
                Entry(
                    index: bench.machine.appliedIndex.next, term: Term(2), type: .configurationChange, payload: payload)
            ])
        }
        #expect(bench.machine.configuration.voters.count == 5)
        #expect(try bench.step(2, bench.replacement(of: backup, holders: [[1, 2]]))?.code == .unavailable)
        #expect(try bench.step(2, bench.replacement(of: backup, holders: [[1, 2, 5]]), from: backup) == nil)
        #expect(bench.machine.configuration.voters.count == 5)
        try bench.check()
    }

    @Test("A file that is not what the entry says is no state")
    func another() throws {
        var bench = try RestoreBench()
        let backup = try bench.backup()
        try bench.put(1...2)
        let other = try bench.backup()
        try bench.step(2, .begin(RestoreBench.first))
        #expect(throws: ApplyFailure.self) {
            let entry = bench.entry(bench.command(2, .restore, bench.replacement(of: backup).encoded()))
            try bench.apply([entry], from: other)
        }
    }

    @Test("No body is given up while a restore is prepared, nor the file before everybody has it")
    func bodies() throws {
        let stray = BodyID(origin: 8, sequence: 8)
        let abandon = { TestOperations.bytes(.abandonBodies($0)) }
        var bench = try RestoreBench()
        try bench.put(1...1)
        let backup = try bench.backup()
        #expect(try bench.operation(1, abandon([BodyID(origin: 7, sequence: 7)])) == .applied(.change(.success(.done))))
        try bench.step(2, .begin(RestoreBench.first))
        guard case .applied(.change(.failure(let refusal)))? = try bench.operation(1, abandon([stray])) else {
            Issue.record("a body is given up")
            return
        }
        #expect(refusal.code == .unavailable)
        #expect(try bench.step(2, bench.replacement(of: backup), from: backup) == nil)
        #expect(try bench.operation(1, abandon([stray])) == .applied(.change(.success(.done))))
        guard case .applied(.change(.failure))? = try bench.operation(1, abandon([RestoreBench.file.id])) else {
            Issue.record("the file is given up")
            return
        }
        // What was given up before the restore stays given up, though the file's state did not know.
        for origin: UInt64 in [7, 8] {
            let reader = bench.store.makeSnapshot()
            let key = KeySchema.abandoned(BodyID(origin: origin, sequence: origin))
            #expect(try reader.withValue(key, in: KeySchema.system, tier: .all) { _ in true } == true)
        }
        try bench.check()
        let index = bench.machine.restore.unsettled[0].index
        #expect(try bench.apply(.settleRestores(LogIndex(index.rawValue - 1))).restore == nil)
        let settled = try bench.apply(.settleRestores(index))
        #expect(settled.effects.releasedBodies == [RestoreBench.file.id])
        #expect(settled.restore?.settled == index && settled.restore?.unsettled == [])
        #expect(try bench.apply(.settleRestores(index)).restore == nil)
        try bench.check()
    }

    @Test("So many at most wait for members that are away")
    func bounded() throws {
        var bench = try RestoreBench()
        let backup = try bench.backup()
        for number in 0..<RestoreState.unsettledCountMax { try bench.restore(backup, RestoreID(high: 5, low: UInt64(number))) }
        #expect(try bench.step(2, .begin(RestoreBench.first))?.code == .limitExceeded)
        try bench.apply(.settleRestores(bench.machine.restore.unsettled[3].index))
        #expect(bench.machine.restore.unsettled.count == RestoreState.unsettledCountMax - 4)
        try bench.restore(backup)
        try bench.check()
    }
}
