import Raft

/// Nodes in one thread with disks, a network and a state machine that lose, delay and repeat what real ones may. After each step the
/// safety of Raft is looked at (Raft paper, figure 3), and what the core promises besides. One seed is one run.
struct ChaosCluster {
    struct Disk {
        var hardState = HardState(term: .zero, vote: nil, commit: .zero)
        var base = SnapshotMark(index: .zero, term: .zero, configuration: Configuration())
        var entries: [Entry] = []
        /// Contents of the state machine up to `applied`, as a running hash.
        var applied = LogIndex.zero
        var digest: UInt64 = 0

        var lastIndex: LogIndex { base.index + entries.count }

        func entry(_ index: LogIndex) -> Entry? {
            index > base.index && index <= lastIndex ? entries[index - base.index - 1] : nil
        }

        mutating func write(_ append: LogAppend, digests: [UInt64: UInt64]) {
            if let hardState = append.hardState { self.hardState = hardState }
            if let mark = append.snapshot {
                entries = []
                base = mark
                (applied, digest) = (mark.index, digests[mark.index.rawValue] ?? 0)
            }
            guard let first = append.entries.first else { return }
            entries.removeLast(entries.count - (first.index - base.index - 1))
            entries += append.entries
        }
    }

    struct Node {
        var core: RaftCore
        var disk: Disk
        var writing: [LogAppend] = []
        var applying: [Entry] = []
        /// What the state machine has in memory.
        var applied: LogIndex
        var digest: UInt64
        /// Reads under way: position, and the commit index that they must see.
        var reads: [(position: UInt64, floor: LogIndex)] = []
        var isUp = true
    }

    let seed: UInt64
    var settings: RaftSettings
    var random: RaftRandom
    var nodes: [NodeID: Node] = [:]
    var network: [Message] = []
    var cut: Set<[NodeID]> = []
    var step = 0
    /// What any node has seen committed.
    var committed: [UInt64: Entry] = [:]
    var digests: [UInt64: UInt64] = [1: 0]
    var commit = LogIndex(1)
    var leaders: [Term: NodeID] = [:]
    var grants: [[UInt64]: NodeID] = [:]
    var proposals: UInt64 = 0
    var confirmedReads = 0
    var snapshotsInstalled = 0
    var changesApplied = 0
    var violation: String?

    init(seed: UInt64, nodeCount: Int, settings: RaftSettings) throws {
        self.seed = seed
        self.settings = settings
        random = RaftRandom(seed: seed)
        let voters = (1...nodeCount).map { NodeID(UInt64($0)) }
        for node in voters {
            // A cluster begins behind a snapshot that has its configuration, so that whoever joins later gets it too.
            var disk = Disk()
            disk.base = SnapshotMark(index: LogIndex(1), term: Term(1), configuration: Configuration(voters: voters))
            disk.hardState = HardState(term: Term(1), vote: nil, commit: LogIndex(1))
            disk.applied = LogIndex(1)
            nodes[node] = try Node(core: restart(node, disk), disk: disk, applied: disk.applied, digest: 0)
        }
    }

    private mutating func restart(_ id: NodeID, _ disk: Disk) throws -> RaftCore {
        var stored = StoredLog()
        (stored.baseIndex, stored.baseTerm) = (disk.base.index, disk.base.term)
        stored.baseConfiguration = disk.base.configuration
        stored.lastIndex = disk.lastIndex
        for entry in disk.entries {
            if stored.termRuns.last?.term != entry.term {
                stored.termRuns.append(TermRun(firstIndex: entry.index, term: entry.term))
            }
            if entry.type == .configurationChange { stored.changes.append(entry) }
        }
        stored.newestEntries = disk.entries.suffix(random.next(in: 0...4))
        (stored.term, stored.vote) = (disk.hardState.term, disk.hardState.vote)
        stored.commit = max(min(disk.hardState.commit, disk.lastIndex), disk.applied)
        stored.applied = disk.applied
        return try RaftCore(
            id: id, settings: settings, stored: stored, snapshot: disk.base.index > .zero ? disk.base : nil,
            start: UInt64(step), seed: random.next())
    }

    // MARK: Steps

    mutating func run(_ steps: Int) throws {
        for _ in 0..<steps where violation == nil {
            step += 1
            try act()
        }
    }

    private mutating func chance(_ percent: Int) -> Bool { random.next(in: 0...99) < percent }

    private mutating func anyNode() -> NodeID {
        let ids = nodes.keys.sorted()
        return ids[random.next(in: 0...ids.count - 1)]
    }

    private mutating func act() throws {
        let id = anyNode()
        // Most of what happens is work, so that much is under way when something goes wrong.
        guard chance(5) else { return try work(id) }
        switch random.next(in: 900...999) {
        case 900..<930: read(id)
        case 930..<936: crash(id)
        case 936..<955: try bringUp(id)
        case 955..<962: changeMembers(id)
        case 962..<967: with(id) { try? $0.core.transferLeadership(to: NodeID(1)) }
        case 967..<975: snapshot(id)
        case 975..<980: partition()
        case 980..<988: cut = []
        case 988..<993: with(id) { node in if let leader = node.core.leader { node.core.connectionLost(to: leader) } }
        case 993..<996: with(id) { $0.core.forgetLeader() }
        case 996..<998: reportSnapshots(id)
        default: with(id) { $0.core.reportUnreachable(NodeID(2)) }
        }
    }

    private mutating func work(_ id: NodeID) throws {
        switch random.next(in: 0...99) {
        case 0..<14: with(id) { $0.core.tick() }
        case 14..<56: for _ in 0..<random.next(in: 1...6) { try deliver() }
        case 56..<72: completeWrite(id)
        case 72..<86: apply(id)
        default: propose(id)
        }
    }

    /// What has become of the snapshots that a leader sent: those that are not there are lost.
    private mutating func reportSnapshots(_ id: NodeID) {
        let isReceived = chance(50)
        with(id) { node in
            for peer in node.core.peers where peer.state == .snapshot {
                node.core.reportSnapshot(peer.node, isReceived: isReceived)
            }
        }
    }

    mutating func with(_ id: NodeID, _ body: (inout Node) -> Void) {
        guard var node = nodes[id], node.isUp else { return }
        nodes[id] = nil
        body(&node)
        if node.isUp { drain(&node) }
        nodes[id] = node
        look(at: id)
    }

    private mutating func drain(_ node: inout Node) {
        while let ready = node.core.takeReady() {
            for message in ready.messages {
                note(message)
                network.append(message)
            }
            if let append = ready.append {
                if append.snapshot != nil { node.applying = [] }
                node.writing.append(append)
            }
            node.applying += ready.apply
            for fetch in ready.fetches {
                let found = node.disk.entry(fetch.first)
                node.core.fetched(fetch, found.map { [$0] } ?? [])
            }
            for read in ready.reads {
                for waiting in node.reads where waiting.position <= read.position && read.index < waiting.floor {
                    violation = "a read at \(read.index) misses the commit \(waiting.floor)"
                }
                confirmedReads += node.reads.count { $0.position <= read.position }
                node.reads.removeAll { $0.position <= read.position }
            }
            if let failed = ready.failedReads { node.reads.removeAll { $0.position <= failed } }
            if let standing = ready.standing, standing.role == .leader {
                if let other = leaders[standing.term], other != node.core.id {
                    violation = "\(other) and \(node.core.id) lead term \(standing.term)"
                }
                leaders[standing.term] = node.core.id
            }
        }
    }

    /// What leaves a node binds it.
    private mutating func note(_ message: Message) {
        switch message.body {
        case .voteResponse(let response) where response.isGranted && !response.isPreVote:
            let key = [message.term.rawValue, message.from.rawValue]
            if let other = grants[key], other != message.to {
                violation = "\(message.from) voted for \(other) and \(message.to) in term \(message.term)"
            }
            grants[key] = message.to
        default: break
        }
    }

    // MARK: Network

    private mutating func deliver() throws {
        guard !network.isEmpty else { return }
        // Mostly in order, sometimes not.
        let position = chance(80) ? 0 : random.next(in: 0...network.count - 1)
        let message = network[position]
        if !chance(5) { network.remove(at: position) }
        if network.count > 400 { network.removeFirst(200) }
        guard !cut.contains([message.from, message.to]), !chance(4), nodes[message.to]?.isUp == true else { return }
        var failure: (any Error)?
        let wasSnapshot = nodes[message.to]?.writing.contains { $0.snapshot != nil } ?? false
        with(message.to) { node in
            do { try node.core.step(message) } catch { failure = error }
        }
        if !wasSnapshot, nodes[message.to]?.writing.contains(where: { $0.snapshot != nil }) == true { snapshotsInstalled += 1 }
        if let failure { violation = "\(message): \(failure)" }
    }

    private mutating func partition() {
        cut = []
        let ids = nodes.keys.sorted()
        switch random.next(in: 0...2) {
        case 0:
            let lonely = anyNode()
            for other in ids where other != lonely { cut.formUnion([[lonely, other], [other, lonely]]) }
        case 1:
            let (from, to) = (anyNode(), anyNode())
            cut.insert([from, to])
        default:
            let half = Set(ids.filter { _ in chance(50) })
            for from in ids {
                for to in ids where half.contains(from) != half.contains(to) { cut.insert([from, to]) }
            }
        }
    }

    // MARK: Disk and state machine

    private mutating func completeWrite(_ id: NodeID) {
        let digests = digests
        let count = random.next(in: 1...3)
        with(id) { node in
            for _ in 0..<count where !node.writing.isEmpty {
                let write = node.writing.removeFirst()
                node.disk.write(write, digests: digests)
                if let mark = write.snapshot {
                    (node.applied, node.digest) = (mark.index, digests[mark.index.rawValue] ?? 0)
                }
                node.core.written(upTo: write.token)
            }
        }
    }

    private mutating func apply(_ id: NodeID) {
        guard let node = nodes[id], node.isUp, !node.applying.isEmpty else { return }
        let count = random.next(in: 1...node.applying.count)
        let isFlushed = chance(30)
        var failure: String?
        with(id) { node in
            for entry in node.applying.prefix(count) {
                if entry.index != node.applied.next { failure = "\(id) applies \(entry.index) after \(node.applied)" }
                if node.disk.entry(entry.index) != entry {
                    failure = "\(id) applies \(entry.index), which its disk does not hold"
                }
                node.applied = entry.index
                node.digest = Self.digest(node.digest, entry)
            }
            node.applying.removeFirst(count)
            if isFlushed { (node.disk.applied, node.disk.digest) = (node.applied, node.digest) }
            node.core.applied(to: node.applied)
        }
        if let failure { violation = failure }
        guard let node = nodes[id] else { return }
        let known = digests[node.applied.rawValue]
        if let known, known != node.digest { violation = "\(id) has another state at \(node.applied)" }
        digests[node.applied.rawValue] = node.digest
    }

    static func digest(_ digest: UInt64, _ entry: Entry) -> UInt64 {
        var random = RaftRandom(seed: digest ^ entry.index.rawValue ^ entry.term.rawValue << 32)
        for byte in entry.payload { random = RaftRandom(seed: random.next() ^ UInt64(byte)) }
        return random.next()
    }

    private mutating func crash(_ id: NodeID) {
        let survivors = random.next(in: 0...3)
        let digests = digests
        with(id) { node in
            // Writes survive in order, as far as they came.
            for write in node.writing.prefix(survivors) { node.disk.write(write, digests: digests) }
            node.writing = []
            node.applying = []
            node.reads = []
            node.isUp = false
        }
    }

    private mutating func bringUp(_ id: NodeID) throws {
        guard var node = nodes[id], !node.isUp else { return }
        node.core = try restart(id, node.disk)
        (node.applied, node.digest) = (node.disk.applied, node.disk.digest)
        node.isUp = true
        nodes[id] = node
    }

    private mutating func snapshot(_ id: NodeID) {
        let keep = random.next(in: 0...5)
        with(id) { node in
            // What is in the store counts, not what is in memory.
            guard node.disk.applied == node.applied, node.applied > node.disk.base.index, node.writing.isEmpty,
                let term = node.core.term(at: node.applied)
            else { return }
            let mark = SnapshotMark(index: node.applied, term: term, configuration: node.core.configuration)
            node.core.snapshotTaken(mark)
            guard keep == 0 else { return }
            node.disk.entries.removeFirst(mark.index - node.disk.base.index)
            node.disk.base = mark
            node.core.compacted(to: mark.index)
        }
    }

    // MARK: Clients

    private mutating func propose(_ id: NodeID) {
        proposals += 1
        let payload = withUnsafeBytes(of: proposals.littleEndian) { Array($0) }
        // Mostly where it has a chance; there may be several leaders, of which all but one are old.
        let leaders = nodes.keys.sorted().filter { nodes[$0]?.isUp == true && nodes[$0]?.core.role == .leader }
        let target = leaders.isEmpty || chance(10) ? id : leaders[random.next(in: 0...leaders.count - 1)]
        with(target) { _ = try? $0.core.propose(payload) }
    }

    private mutating func read(_ id: NodeID) {
        let floor = commit
        with(id) { node in
            guard let position = try? node.core.readIndex() else { return }
            node.reads.append((position, floor))
        }
    }

    private mutating func changeMembers(_ id: NodeID) {
        let kinds: [MembershipStep.Kind] = [.addVoter, .addVoter, .addLearner, .remove]
        let steps = (0..<random.next(in: 1...2)).map { _ in
            MembershipStep(kinds[random.next(in: 0...3)], NodeID(UInt64(random.next(in: 1...5))))
        }
        let transition: ConfigurationChange.Transition = chance(20) ? .jointExplicit : .automatic
        let change = chance(20) ? ConfigurationChange.leaveJoint : ConfigurationChange(steps, transition: transition)
        for step in steps where nodes[step.node] == nil {
            let disk = Disk()
            if let core = try? restart(step.node, disk) {
                nodes[step.node] = Node(core: core, disk: disk, applied: .zero, digest: 0)
            }
        }
        with(id) { _ = try? $0.core.proposeChange(change, isForced: true) }
    }

    // MARK: Looking

    private mutating func look(at id: NodeID) {
        guard let node = nodes[id], node.isUp else { return }
        let core = node.core
        let isInstalling = node.writing.contains { $0.snapshot != nil }
        if !isInstalling, !(core.baseIndex <= core.applied && core.applied <= core.commit && core.commit <= core.lastIndex) {
            violation = "\(id): base \(core.baseIndex), applied \(core.applied), commit \(core.commit), last \(core.lastIndex)"
        }
        while commit < core.commit {
            let index = commit.next
            guard let term = core.term(at: index) else { break }
            // It has to be on the disks of a quorum of those that decide here.
            let holders = nodes.values.filter { other in
                other.disk.entry(index)?.term == term || other.disk.base.index >= index
            }
            .map(\.core.id)
            if core.configuration.quorum.vote({ holders.contains($0) }) != .won, core.role == .leader {
                violation = "\(id) commits \(index) of term \(term), which only \(holders.sorted()) hold"
            }
            let entry = holders.compactMap { nodes[$0]?.disk.entry(index) }.first { $0.term == term }
            committed[index.rawValue] = entry ?? Entry(index: index, term: term, payload: [])
            commit = index
        }
        // Only what has just become known to this node can be news.
        var index = core.commit
        for _ in 0..<8 where index > core.baseIndex {
            if let known = committed[index.rawValue], known.term != core.term(at: index) {
                violation = "\(id) has another entry at \(index), which is committed"
            }
            index = index.previous
        }
    }

    // MARK: Healing

    /// No more faults: everybody must come to the same state.
    mutating func heal() throws {
        cut = []
        for id in nodes.keys.sorted() { try bringUp(id) }
        for round in 0..<4000 where violation == nil {
            step += 1
            for id in nodes.keys.sorted() {
                if round % 3 == 0 { with(id) { $0.core.tick() } }
                if round % 50 == 0 { reportSnapshots(id) }
                completeWrite(id)
                apply(id)
            }
            let waiting = network
            network = []
            for message in waiting where nodes[message.to] != nil {
                with(message.to) { node in try? node.core.step(message) }
            }
            if isSettled { return }
        }
        if violation == nil { violation = "no common state after healing: \(summary)" }
    }

    /// Some leader and all its members are at the same point.
    private var isSettled: Bool {
        nodes.values.contains { leader in
            let core = leader.core
            return core.role == .leader && core.commit == core.lastIndex
                && !(core.configuration.isJoint && core.configuration.autoLeave)
                && core.configuration.members.allSatisfy { id in
                    nodes[id].map { node in
                        node.core.term == core.term && node.applied == core.commit && node.digest == leader.digest
                    } ?? false
                }
        }
    }

    var summary: String {
        nodes.keys.sorted().compactMap { id in
            nodes[id].map { node in
                let core = node.core
                return "\(id): \(core.role) term \(core.term) leader \(core.leader?.description ?? "-") commit \(core.commit) "
                    + "applied \(node.applied) last \(core.lastIndex) removed \(core.isRemoved) "
                    + "voters \(core.configuration.voters)/\(core.configuration.outgoingVoters) learners \(core.configuration.learners)"
            }
        }
        .joined(separator: "\n")
    }
}
