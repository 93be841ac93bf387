import Raft
import Replication
import Testing

@Suite("Whether log and state belong together at a start")
struct ReplicaStartTests {
    static let configuration = Configuration(voters: [NodeID(1)])

    static func log(base: UInt64, baseTerm: UInt64 = 1, runs: [(first: UInt64, term: UInt64)] = [], last: UInt64) -> StoredLog {
        var stored = StoredLog()
        stored.baseIndex = LogIndex(base)
        stored.baseTerm = Term(base == 0 ? 0 : baseTerm)
        stored.baseConfiguration = configuration
        stored.termRuns = runs.map { TermRun(firstIndex: LogIndex($0.first), term: Term($0.term)) }
        stored.lastIndex = LogIndex(last)
        return stored
    }

    static func state(applied: UInt64, term: UInt64, genesis: UInt64? = 1) -> ReplicatedState {
        var state = ReplicatedState()
        state.applied = LogIndex(applied)
        state.term = Term(term)
        state.configuration = configuration
        state.genesis = genesis.map {
            Genesis(cluster: ClusterID(1), index: LogIndex($0), configuration: configuration, members: [])
        }
        return state
    }

    struct Row: Sendable, CustomStringConvertible {
        let description: String
        let log: StoredLog
        let state: ReplicatedState
        var installed: UInt64?
        let expected: Result<LogRepair, ReplicaStartError>
    }

    static let rows = [
        Row(description: "new", log: log(base: 0, last: 0), state: ReplicatedState(), expected: .success(.none)),
        Row(
            description: "alone before", log: log(base: 0, last: 0), state: state(applied: 9, term: 0, genesis: nil),
            expected: .success(.none)),
        Row(
            description: "entries without a state", log: log(base: 0, runs: [(1, 1)], last: 3), state: ReplicatedState(),
            expected: .failure(.logWithoutState)),
        Row(
            description: "founding interrupted", log: log(base: 0, last: 0), state: state(applied: 1, term: 1),
            expected: .success(.restart(state(applied: 1, term: 1).mark))),
        Row(
            description: "within the log", log: log(base: 5, runs: [(6, 2)], last: 9), state: state(applied: 7, term: 2),
            expected: .success(.none)),
        Row(
            description: "at the base", log: log(base: 5, baseTerm: 2, last: 5), state: state(applied: 5, term: 2),
            expected: .success(.none)),
        Row(
            description: "behind the log", log: log(base: 5, runs: [(6, 2)], last: 9), state: state(applied: 4, term: 1),
            expected: .failure(.stateBehindLog(applied: LogIndex(4), base: LogIndex(5)))),
        Row(
            description: "beyond the log", log: log(base: 5, runs: [(6, 2)], last: 9), state: state(applied: 12, term: 2),
            expected: .failure(.stateBeyondLog(applied: LogIndex(12), last: LogIndex(9)))),
        Row(
            description: "installation interrupted, beyond the log", log: log(base: 5, runs: [(6, 2)], last: 9),
            state: state(applied: 12, term: 2), installed: 12, expected: .success(.restart(state(applied: 12, term: 2).mark))),
        Row(
            description: "installation interrupted, over a conflicting tail", log: log(base: 5, runs: [(6, 2)], last: 9),
            state: state(applied: 8, term: 3), installed: 8, expected: .success(.restart(state(applied: 8, term: 3).mark))),
        Row(
            description: "another history", log: log(base: 5, runs: [(6, 2)], last: 9), state: state(applied: 8, term: 3),
            expected: .failure(.differentHistories(LogIndex(8)))),
        Row(
            description: "entries applied since the installation, then lost", log: log(base: 5, runs: [(6, 2)], last: 9),
            state: state(applied: 14, term: 2), installed: 12,
            expected: .failure(.stateBeyondLog(applied: LogIndex(14), last: LogIndex(9)))),
    ]

    @Test("Every case of the table", arguments: rows)
    func table(row: Row) {
        let result: Result<LogRepair, ReplicaStartError>
        do throws(ReplicaStartError) {
            result = .success(
                try ReplicaStart.repair(stored: row.log, state: row.state, installed: row.installed.map { LogIndex($0) }))
        } catch { result = .failure(error) }
        #expect(result == row.expected)
    }

    @Test("A state of rules that this build does not know is no start")
    func unknownVersion() {
        var state = Self.state(applied: 7, term: 2)
        state.version = ClusterVersion(9)
        let start = ReplicaStart(
            identity: NodeIdentity(NodeID(1), Incarnation(1)), start: 1, stored: Self.log(base: 5, runs: [(6, 2)], last: 9),
            state: state, snapshot: nil, configured: [], seed: 1)
        #expect(throws: ReplicaStartError.unknownVersion(ClusterVersion(9))) {
            try Replica(start, settings: ReplicaSettings())
        }
    }

    // A directory of a single node with objects: the log is empty, but the positions given with it were the state's, and the core trapped.
    @Test("A node that was alone founds a cluster behind what it has", arguments: [[1], [1, 2, 3]])
    func aloneBefore(configured: [UInt64]) throws {
        var stored = StoredLog()
        stored.applied = LogIndex(9)
        let replica = try Replica(
            ReplicaStart(
                identity: NodeIdentity(NodeID(1), Incarnation(7)), start: 1, stored: stored,
                state: Self.state(applied: 9, term: 0, genesis: nil), snapshot: nil,
                configured: configured.map { ConfiguredNode(NodeID($0), address: []) }, seed: 1), settings: ReplicaSettings())
        guard case .founding(let genesis) = replica.phase else {
            Issue.record("it is \(replica.phase)")
            return
        }
        #expect(genesis.index == LogIndex(9))
        #expect(genesis.configuration == Configuration(voters: [NodeID(1)]))
    }
}
