import Raft
import Testing

/// Cases that broke others and that asynchronous storage makes harder; scripts of whole clusters are among the transcripts.
@Suite("Named cases of the core")
struct NamedCaseTests {
    // MARK: Election and persistence

    @Test("A vote leaves only when it is durable")
    func voteBeforeDurable() throws {
        var lab = try Lab(voters: 3)
        lab.act(1) { $0.campaign() }
        try lab.deliver { $0.to == NodeID(2) }
        #expect(lab.messages.isEmpty && lab.writes(2).first?.hardState?.vote == NodeID(1))
        lab.write(2)
        #expect(lab.messages.map(\.body) == [.voteResponse(VoteResponse(isGranted: true))])
    }

    @Test("A candidate leads only once its own vote is durable, however many others have voted")
    func leaderWithoutOwnVote() throws {
        var lab = try Lab(voters: 3)
        lab.act(1) { $0.campaign() }
        try lab.deliver()
        lab.write(2)
        lab.write(3)
        try lab.deliver()
        #expect(lab[1].role == .candidate)
        lab.write(1)
        #expect(lab[1].role == .leader)
    }

    @Test("A single node acknowledges nothing before it is durable")
    func singleNode() throws {
        var lab = try Lab(voters: 1)
        lab.act(1) { $0.campaign() }
        lab.write(1)
        #expect(lab[1].role == .leader && lab[1].commit == Lab.start)
        let place = try lab.act(1) { try $0.propose([1]) }
        #expect(lab[1].commit < place.index)
        lab.write(1)
        #expect(lab[1].commit == place.index && lab.applied(1).last?.payload == [1])
    }

    @Test("Followers acknowledge entries only when they are durable; a quorum of them commits without the leader's disk")
    func acknowledgement() throws {
        var lab = try Lab(voters: 3)
        try lab.elect(1)
        let place = try lab.act(1) { try $0.propose([7]) }
        try lab.deliver()
        #expect(lab.messages.isEmpty)
        lab.write(2)
        try lab.deliver()
        #expect(lab[1].commit < place.index)
        lab.write(3)
        try lab.deliver()
        // The leader's own write is under way still: committed, but not applied here.
        #expect(lab[1].commit == place.index && lab[1].applied < place.index && lab[1].durable < place.index)
        lab.write(1)
        #expect(lab[1].applied == place.index)
    }

    @Test("A node with an older log wins no pre-vote, and disturbs nobody")
    func preVoteWithOldLog() throws {
        var lab = try Lab(voters: 3) { $0.usesPreVote = true }
        try lab.elect(1)
        try lab.act(1) { _ = try $0.propose([1]) }
        try lab.settle(among: [1, 2])
        let term = lab[1].term
        for node in [1, 2] as [Int] { lab.act(node) { $0.forgetLeader() } }
        try lab.elect(3)
        #expect(lab[3].role != .leader && lab[1].role == .leader && lab[1].term == term && lab[3].term == term)
    }

    @Test("Who hears from a leader refuses its vote, so that one cut off one way elects nobody")
    func voteUnderLivingLeader() throws {
        var lab = try Lab(voters: 3) {
            $0.usesPreVote = true
            $0.checksQuorum = true
        }
        try lab.elect(1)
        let term = lab[1].term
        lab.act(3) { $0.connectionLost(to: NodeID(1)) }
        for _ in 0..<40 {
            lab.act(3) { $0.tick() }
            lab.act(1) { $0.tick() }
            lab.write(3)
            // 3 is not heard by the leader, and does not hear it.
            try lab.settle(among: [1, 2])
        }
        #expect(lab[1].role == .leader && lab[1].term == term)
    }

    @Test("A learner by its own log votes when it is asked")
    func learnerVotes() throws {
        var lab = try Lab(voters: 1, learners: [2])
        try lab.act(2) {
            try $0.step(
                Message(
                    from: NodeID(3), to: NodeID(2), term: Term(5), .vote(VoteRequest(lastIndex: LogIndex(9), lastTerm: Term(4)))
                ))
        }
        lab.write(2)
        #expect(lab.messages.last?.body == .voteResponse(VoteResponse(isGranted: true)))
    }

    @Test(
        "Entries that nobody can apply any more are sent to nobody, though the log has them: whoever lacks them gets a snapshot"
    )
    func retiredEntries() throws {
        var lab = try Lab(voters: 3)
        try lab.elect(1)
        let first = try lab.act(1) { try $0.propose([1]) }
        let last = try lab.act(1) { try $0.propose([2]) }
        try lab.settle(among: [1, 2])
        lab.act(1) { core in
            core.retire(upTo: first.index)
            core.snapshotTaken(
                SnapshotMark(index: last.index, term: core.term, configuration: core.configuration))
        }
        // Until node 3 has said how far its log goes.
        for _ in 0..<100 where lab[1].progress(of: NodeID(3))?.state != .snapshot {
            lab.act(1) { $0.tick() }
            let isSent = lab.messages.contains { message in
                guard case .append(let request) = message.body, message.to == NodeID(3) else { return false }
                return request.entries.contains { $0.index == first.index }
            }
            #expect(!isSent)
            try lab.deliver { $0.to == NodeID(3) || $0.from == NodeID(3) }
            lab.write(3)
        }
        #expect(lab[1].progress(of: NodeID(3))?.state == .snapshot)
    }

    @Test("A leader whose disk stalls leads no more, and does not campaign until it writes again")
    func stalledDisk() throws {
        var lab = try Lab(voters: 3)
        try lab.elect(1)
        lab.act(1) { $0.storageStalled(true) }
        #expect(lab[1].role == .follower)
        lab.act(1) { $0.campaign() }
        #expect(lab[1].role == .follower)
        lab.act(1) { $0.storageStalled(false) }
        try lab.elect(1)
        #expect(lab[1].role == .leader)
    }

    // MARK: Commit

    @Test("A completed write says nothing of entries that have replaced what was written (ABA)")
    func replacedWrites() throws {
        var lab = try Lab(voters: 3)
        func append(_ term: UInt64, from leader: UInt64, _ payload: UInt8) -> Message {
            let entry = Entry(index: LogIndex(2), term: Term(term), payload: [payload])
            return Message(
                from: NodeID(leader), to: NodeID(3), term: Term(term),
                .append(
                    AppendRequest(previousIndex: Lab.start, previousTerm: Term(1), commit: Lab.start, entries: [entry])))
        }
        try lab.act(3) { try $0.step(append(2, from: 1, 1)) }
        try lab.act(3) { try $0.step(append(3, from: 2, 2)) }
        lab.write(3, count: 1)
        #expect(lab[3].durable == Lab.start)
        lab.write(3)
        #expect(lab[3].durable == LogIndex(2))
    }

    @Test("Reports of writes may be repeated, and come late")
    func repeatedReports() throws {
        var lab = try Lab(voters: 1)
        lab.act(1) { $0.campaign() }
        let first = try #require(lab.writes(1).first?.token)
        lab.write(1)
        try lab.act(1) { _ = try $0.propose([1]) }
        lab.act(1) { $0.written(upTo: first) }
        #expect(lab[1].commit == Lab.start)
        lab.write(1)
        lab.act(1) { $0.written(upTo: first) }
        #expect(lab[1].commit == LogIndex(3))
    }

    @Test("An entry of an earlier term is not committed by counting (Raft paper, figure 8)")
    func figure8() throws {
        var lab = try Lab(voters: 5)
        try lab.elect(1)
        // 1 appends an entry that only 2 gets; 5 is elected and appends one that nobody gets; then 1 leads again.
        try lab.act(1) { _ = try $0.propose([1]) }
        try lab.settle(among: [1, 2])
        lab.act(5) { $0.campaign() }
        for _ in 0..<2 {
            for node in [3, 4, 5] { lab.write(node) }
            try lab.deliver { message in
                switch message.body {
                case .vote, .voteResponse: message.to != NodeID(1) && message.to != NodeID(2)
                default: false
                }
            }
        }
        #expect(lab[5].role == .leader)
        lab.messages = []
        lab.act(1) { core in
            core.storageStalled(true)
            core.storageStalled(false)
            for _ in 0..<2 { core.campaign() }
        }
        let old = LogIndex(3)
        for _ in 0..<20 {
            for node in [1, 2, 3] { lab.write(node) }
            try lab.deliver { $0.to.rawValue <= 3 && $0.from.rawValue <= 3 }
            if lab[1].commit >= old {
                #expect([1, 2, 3].allSatisfy { lab[$0].term(at: old.next) == lab[1].term })
            }
        }
        #expect(lab[1].role == .leader && lab[1].commit == old.next && lab[1].term(at: old) != lab[1].term)
    }

    @Test("A late append takes nothing away that agrees")
    func reorderedAppend() throws {
        var lab = try Lab(voters: 3)
        try lab.elect(1)
        try lab.act(1) { _ = try $0.propose([1]) }
        let early = lab.messages.filter { $0.to == NodeID(2) }
        try lab.settle()
        try lab.act(1) { _ = try $0.propose([2]) }
        try lab.settle()
        let last = lab[2].lastIndex
        for message in early { try lab.act(2) { try $0.step(message) } }
        #expect(lab[2].lastIndex == last && lab[2].commit == last)
    }

    @Test("A heartbeat commits nothing that is not known to agree: another history may lie there")
    func heartbeatOfAnotherHistory() throws {
        var lab = try Lab(voters: 3)
        try lab.elect(1)
        let agreed = lab[1].commit
        // Nobody gets this one, and 2 commits others in its place.
        try lab.act(1) { _ = try $0.propose([1]) }
        lab.write(1)
        lab.messages = []
        try lab.elect(2, among: [2, 3])
        try lab.act(2) { _ = try $0.propose([2]) }
        try lab.settle(among: [2, 3])
        #expect(lab[2].commit > agreed)
        for _ in 0..<lab.settings.heartbeatTicks { lab.act(2) { $0.tick() } }
        try lab.deliver { if case .heartbeat = $0.body { true } else { false } }
        #expect(lab[1].leader == NodeID(2) && lab[1].commit == agreed)
        try lab.settle()
        #expect(lab[1].commit == lab[2].commit && lab.applied(1).map(\.payload) == lab.applied(2).map(\.payload))
    }

    // MARK: Reads

    @Test("No read is answered before the first commit of the term")
    func readBeforeFirstCommit() throws {
        var lab = try Lab(voters: 3)
        lab.act(1) { $0.campaign() }
        try lab.deliver()
        for node in [1, 2, 3] as [Int] { lab.write(node) }
        try lab.deliver { if case .voteResponse = $0.body { true } else { false } }
        #expect(lab[1].role == .leader && lab[1].commit == Lab.start)
        let position = try lab.act(1) { try $0.readIndex() }
        #expect(lab.reads(1) == [])
        try lab.settle()
        lab.act(1) { _ in }
        try lab.settle()
        let read = try #require(lab.reads(1).first)
        #expect(read.position == position && read.index >= LogIndex(2))
    }

    @Test("A leader that was replaced while it slept answers no read")
    func pausedLeader() throws {
        var lab = try Lab(voters: 3)
        try lab.elect(1)
        try lab.elect(2, among: [2, 3])
        let position = try lab.act(1) { try $0.readIndex() }
        try lab.settle()
        #expect(lab.reads(1) == [])
        lab.act(2) { $0.tick() }
        try lab.settle()
        #expect(lab.reads(1) == [] && lab.failedReads(1) == position && lab[1].leader == NodeID(2))
    }

    @Test("The answer to a read before a restart is not that of a read after it")
    func readsAcrossRestart() throws {
        var lab = try Lab(voters: 3)
        try lab.elect(1)
        let earlier = try lab.act(2) { try $0.readIndex() }
        try lab.deliver()
        let stored = Lab.stored(lab[1].configuration)
        try lab.restart(2, stored, start: 2)
        try lab.act(2) {
            try $0.step(
                Message(from: NodeID(1), to: NodeID(2), term: Term(2), .heartbeat(Heartbeat(commit: Lab.start))))
        }
        let later = try lab.act(2) { try $0.readIndex() }
        #expect(later > earlier)
        try lab.act(2) {
            try $0.step(
                Message(
                    from: NodeID(1), to: NodeID(2), term: Term(2), .readIndexResponse(position: earlier, index: Lab.start)))
        }
        #expect(lab.reads(2).isEmpty)
    }

    @Test("Many reads share one round, on the leader and on a follower")
    func batchedReads() throws {
        var lab = try Lab(voters: 3)
        try lab.elect(1)
        for node in [1, 2] as [Int] {
            let positions = try lab.act(node) { core in try (0..<5).map { _ in try core.readIndex() } }
            #expect(Set(positions).count == 1)
            try lab.settle()
            #expect(lab.reads(node).last?.position == positions[0])
        }
    }

    // MARK: Membership

    @Test("A second change waits until the first is applied; one that would lose the living quorum is refused")
    func refusedChanges() throws {
        var lab = try Lab(voters: 3) { $0.checksQuorum = true }
        try lab.elect(1)
        try lab.act(1) { _ = try $0.proposeChange(ConfigurationChange([MembershipStep(.addLearner, NodeID(4))])) }
        let second = #expect(throws: ChangeRefusal.self) {
            try lab.act(1) { _ = try $0.proposeChange(ConfigurationChange([MembershipStep(.addLearner, NodeID(5))])) }
        }
        #expect(second == .underWay(lab[1].lastIndex))
        try lab.settle()
        let dead = #expect(throws: ChangeRefusal.self) {
            try lab.act(1) {
                _ = try $0.proposeChange(
                    ConfigurationChange([
                        MembershipStep(.addVoter, NodeID(4)), MembershipStep(.remove, NodeID(2)),
                        MembershipStep(.remove, NodeID(3)),
                    ]))
            }
        }
        #expect(dead == .losesQuorum(active: 1, needed: 2))
    }

    /// docs/decisions/0003-membership-when-applied.md
    @Test("A node is not elected by a configuration that the changes in its log replace")
    func replacedConfiguration() throws {
        // The leader 3 has removed 1, and then 2, and is alone now. Node 2 has both changes, but a restart has taken from it that they
        // are committed, so that by what it has applied node 1 and itself are a majority.
        var lab = try Lab(voters: 3)
        var stored = Lab.stored(lab[2].configuration)
        (stored.term, stored.lastIndex) = (Term(2), LogIndex(3))
        stored.termRuns = [TermRun(firstIndex: LogIndex(2), term: Term(2))]
        stored.changes = [1, 2].map { node in
            Entry(
                index: LogIndex(node + 1), term: Term(2), type: .configurationChange,
                payload: ConfigurationChange([MembershipStep(.remove, NodeID(node))]).encoded())
        }
        stored.newestEntries = stored.changes
        try lab.restart(2, stored, start: 2)
        try lab.elect(2, among: [1, 2])
        #expect(lab[2].role == .candidate && lab[1].vote == NodeID(2))
    }

    @Test("A campaign reads nothing from the log, however much is not applied, and knows of the changes in it")
    func campaignReadsNothing() throws {
        let configuration = Configuration(voters: [NodeID(1), NodeID(2), NodeID(3)])
        let change = Entry(
            index: LogIndex(50_000), term: Term(1), type: .configurationChange,
            payload: ConfigurationChange([MembershipStep(.remove, NodeID(3))]).encoded())
        for isCommitted in [false, true] {
            var stored = Lab.stored(configuration)
            stored.lastIndex = LogIndex(100_000)
            stored.termRuns = [TermRun(firstIndex: Lab.start.next, term: Term(1))]
            stored.changes = [change]
            stored.commit = isCommitted ? change.index : Lab.start
            var settings = RaftSettings()
            settings.usesPreVote = false
            settings.mutations = PutBack.bug
            let mark = SnapshotMark(index: stored.baseIndex, term: stored.baseTerm, configuration: configuration)
            var core = try RaftCore(id: NodeID(1), settings: settings, stored: stored, snapshot: mark, start: 1, seed: 1)
            // What is committed is fetched to be applied, campaign or not.
            _ = core.takeReady()
            core.campaign()
            #expect(core.takeReady()?.fetches.isEmpty ?? true)
            #expect(core.role == (isCommitted ? .follower : .candidate))
        }
    }

    @Test("A leader that was removed hands over, and counts itself no more")
    func removedLeader() throws {
        var lab = try Lab(voters: 3)
        try lab.elect(1)
        try lab.act(1) { _ = try $0.proposeChange(ConfigurationChange([MembershipStep(.remove, NodeID(1))])) }
        #expect(throws: ProposalRefusal.removed) { try lab.act(1) { _ = try $0.propose([1]) } }
        try lab.settle()
        #expect(lab[1].role == .follower)
        #expect([lab[2].role, lab[3].role].contains(.leader))
    }

    @Test("A transition does not end while leadership is handed over; when that fails it does", arguments: [false, true])
    func joinedWhileTransferring(succeeds: Bool) throws {
        var lab = try Lab(voters: 4)
        try lab.elect(1)
        let change = ConfigurationChange([
            MembershipStep(.remove, NodeID(3)), MembershipStep(.remove, NodeID(4)),
        ])
        let place = try lab.act(1) { try $0.proposeChange(change, isForced: true) }
        try lab.act(1) { try $0.transferLeadership(to: NodeID(2)) }
        try lab.settle(among: [1, 3, 4])
        #expect(lab[1].configuration.isJoint && lab[1].lastIndex == place.index)
        if succeeds {
            lab.act(1) { $0.tick() }
            try lab.settle()
        } else {
            for _ in 0..<lab.settings.electionTicks { lab.act(1) { $0.tick() } }
            #expect(lab[1].lastIndex == place.index.next)
            try lab.settle()
        }
        #expect(lab[succeeds ? 2 : 1].role == .leader)
        #expect(lab[1].configuration == Configuration(voters: [NodeID(1), NodeID(2)]))
    }

    // MARK: Snapshots

    @Test("A stale snapshot changes nothing, one that the log holds keeps its tail, and one that contradicts it replaces all")
    func snapshots() throws {
        var lab = try Lab(voters: 3)
        try lab.elect(1)
        for value in 0..<5 as Range<UInt8> { try lab.act(1) { _ = try $0.propose([value]) } }
        try lab.settle()
        let (last, term) = (lab[2].lastIndex, lab[2].term)
        func offer(_ index: UInt64, _ markTerm: Term) throws {
            let mark = SnapshotMark(index: LogIndex(index), term: markTerm, configuration: lab[1].configuration)
            try lab.act(2) { try $0.step(Message(from: NodeID(1), to: NodeID(2), term: term, .snapshot(mark))) }
        }
        try offer(3, term)
        #expect(lab[2].lastIndex == last && lab[2].baseIndex == Lab.start)
        try offer(50, term)
        #expect(lab[2].lastIndex == LogIndex(50) && lab[2].baseIndex == LogIndex(50) && lab[2].applied == last)
        lab.write(2)
        #expect(lab[2].applied == LogIndex(50))
    }

    // MARK: Flow

    @Test("A follower that does not answer gets no more than its window")
    func window() throws {
        var lab = try Lab(voters: 3) {
            $0.inflightCountMax = 4
            $0.batchesAppends = false
        }
        try lab.elect(1)
        for value in 0..<50 as Range<UInt8> { try lab.act(1) { _ = try $0.propose([value]) } }
        #expect(lab.messages.count { $0.to == NodeID(2) } <= 5)
        try lab.settle()
        #expect(lab[2].lastIndex == lab[1].lastIndex && lab[1].commit == lab[1].lastIndex)
    }

    @Test("What is not committed is bounded; a single proposal passes however large, and too large a one never")
    func uncommitted() throws {
        var lab = try Lab(voters: 3) {
            $0.uncommittedByteCountMax = 100
            $0.proposalByteCountMax = 1000
        }
        try lab.elect(1)
        try lab.act(1) { _ = try $0.propose([UInt8](repeating: 0, count: 500)) }
        #expect(throws: ProposalRefusal.tooMuchUncommitted) { try lab.act(1) { _ = try $0.propose([1]) } }
        #expect(throws: ProposalRefusal.tooLarge(byteCount: 1001)) {
            try lab.act(1) { _ = try $0.propose([UInt8](repeating: 0, count: 1001)) }
        }
        try lab.settle()
        try lab.act(1) { _ = try $0.propose([1]) }
    }
}
