import Raft

/// The bug that is put back into the cores of a `Lab`: see NamedCaseMutantTests.
enum PutBack {
    @TaskLocal static var bug: RaftMutations = []
}

/// A few cores whose messages and writes a test moves by hand.
struct Lab {
    struct Member {
        var core: RaftCore
        /// Handed out and not completed, oldest first.
        var writes: [LogAppend] = []
        var applied: [Entry] = []
        var reads: [ConfirmedRead] = []
        var failedReads: UInt64?
    }

    /// Node 1 is the first.
    private(set) var members: [Member] = []
    var messages: [Message] = []
    var settings: RaftSettings

    static let start = LogIndex(1)

    init(voters: Int, learners: [UInt64] = [], _ configure: (inout RaftSettings) -> Void = { _ in }) throws {
        settings = RaftSettings()
        settings.usesPreVote = false
        settings.checksQuorum = false
        settings.mutations = PutBack.bug
        configure(&settings)
        let configuration = Configuration(
            voters: (1...voters).map { NodeID(UInt64($0)) }, learners: learners.map { NodeID($0) })
        for id in configuration.members { members.append(try member(id, Self.stored(configuration), start: 1)) }
    }

    /// A log that begins behind a snapshot at index 1 of term 1.
    static func stored(_ configuration: Configuration) -> StoredLog {
        var stored = StoredLog()
        (stored.baseIndex, stored.baseTerm, stored.lastIndex) = (start, Term(1), start)
        (stored.term, stored.commit, stored.applied) = (Term(1), start, start)
        stored.baseConfiguration = configuration
        return stored
    }

    private func member(_ id: NodeID, _ stored: StoredLog, start: UInt64) throws -> Member {
        let mark = SnapshotMark(
            index: stored.baseIndex, term: stored.baseTerm, configuration: stored.baseConfiguration)
        return Member(
            core: try RaftCore(
                id: id, settings: settings, stored: stored, snapshot: stored.baseIndex > .zero ? mark : nil, start: start,
                seed: id.rawValue))
    }

    mutating func restart(_ node: Int, _ stored: StoredLog, start: UInt64) throws {
        members[node - 1] = try member(NodeID(UInt64(node)), stored, start: start)
    }

    subscript(_ node: Int) -> RaftCore { members[node - 1].core }

    func writes(_ node: Int) -> [LogAppend] { members[node - 1].writes }
    func applied(_ node: Int) -> [Entry] { members[node - 1].applied }
    func reads(_ node: Int) -> [ConfirmedRead] { members[node - 1].reads }
    func failedReads(_ node: Int) -> UInt64? { members[node - 1].failedReads }

    /// Does something to a core and takes what comes of it.
    @discardableResult
    mutating func act<Value>(_ node: Int, _ body: (inout RaftCore) throws -> Value) rethrows -> Value {
        var member = members[node - 1]
        let value = try body(&member.core)
        while let ready = member.core.takeReady() {
            messages += ready.messages
            if let append = ready.append { member.writes.append(append) }
            member.applied += ready.apply
            member.reads += ready.reads
            member.failedReads = ready.failedReads ?? member.failedReads
            if let last = ready.apply.last { member.core.applied(to: last.index) }
            for fetch in ready.fetches { member.core.fetched(fetch, []) }
        }
        members[node - 1] = member
        return value
    }

    /// Completes the oldest writes.
    mutating func write(_ node: Int, count: Int = .max) {
        for write in members[node - 1].writes.prefix(count) { act(node) { $0.written(upTo: write.token) } }
        members[node - 1].writes.removeFirst(min(count, members[node - 1].writes.count))
    }

    /// Delivers the waiting messages that pass, and drops the others.
    mutating func deliver(where passes: (Message) -> Bool = { _ in true }) throws {
        let waiting = messages
        messages = []
        for message in waiting where passes(message) && message.to.rawValue <= members.count {
            try act(Int(message.to.rawValue)) { try $0.step(message) }
        }
    }

    /// Until nothing moves among these nodes; what leaves them is lost.
    mutating func settle(among nodes: [Int]? = nil) throws {
        let nodes = nodes ?? Array(1...members.count)
        for _ in 0..<1000 {
            for node in nodes {
                act(node) { _ in }
                write(node)
            }
            guard !messages.isEmpty else { return }
            try deliver { nodes.contains(Int($0.from.rawValue)) && nodes.contains(Int($0.to.rawValue)) }
        }
    }

    /// Makes a node the leader of the others.
    mutating func elect(_ node: Int, among nodes: [Int]? = nil) throws {
        act(node) { $0.campaign() }
        try settle(among: nodes)
    }
}
