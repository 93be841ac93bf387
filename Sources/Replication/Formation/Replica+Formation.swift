import Raft

/// How an empty node, or one that was alone, gets into a cluster.
extension Replica {
    /// Where a node whose state belongs to no cluster begins.
    static func emptyPhase(_ begin: ReplicaStart, _ settings: ReplicaSettings, applied: LogIndex) -> Phase {
        let own = Founder(begin.identity, start: begin.start)
        let address = begin.configured.first { $0.node == own.node }?.address ?? []
        let isAlone = begin.configured.count == 1 && begin.configured[0].node == own.node
        if applied > .zero || isAlone {
            // What is here must not be outvoted by nodes that have nothing: it is the only voter, and adds the others itself.
            return .founding(
                Genesis(
                    cluster: ClusterID(fingerprint: [own]), index: max(applied, LogIndex(1)),
                    configuration: Configuration(voters: [own.node]), members: [Member(own.identity, address: address)]))
        }
        guard begin.configured.contains(where: { $0.node == own.node }) else { return .waiting }
        return .forming(Formation(own: own, nodes: begin.configured, mutations: settings.mutations))
    }

    mutating func takeWhileEmpty(_ envelope: PeerEnvelope) {
        let sender = envelope.from.node
        switch envelope.message {
        case .formation(let report): receive(report, from: envelope.from)
        case .status(let status):
            manager.took(status, from: sender, commit: core.commit)
            // Who is about to add this node asks like this.
            if case .waiting = phase, !status.isEmpty { send(.status(self.status), to: sender) }
        case .raft, .snapshotOffer:
            switch phase {
            case .waiting: joinIfMeant(envelope)
            case .forming(let formation):
                // Whoever speaks Raft to this node belongs to a cluster; whether it is one that this node has founded too, it will say.
                send(.formation(formation.report), to: sender)
            case .founding, .member, .stopped: break
            }
        case .forward, .forwardAnswer, .progress, .awaitProgress, .snapshotRequest, .snapshotChunk, .snapshotAnswer, .command,
            .commandAnswer, .digestRequest, .digestAnswer:
            break
        case .refusal(let refusal):
            effects.append(.note(.refusedBy(sender, refusal)))
            // A member knows another disk under this id: a cluster exists, and has not founded itself with this one.
            if case .forming = phase, refusal == .wrongIncarnation { wait() }
        }
    }

    /// A leader that names this very disk has added it.
    private mutating func joinIfMeant(_ envelope: PeerEnvelope) {
        let isFromLeader =
            switch envelope.message {
            case .raft(_, .append), .raft(_, .heartbeat), .snapshotOffer: true
            default: false
            }
        let isMeant = envelope.toIncarnation == identity.incarnation || settings.mutations.contains(.ignoresIncarnations)
        guard isFromLeader, isMeant, let theirs = envelope.cluster else { return }
        cluster = theirs
        phase = .member
        effects.append(.join(theirs))
        receive(envelope)
    }

    private mutating func receive(_ report: FormationReport, from sender: NodeIdentity) {
        switch phase {
        case .forming(var formation):
            let before = formation.report
            let state = formation.state
            let decision = formation.receive(report, from: sender)
            phase = .forming(formation)
            switch decision {
            case .found(let genesis): found(genesis)
            case .wait: wait()
            case nil:
                if formation.state != state { effects.append(.note(.formation(formation.state))) }
                // Agreement waits for nobody's clock.
                if formation.report != before {
                    manager.reportAtOnce()
                    reportNow()
                }
            }
        case .waiting:
            guard case .member(let genesis) = report.standing else { return }
            if genesis.members.contains(where: { $0.identity == identity }) { found(genesis) }
        case .founding, .member, .stopped: break
        }
    }

    private mutating func wait() {
        phase = .waiting
        effects.append(.note(.formation(.waiting)))
    }

    private mutating func found(_ genesis: Genesis) {
        phase = .founding(genesis)
        effects.append(.note(.formation(.founding)))
        effects.append(.found(genesis))
    }

    mutating func founded(_ genesis: Genesis) {
        guard case .founding(genesis) = phase else { preconditionFailure("a genesis that was not asked for") }
        self.genesis = genesis
        cluster = genesis.cluster
        members = genesis.members
        applied = genesis.index
        logSizes.restart(at: genesis.index)
        do throws(ReplicaStartError) {
            core = try Self.core(node, settings, StoredLog(genesis), nil, start: start, seed: seed)
        } catch { preconditionFailure("a genesis with an impossible configuration") }
        phase = .member
        emitContacts()
    }

    /// Whoever is still empty is told what this node belongs to.
    mutating func answerFormation(_ report: FormationReport, from sender: NodeID) {
        guard case .empty = report.standing, let genesis else { return }
        send(
            .formation(
                FormationReport(configurationFingerprint: report.configurationFingerprint, standing: .member(genesis))),
            to: sender)
    }
}
