import KeyValueStore
import Metadata
import Raft
import Replication
import Testing

/// The state machine alone, fed with entries.
struct ApplyBench {
    var store = InMemoryStore(families: KeySchema.families)
    var machine: ReplicatedStateMachine
    var index = LogIndex(1)
    let mutations: ReplicationMutations

    static let nodes = [NodeID(1), NodeID(2), NodeID(3)]
    static let genesis = Genesis(
        cluster: ClusterID(77), index: LogIndex(1), configuration: Configuration(voters: nodes),
        members: nodes.map { Member(NodeIdentity($0, Incarnation($0.rawValue + 100))) })

    init(mutations: ReplicationMutations = PutBack.bug) throws {
        self.mutations = mutations
        machine = try ReplicatedStateMachine(loading: store.makeSnapshot(), mutations: mutations)
        let transaction = store.makeTransaction()
        machine.found(Self.genesis, in: transaction)
        try store.commit(transaction, durability: .synced)
        try apply(.openSession(Self.session(3)))
        for (number, change) in TestOperations.setUp.enumerated() {
            try operation(3, serial: UInt64(number + 1), mark: 1, TestOperations.bytes(change))
        }
    }

    static func session(_ node: UInt64, start: UInt64 = 1, generation: UInt32 = 0) -> SessionID {
        SessionID(node: NodeID(node), start: start, generation: generation)
    }

    @discardableResult
    mutating func apply(_ command: Command) throws -> ApplyReport {
        try apply([Entry(index: index.next, term: Term(2), payload: command.encoded())])
    }

    @discardableResult
    mutating func apply(_ entries: [Entry]) throws -> ApplyReport {
        let transaction = store.makeTransaction()
        let report = try machine.apply(entries, in: transaction)
        try store.commit(transaction, durability: .buffered)
        index = report.index
        return report
    }

    @discardableResult
    mutating func operation(
        _ node: UInt64, start: UInt64 = 1, serial: UInt64, mark: UInt64, _ bytes: [UInt8]
    ) throws -> OperationResult? {
        let operation = SessionOperation(
            session: Self.session(node, start: start), serial: Serial(serial), mark: Serial(mark), operation: bytes)
        return try apply(.operation(operation)).operations.first?.result
    }

    mutating func reload() throws {
        machine = try ReplicatedStateMachine(loading: store.makeSnapshot(), mutations: mutations)
        index = machine.appliedIndex
    }

    func versionCount() throws -> UInt64 {
        let reader = MetadataReader(store.makeSnapshot(), tier: .all)
        guard let bucket = try reader.bucket(named: TestOperations.bucket) else { return 0 }
        return try reader.usage(of: bucket).versionCount
    }
}

@Suite("Sessions make a repeated operation take effect once")
struct SessionTests {
    @Test("The same serial again answers with the first result, across a restart too")
    func repeated() throws {
        var bench = try ApplyBench()
        try bench.apply(.openSession(ApplyBench.session(1)))
        let put = try TestOperations.put("k", 1)
        guard case .applied(let outcome)? = try bench.operation(1, serial: 1, mark: 1, put) else {
            Issue.record("it takes effect")
            return
        }
        let first = bench.index
        #expect(try bench.operation(1, serial: 1, mark: 1, put) == .repeated(first, outcome))
        try bench.reload()
        #expect(try bench.operation(1, serial: 1, mark: 1, put) == .repeated(first, outcome))
        #expect(try bench.versionCount() == 1)
    }

    @Test("Serials may come in any order within the window, each once")
    func outOfOrder() throws {
        var bench = try ApplyBench()
        try bench.apply(.openSession(ApplyBench.session(1)))
        for serial: UInt64 in [3, 1, 2, 3, 5, 4, 1, 5] {
            try bench.operation(1, serial: serial, mark: 1, try TestOperations.put("k\(serial)", serial))
        }
        #expect(try bench.versionCount() == 5)
        #expect(try bench.machine.results(of: NodeID(1)).map(\.serial.rawValue) == [1, 2, 3, 4, 5])
    }

    @Test("Results below the mark go, and what comes again from below it does nothing")
    func mark() throws {
        var bench = try ApplyBench()
        try bench.apply(.openSession(ApplyBench.session(1)))
        for serial: UInt64 in 1...4 { try bench.operation(1, serial: serial, mark: 1, try TestOperations.put("k", serial)) }
        try bench.operation(1, serial: 5, mark: 4, try TestOperations.put("k", 5))
        #expect(try bench.machine.results(of: NodeID(1)).map(\.serial.rawValue) == [4, 5])
        #expect(try bench.operation(1, serial: 2, mark: 1, try TestOperations.put("k", 2)) == .acknowledged)
        try bench.reload()
        #expect(try bench.operation(1, serial: 3, mark: 1, try TestOperations.put("k", 3)) == .acknowledged)
        #expect(try bench.versionCount() == 5)
    }

    @Test("An operation beyond the window does nothing, so that the results are bounded")
    func window() throws {
        var bench = try ApplyBench()
        try bench.apply(.openSession(ApplyBench.session(1)))
        let put = try TestOperations.put("k", 1)
        let window = SessionLimits.windowCount
        #expect(try bench.operation(1, serial: window + 1, mark: 1, put) == .beyondWindow)
        guard case .applied? = try bench.operation(1, serial: window, mark: 1, put) else {
            Issue.record("the last of the window")
            return
        }
    }

    @Test("Without its session an operation does nothing: never opened, ended by a later one, expired, or its node removed")
    func ended() throws {
        var bench = try ApplyBench()
        let put = try TestOperations.put("k", 1)
        #expect(try bench.operation(1, serial: 1, mark: 1, put) == .sessionExpired)
        try bench.apply(.openSession(ApplyBench.session(1)))
        let later = ApplyBench.session(1, start: 2)
        #expect(try bench.apply(.openSession(later)).sessions == [.ended(ApplyBench.session(1)), .opened(later)])
        #expect(try bench.operation(1, serial: 1, mark: 1, put) == .sessionExpired)
        guard case .applied? = try bench.operation(1, start: 2, serial: 1, mark: 1, put) else {
            Issue.record("the later one is open")
            return
        }
        #expect(try bench.apply(.expireSession(later)).sessions == [.ended(later)])
        #expect(try bench.operation(1, start: 2, serial: 2, mark: 1, put) == .sessionExpired)
        try bench.apply(.openSession(ApplyBench.session(2)))
        let removal = ConfigurationChange([MembershipStep(.remove, NodeID(2))]).encoded()
        let report = try bench.apply([
            Entry(index: bench.index.next, term: Term(2), type: .configurationChange, payload: removal)
        ])
        #expect(report.sessions == [.ended(ApplyBench.session(2))])
        #expect(try bench.operation(2, serial: 1, mark: 1, put) == .sessionExpired)
        #expect(try bench.versionCount() == 1)
    }

    /// The story: an opening and operations of a process that died wander through the network, and come when its successor is at work.
    @Test("A session that has ended never opens again, so that nothing late takes effect in it")
    func neverAgain() throws {
        var bench = try ApplyBench()
        let first = ApplyBench.session(1)
        let put = try TestOperations.put("k", 1)
        try bench.apply(.openSession(first))
        try bench.operation(1, serial: 1, mark: 1, put)
        try bench.apply(.openSession(ApplyBench.session(1, start: 2)))
        #expect(try bench.apply(.openSession(first)).sessions == [.notOpened(first)])
        try bench.apply(.expireSession(ApplyBench.session(1, start: 2)))
        try bench.reload()
        #expect(try bench.apply(.openSession(first)).sessions == [.notOpened(first)])
        let again = ApplyBench.session(1, start: 2)
        #expect(try bench.apply(.openSession(again)).sessions == [.notOpened(again)])
        #expect(try bench.operation(1, serial: 1, mark: 1, put) == .sessionExpired)
        #expect(try bench.versionCount() == 1)
        // Opening an open one again changes nothing: its answer may have been lost.
        let third = ApplyBench.session(1, start: 3)
        try bench.apply(.openSession(third))
        try bench.operation(1, start: 3, serial: 1, mark: 1, put)
        #expect(try bench.apply(.openSession(third)).sessions == [.opened(third)])
        #expect(try bench.machine.results(of: NodeID(1)).count == 1)
    }

    @Test("A node that is no member opens no session")
    func stranger() throws {
        var bench = try ApplyBench()
        let session = ApplyBench.session(9)
        #expect(try bench.apply(.openSession(session)).sessions == [.notOpened(session)])
    }

    @Test(
        "The session table is part of the state: digest and store agree after any of it, and a copy of the store goes on alike")
    func digest() throws {
        var bench = try ApplyBench()
        for start: UInt64 in 1...3 {
            try bench.apply(.openSession(ApplyBench.session(1, start: start)))
            for serial: UInt64 in 1...20 {
                try bench.operation(
                    1, start: start, serial: serial, mark: serial > 8 ? serial - 8 : 1, try TestOperations.put("k", serial))
            }
            let report = try StateChecker.check(bench.store.makeSnapshot())
            #expect(report.isConsistent, "\(report.problems)")
            #expect(report.digest == bench.machine.digest)
        }
        let before = bench.machine.digest
        try bench.apply(.expireSession(ApplyBench.session(1, start: 3)))
        #expect(bench.machine.digest != before)
        let copy = try StoreBytes.load(StoreBytes.dump(bench.store))
        let loaded = try ReplicatedStateMachine(loading: copy.makeSnapshot())
        #expect(loaded.digest == bench.machine.digest)
        #expect(loaded.state == bench.machine.state)
    }

    @Test("How entries are cut into batches makes no difference", arguments: [1, 2, 3, 7, 50])
    func batches(size: Int) throws {
        func entries(_ first: LogIndex) throws -> [Entry] {
            var commands: [Command] = [.openSession(ApplyBench.session(1))]
            for serial: UInt64 in 1...40 {
                let put = try TestOperations.put("k\(serial % 5)", serial)
                let operation = SessionOperation(
                    session: ApplyBench.session(1), serial: Serial(serial % 30 + 1), mark: Serial(serial % 30 / 2),
                    operation: put)
                commands.append(.operation(operation))
            }
            return commands.enumerated().map { Entry(index: first + $0, term: Term(2), payload: $1.encoded()) }
        }
        var whole = try ApplyBench()
        try whole.apply(try entries(whole.index.next))
        var cut = try ApplyBench()
        var rest = try entries(cut.index.next)[...]
        while !rest.isEmpty {
            try cut.apply(Array(rest.prefix(size)))
            rest = rest.dropFirst(size)
        }
        #expect(cut.machine.digest == whole.machine.digest)
        #expect(try StoreBytes.dump(cut.store) == StoreBytes.dump(whole.store))
    }
}
