import Raft

/// Messages of other nodes: who may say what to whom.
extension Replica {
    mutating func send(_ message: PeerMessage, to peer: NodeID) {
        effects.append(.send(envelope(to: peer, message)))
    }

    /// A message as this node addresses it.
    func envelope(to peer: NodeID, _ message: PeerMessage) -> PeerEnvelope {
        PeerEnvelope(cluster: cluster, from: identity, to: peer, toIncarnation: incarnation(of: peer), message: message)
    }

    private func incarnation(of peer: NodeID) -> Incarnation? {
        members.member(peer)?.identity.incarnation ?? manager.peer(peer)?.incarnation
    }

    mutating func receive(_ envelope: PeerEnvelope) {
        guard envelope.to == node, envelope.from.node != node else { return }
        if let refusal = refusal(of: envelope) {
            if manager.refuse(envelope.from, at: now) { effects.append(.note(.refusedPeer(envelope.from, refusal))) }
            // Never an answer to a refusal.
            if case .refusal = envelope.message { return }
            // To that very disk, whoever else the id belongs to.
            effects.append(
                .send(
                    PeerEnvelope(
                        cluster: cluster, from: identity, to: envelope.from.node, toIncarnation: envelope.from.incarnation,
                        message: .refusal(refusal))))
            return
        }
        manager.heard(envelope.from, at: now)
        switch phase {
        case .member: take(envelope)
        case .forming, .waiting: takeWhileEmpty(envelope)
        // The genesis decides what to make of what comes; until it is written nothing is promised.
        case .founding, .stopped: break
        }
    }

    /// Why nothing of it is looked at: it was said by, or to, a disk that is another one by now.
    private func refusal(of envelope: PeerEnvelope) -> MessageRefusal? {
        guard !settings.mutations.contains(.ignoresIncarnations) else { return nil }
        if let theirs = envelope.cluster, let cluster, theirs != cluster { return .wrongCluster }
        if let to = envelope.toIncarnation, to != identity.incarnation { return .misaddressed }
        if let member = members.member(envelope.from.node), member.identity != envelope.from { return .wrongIncarnation }
        return nil
    }

    private mutating func take(_ envelope: PeerEnvelope) {
        let sender = envelope.from.node
        switch envelope.message {
        case .raft(let term, let body): step(Message(from: sender, to: node, term: term, body))
        case .forward(let forward): receive(forward, from: sender)
        case .forwardAnswer(let answer): receive(answer, from: sender)
        case .progress(let progress):
            if progress.term == core.term { progressed(progress) }
        case .awaitProgress(let request): receive(request, from: sender)
        case .snapshotOffer(let offer): receive(offer, from: sender)
        case .snapshotRequest(let request): receive(request, from: sender)
        case .snapshotChunk(let chunk): receive(chunk, from: sender)
        case .snapshotAnswer(let answer): receive(answer, from: sender)
        case .formation(let report): answerFormation(report, from: sender)
        case .status(let status): receive(status, from: sender)
        case .refusal(let refusal): refused(refusal, by: sender)
        case .command(let request): receive(request, from: sender)
        case .commandAnswer(let answer): receive(answer, from: sender)
        case .digestRequest(let request): receive(request, from: sender)
        case .digestAnswer(let answer): receive(answer, from: sender)
        }
    }

    private mutating func step(_ message: Message) {
        // A snapshot is stepped when its bytes are here, and not before.
        if case .snapshot = message.body { return }
        do throws(MessageError) { try core.step(message) } catch {
            effects.append(.note(.invalidMessage(from: message.from, error)))
        }
    }

    // MARK: Statuses

    var status: NodeStatus {
        NodeStatus(version: settings.version, applied: applied, isEmpty: genesis == nil, bodies: bodies)
    }

    mutating func connected(_ peer: NodeID) {
        switch phase {
        case .member, .waiting: send(.status(status), to: peer)
        case .forming(let formation): send(.formation(formation.report), to: peer)
        case .founding, .stopped: break
        }
    }

    private mutating func receive(_ status: NodeStatus, from sender: NodeID) {
        manager.took(status, from: sender, commit: core.commit)
        if members.member(sender) != nil, !core.configuration.members.hasSorted(sender), core.leader != nil {
            send(.refusal(.removed), to: sender)
        }
        advanceMembership()
    }

    private mutating func refused(_ refusal: MessageRefusal, by sender: NodeID) {
        effects.append(.note(.refusedBy(sender, refusal)))
        // A removed node hears nothing of the log any more, not even that it was removed.
        let isMember = core.configuration.members.hasSorted(node)
        if refusal == .removed, genesis != nil, !isMember, core.leader == nil, removedSince == nil { removedSince = now }
    }

    /// Says now and then what others cannot see.
    mutating func reportNow() {
        guard manager.takeReportDue(every: reportMilliseconds, at: now) else { return }
        switch phase {
        case .forming(let formation):
            for other in formation.others { send(.formation(formation.report), to: other) }
        case .member:
            for receiver in statusReceivers { send(.status(status), to: receiver) }
        case .waiting:
            // A node that was alone adds whom it is configured with, once it hears of them.
            for other in configured where other.node != node { send(.status(status), to: other.node) }
        case .founding, .stopped: break
        }
    }

    private var statusReceivers: [NodeID] {
        var receivers = core.configuration.members
        // A node that was added learns who the members are when it has the state; until then it knows its configuration, and its leader.
        if receivers.isEmpty {
            receivers = configured.map(\.node)
            if let leader = core.leader, !receivers.contains(leader) { receivers.append(leader) }
        }
        // What it was told, or its answer, may have been lost.
        if let newcomer = membership?.newcomer, !receivers.contains(newcomer.node) { receivers.append(newcomer.node) }
        return receivers.filter { $0 != node }
    }

    /// Who belongs to a cluster and waits for nobody has time.
    private var reportMilliseconds: UInt64 {
        let isSettled = isMember && membership?.newcomer == nil && core.configuration.members.hasSorted(node)
        return isSettled ? settings.statusMilliseconds : settings.reportMilliseconds
    }

    // MARK: Contacts

    mutating func emitContacts() {
        var contacts: [Contact] = []
        let current = core.configuration.members
        for member in members where current.hasSorted(member.node) && member.node != node {
            contacts.append(
                Contact(node: member.node, incarnation: member.identity.incarnation, address: member.address))
        }
        switch phase {
        case .forming, .founding, .waiting:
            for configured in configured where configured.node != node {
                contacts.append(Contact(node: configured.node, incarnation: nil, address: configured.address))
            }
        case .member where members.isEmpty:
            // It was added, and has started again before it got the state that names the members.
            for configured in configured where configured.node != node {
                contacts.append(Contact(node: configured.node, incarnation: nil, address: configured.address))
            }
        case .member:
            // A node that was alone hears of those that it will add, and answers them.
            guard genesis?.members.count == 1 else { break }
            for configured in configured where configured.node != node && members.member(configured.node) == nil {
                contacts.append(Contact(node: configured.node, incarnation: nil, address: configured.address))
            }
        case .stopped: break
        }
        if let newcomer = membership?.newcomer, !contacts.contains(where: { $0.node == newcomer.node }) {
            contacts.append(Contact(node: newcomer.node, incarnation: nil, address: newcomer.address))
        }
        effects.append(.connect(contacts))
    }
}
