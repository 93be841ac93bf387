import Raft

/// What clients, operators and time do to a node.
extension ClusterTranscript {
    /// Lets a node's core take an event.
    mutating func step<Value>(_ position: Int, _ body: (inout RaftCore) -> Value) -> Value {
        nodes[position].step(&output, body)
    }

    mutating func campaign(_ command: TranscriptCommand) throws(TranscriptError) {
        step(try onlyNode(command)) { $0.campaign() }
    }

    mutating func tick(
        _ command: TranscriptCommand, _ count: KeyPath<RaftSettings, Int>
    ) throws(TranscriptError) {
        let position = try onlyNode(command)
        for _ in 0..<nodes[position].core.settings[keyPath: count] { step(position) { $0.tick() } }
    }

    mutating func setElectionTimeout(_ command: TranscriptCommand) throws(TranscriptError) {
        let position = try onlyNode(command, keys: ["timeout"])
        guard let ticks = try command.count("timeout"), ticks > 0 else { throw command.mistake("timeout=TICKS is missing") }
        step(position) { $0.setRandomizedElectionTicks(ticks) }
    }

    // MARK: Proposals

    mutating func propose(_ command: TranscriptCommand) throws(TranscriptError) {
        try command.expect(words: 2...2, of: "node, data")
        propose(.command(Array(command.words[1].utf8)), at: try node(command.words[0], command))
    }

    mutating func proposeChange(_ command: TranscriptCommand) throws(TranscriptError) {
        let position = try onlyNode(command, keys: ["v1", "transition"])
        let steps = try command.membershipSteps()
        let isFirstVersion = try command.flag("v1") ?? false
        let transition: ConfigurationChange.Transition
        switch try command.value("transition") {
        case nil, "auto"?: transition = .automatic
        case "implicit"?: transition = .jointImplicit
        case "explicit"?: transition = .jointExplicit
        case let text?: throw command.mistake("transition is auto, implicit or explicit, not \(text)")
        }
        if isFirstVersion, steps.count != 1 || transition != .automatic {
            throw command.mistake("a change with v1=true has one step and no transition")
        }
        guard steps.count <= ConfigurationChange.stepCountMax else { throw command.mistake("too many steps") }
        let context = isFirstVersion ? ConfigurationChange.firstVersionContext : []
        propose(.change(ConfigurationChange(steps, transition: transition, context: context)), at: position)
    }

    /// Proposes at a node; a follower sends the proposal on to its leader.
    mutating func propose(_ proposal: TranscriptProposal, at position: Int) {
        switch step(position, { Self.propose(proposal, to: &$0) }) {
        case .taken: break
        case .replaced(let reason):
            output.remark("\(nodes[position].id) ignores the change of members: \(reason)", level: .info)
        case .refused(.notLeader(let leader?)):
            nodes[position].outbox.append(Parcel(from: nodes[position].id, to: leader, content: .proposal(proposal)))
        case .refused: output.failure("raft proposal dropped")
        case .unsafe(let reason): output.failure(reason)
        }
    }

    private enum ProposalOutcome {
        case taken
        /// An empty entry stands in its place.
        case replaced(String)
        case refused(ProposalRefusal)
        case unsafe(String)
    }

    private static func propose(_ proposal: TranscriptProposal, to core: inout RaftCore) -> ProposalOutcome {
        do throws(ChangeRefusal) {
            switch proposal {
            case .command(let payload): try append(payload, to: &core)
            case .change(let change): _ = try core.proposeChange(change)
            }
            return .taken
        } catch {
            switch error {
            case .proposal(let refusal): return .refused(refusal)
            case .losesQuorum: return .unsafe(error.description)
            case .underWay, .impossible:
                // As these scripts know it: a leader appends something empty instead of a change that cannot be made now.
                do throws(ChangeRefusal) { try append([], to: &core) } catch { return .unsafe(error.description) }
                return .replaced(error.description)
            }
        }
    }

    private static func append(_ payload: [UInt8], to core: inout RaftCore) throws(ChangeRefusal) {
        do throws(ProposalRefusal) { _ = try core.propose(payload) } catch { throw .proposal(error) }
    }

    // MARK: Reads

    mutating func readIndex(_ command: TranscriptCommand) throws(TranscriptError) {
        let position = try onlyNode(command)
        let outcome: Result<UInt64, ProposalRefusal> = step(position) { core in
            do throws(ProposalRefusal) { return .success(try core.readIndex()) } catch { return .failure(error) }
        }
        switch outcome {
        case .success(let number): output.line("read \(number)")
        case .failure(let refusal): output.failure(refusal.description)
        }
    }

    // MARK: Leadership

    mutating func transferLeadership(_ command: TranscriptCommand) throws(TranscriptError) {
        let position: Int
        let target: NodeID
        if command.has("from") || command.has("to") {
            try command.expect(words: 0...0, of: "none besides from= and to=", keys: ["from", "to"])
            guard let from = try command.value("from"), let to = try command.number("to") else {
                throw command.mistake("from=NODE and to=NODE are needed")
            }
            position = try node(from, command)
            target = NodeID(to)
        } else {
            try command.expect(words: 2...2, of: "from, to")
            position = try node(command.words[0], command)
            target = NodeID(try command.number(word: 1, of: "to"))
        }
        transferLeadership(at: position, to: target)
    }

    /// Hands leadership over; a follower sends the wish on to its leader.
    mutating func transferLeadership(at position: Int, to target: NodeID) {
        let refusal: RaftCore.TransferRefusal? = step(position) { core in
            do throws(RaftCore.TransferRefusal) {
                try core.transferLeadership(to: target)
                return nil
            } catch { return error }
        }
        let id = nodes[position].id
        switch refusal {
        case nil: break
        case .notLeader(let leader?):
            nodes[position].outbox.append(Parcel(from: id, to: leader, content: .transfer(to: target)))
        case .notLeader(nil): output.remark("\(id) knows no leader that could hand over", level: .info)
        case .notVoter(let node): output.remark("\(id) does not hand over to \(node), which is no voter", level: .info)
        case .inactive(let node): output.remark("\(id) does not hand over to \(node), which is silent", level: .info)
        }
    }

    mutating func forgetLeader(_ command: TranscriptCommand) throws(TranscriptError) {
        let position = try onlyNode(command)
        guard !nodes[position].options.readsByLease else {
            output.remark("\(nodes[position].id) must not forget a leader that serves reads by its lease", level: .error)
            return
        }
        step(position) { $0.forgetLeader() }
    }

    // MARK: Failures

    mutating func loseConnection(_ command: TranscriptCommand) throws(TranscriptError) {
        let (position, peer) = try nodeAndPeer(command)
        step(position) { $0.connectionLost(to: peer) }
    }

    mutating func reportUnreachable(_ command: TranscriptCommand) throws(TranscriptError) {
        let (position, peer) = try nodeAndPeer(command)
        step(position) { $0.reportUnreachable(peer) }
    }

    /// How the transfer of a snapshot ended, as the sender's transport sees it.
    mutating func reportSnapshot(_ command: TranscriptCommand) throws(TranscriptError) {
        try command.expect(words: 3...3, of: "node, peer, received or failed")
        let position = try node(command.words[0], command)
        let peer = NodeID(try command.number(word: 1, of: "peer"))
        guard command.words[2] == "received" || command.words[2] == "failed" else {
            throw command.mistake("the third argument is received or failed")
        }
        step(position) { $0.reportSnapshot(peer, isReceived: command.words[2] == "received") }
    }

    private func nodeAndPeer(_ command: TranscriptCommand) throws(TranscriptError) -> (Int, NodeID) {
        try command.expect(words: 2...2, of: "node, peer")
        return (try node(command.words[0], command), nodes[try node(command.words[1], command)].id)
    }

    mutating func stallStorage(_ command: TranscriptCommand) throws(TranscriptError) {
        try command.expect(words: 2...2, of: "node, true or false")
        let position = try node(command.words[0], command)
        guard let isStalled = Bool(command.words[1]) else { throw command.mistake("the second argument is true or false") }
        step(position) { $0.storageStalled(isStalled) }
    }

    // MARK: Snapshots

    mutating func compact(_ command: TranscriptCommand) throws(TranscriptError) {
        try command.expect(words: 2...2, of: "node, index")
        let position = try node(command.words[0], command)
        let index = LogIndex(try command.number(word: 1, of: "index"))
        guard index > nodes[position].log.base.index else {
            output.failure("requested index is unavailable due to compaction")
            return
        }
        guard index <= nodes[position].core.applied else {
            output.failure("index \(index) is not applied; \(nodes[position].core.applied) is")
            return
        }
        nodes[position].compact(to: index)
        showLog(at: position)
    }

    mutating func sendSnapshot(_ command: TranscriptCommand) throws(TranscriptError) {
        let (position, peer) = try nodeAndPeer(command)
        let source = nodes[position]
        let message = Message(from: source.id, to: peer, term: source.core.term, .snapshot(source.image.mark))
        send(message, from: position)
        output.line(message.text)
    }

    /// Puts a message on its way, with the bytes of the snapshot that it offers.
    mutating func send(_ message: Message, from position: Int) {
        var snapshot: [UInt8] = []
        if case .snapshot = message.body { snapshot = nodes[position].image.content }
        parcels.append(Parcel(from: message.from, to: message.to, content: .message(message, snapshot: snapshot)))
    }
}
