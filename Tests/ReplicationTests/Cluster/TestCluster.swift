import KeyValueStore
import Metadata
import Raft
import Replication
import Testing

/// The bugs that are put back into what these tests look at: see NamedCaseMutantTests.
enum PutBack {
    @TaskLocal static var bug: ReplicationMutations = []
    @TaskLocal static var raftBug: RaftMutations = []
}

/// A cluster in one thread and virtual time. Every message goes through its bytes. Nothing happens by chance but what seeds decide.
final class TestCluster {
    static let tickMilliseconds: UInt64 = 10

    private(set) var nodes: [TestNode] = []
    private(set) var now = ClockReading(nanoseconds: 1_000_000_000_000)
    private var lastToken: UInt64 = 0
    /// Messages for which this says true are lost.
    var loses: (PeerEnvelope) -> Bool = { _ in false }
    /// Messages that were sent, for tests that deliver them again.
    private(set) var sent: [PeerEnvelope] = []
    var recordsSent = false
    /// Nodes that hear and reach nobody.
    var isolated: [NodeID] = []

    static var settings: ReplicaSettings {
        var settings = ReplicaSettings()
        settings.raft.electionTicks = 20
        settings.raft.heartbeatTicks = 5
        settings.raft.fastCampaignTicks = 0...4
        settings.retryMilliseconds = 300
        settings.reportMilliseconds = 50
        settings.statusMilliseconds = 200
        settings.unreachableMilliseconds = 600
        settings.removalMilliseconds = 1000
        settings.snapshots.chunkByteCount = 256
        settings.snapshots.chunkRetryMilliseconds = 100
        settings.snapshots.silenceMilliseconds = 1000
        settings.snapshots.spacingMilliseconds = 1000
        settings.snapshots.intervalMilliseconds = nil
        settings.snapshots.keptByteCount = 0
        settings.membership.stepMilliseconds = 2000
        settings.membership.catchUpMilliseconds = 5000
        // Else the first thing that a leader does is to raise the rules.
        settings.version = .first
        settings.mutations = PutBack.bug
        settings.raft.mutations = PutBack.raftBug
        return settings
    }

    static func configured(_ count: Int) -> [ConfiguredNode] {
        (1...count).map { ConfiguredNode(NodeID(UInt64($0)), address: Array("node-\($0)".utf8)) }
    }

    init() {}

    /// A cluster of so many nodes that found it, started.
    convenience init(_ count: Int, settings: ReplicaSettings = TestCluster.settings) throws {
        self.init()
        let configured = Self.configured(count)
        for node in configured {
            try add(TestNode(node.node, incarnation: 100 + node.node.rawValue, configured: configured, settings: settings))
        }
    }

    /// As above, with a leader and the tests' bucket.
    static func ready(_ count: Int, settings: ReplicaSettings = TestCluster.settings) throws -> TestCluster {
        let cluster = try TestCluster(count, settings: settings)
        let leader = try cluster.awaitLeader()
        for change in TestOperations.setUp {
            let token = cluster.propose(TestOperations.bytes(change), on: leader)
            try cluster.run { leader.outcomes[token] != nil }
        }
        try cluster.settle()
        return cluster
    }

    @discardableResult
    func add(_ node: TestNode) throws -> TestNode {
        nodes.append(node)
        try node.begin(at: now)
        return node
    }

    subscript(_ id: UInt64) -> TestNode {
        guard let node = nodes.first(where: { $0.node.rawValue == id }) else { preconditionFailure("no such node") }
        return node
    }

    /// Takes the place of a node whose disk was wiped.
    func replace(_ id: UInt64, by node: TestNode) throws {
        nodes.removeAll { $0.node.rawValue == id }
        try add(node)
    }

    var leader: TestNode? {
        nodes.filter(\.isLeader).max { ($0.replica?.core.term ?? .zero) < ($1.replica?.core.term ?? .zero) }
    }
    var followers: [TestNode] { nodes.filter { $0.isRunning && $0.stopReason == nil && $0.node != leader?.node } }

    // MARK: Time

    /// Delivers all messages, those too that come of them.
    func deliver() {
        var rounds = 0
        while true {
            let batch = nodes.flatMap { $0.takeOutbox() }
            guard !batch.isEmpty else { return }
            rounds += 1
            precondition(rounds < 10_000, "the nodes never stop talking")
            for envelope in batch { deliver(envelope) }
        }
    }

    func deliver(_ envelope: PeerEnvelope) {
        if recordsSent { sent.append(envelope) }
        let isCut = isolated.contains(envelope.from.node) || isolated.contains(envelope.to)
        guard !isCut, !loses(envelope) else { return }
        guard let node = nodes.first(where: { $0.node == envelope.to }) else { return }
        do {
            let decoded = try PeerEnvelope(decoding: envelope.encoded())
            #expect(decoded == envelope)
            node.handle(.received(decoded), at: now)
        } catch { Issue.record("a message does not survive its bytes: \(error)") }
    }

    func tick() {
        now = now.adding(milliseconds: Self.tickMilliseconds)
        connect()
        for node in nodes { node.handle(.tick, at: now) }
        deliver()
    }

    private var connections: Set<[NodeIdentity]> = []

    /// Nodes that want to know each other, and can, say that they do.
    private func connect() {
        let open = nodes.filter { $0.isRunning && !isolated.contains($0.node) }
        connections = connections.filter { pair in pair.allSatisfy { end in open.contains { $0.identity == end } } }
        for node in open {
            for contact in node.contacts {
                guard let peer = open.first(where: { $0.node == contact.node }) else { continue }
                let pair = [node.identity, peer.identity].sorted { $0.node < $1.node }
                guard connections.insert(pair).inserted else { continue }
                node.handle(.connected(peer.node), at: now)
                peer.handle(.connected(node.node), at: now)
            }
        }
    }

    /// Until the condition holds; fails the test if it does not within so much virtual time.
    func run(
        upTo milliseconds: UInt64 = 20_000, _ location: SourceLocation = #_sourceLocation, until condition: () throws -> Bool
    ) throws {
        deliver()
        for _ in 0..<(milliseconds / Self.tickMilliseconds) {
            if try condition() { return }
            tick()
        }
        try #require(try condition(), "not within \(milliseconds) ms", sourceLocation: location)
    }

    func run(milliseconds: UInt64) {
        deliver()
        for _ in 0..<(milliseconds / Self.tickMilliseconds) { tick() }
    }

    @discardableResult
    func awaitLeader(_ location: SourceLocation = #_sourceLocation) throws -> TestNode {
        try run(20_000, location) { [self] in
            guard let leader, let core = leader.replica?.core else { return false }
            return core.commit == core.lastIndex && core.term(at: core.commit) == core.term
        }
        return try #require(leader)
    }

    private func run(_ milliseconds: UInt64, _ location: SourceLocation, _ condition: () -> Bool) throws {
        try run(upTo: milliseconds, location, until: condition)
    }

    /// All running nodes have applied what the leader has.
    func settle(_ location: SourceLocation = #_sourceLocation) throws {
        try run(20_000, location) { [self] in
            guard let leader, let last = leader.replica?.core.lastIndex else { return false }
            return nodes.filter { $0.isRunning && !isolated.contains($0.node) }.allSatisfy { $0.replica?.applied == last }
        }
    }

    // MARK: Clients

    func token() -> RequestToken {
        lastToken += 1
        return RequestToken(lastToken)
    }

    func propose(
        _ operation: [UInt8], kind: SessionOperation.Kind = .metadata, on node: TestNode, level: WriteLevel = .majority,
        within milliseconds: UInt64 = 10_000
    ) -> RequestToken {
        let token = token()
        let deadline = now.adding(milliseconds: milliseconds)
        let proposal = Proposal(token: token, kind: kind, operation: operation, level: level, deadline: deadline)
        node.handle(.propose(proposal), at: now)
        return token
    }

    func put(
        _ key: String, _ value: UInt64, on node: TestNode, level: WriteLevel = .majority, within milliseconds: UInt64 = 10_000
    ) throws -> RequestToken {
        propose(try TestOperations.put(key, value), on: node, level: level, within: milliseconds)
    }

    /// Puts, and waits until it is committed.
    @discardableResult
    func putAndWait(_ key: String, _ value: UInt64, on node: TestNode, _ location: SourceLocation = #_sourceLocation) throws
        -> LogIndex
    {
        let token = try put(key, value, on: node)
        try run(20_000, location) { node.outcomes[token] != nil }
        guard case .committed(let index, .change(.success))? = node.outcomes[token] else {
            Issue.record("\(String(describing: node.outcomes[token]))", sourceLocation: location)
            return .zero
        }
        return index
    }

    func read(
        _ consistency: ReadConsistency, on node: TestNode, minimumIndex: LogIndex = .zero, within milliseconds: UInt64 = 10_000
    ) -> RequestToken {
        let token = token()
        let deadline = now.adding(milliseconds: milliseconds)
        node.handle(
            .read(ReadRequest(token: token, consistency: consistency, minimumIndex: minimumIndex, deadline: deadline)), at: now)
        return token
    }

    func command(_ command: OperatorCommand, on node: TestNode) -> RequestToken {
        let token = token()
        node.handle(.command(token, command), at: now)
        return token
    }

    // MARK: Invariants

    /// Equal states at equal indexes, every operation once, every record in its place.
    func expectSound(_ location: SourceLocation = #_sourceLocation) throws {
        let running = nodes.filter(\.isRunning)
        for node in running {
            let report = try node.check()
            #expect(report.isConsistent, "\(report.problems)", sourceLocation: location)
            let keys = node.effective.map { "\($0.session)-\($0.serial)" }
            #expect(Set(keys).count == keys.count, "an operation took effect twice on \(node.node)", sourceLocation: location)
        }
        let applied = running.compactMap { node in node.machine.map { ($0.appliedIndex, $0.digest) } }
        for (index, digest) in applied {
            for other in applied where other.0 == index { #expect(other.1 == digest, sourceLocation: location) }
        }
    }
}
