import Raft

/// Changes of members, each as one operation (thesis, chapter 4).
extension Replica {
    // MARK: Commands

    mutating func take(_ command: OperatorCommand, _ caller: CommandCaller) {
        guard isMember, genesis != nil else {
            refuse(caller, .notLeader(nil))
            return
        }
        switch command {
        case .takeSnapshot:
            snapshots.asking.append(caller)
            if let newest = snapshots.newest, newest.id.index == applied, !snapshots.isTaking {
                snapshots.asking = []
                tell(caller, .snapshot(newest.id))
            } else {
                takeSnapshot()
            }
        case .transferLeadership(let target): transferLeadership(to: target, caller)
        case .verify: verify(caller)
        case .changeAddress(let node, let address): changeAddress(of: node, to: address, caller)
        case .add(let node, let address):
            guard let operation = adding(node, address, .add(node), caller) else { return }
            begin(operation)
        case .replace(let old, let new, let address):
            guard core.configuration.hasVoter(old) else {
                refuse(caller, .notMember(old))
                return
            }
            guard let operation = adding(new, address, .replace(old, with: new), caller) else { return }
            begin(operation)
        case .remove(let node, let isForced):
            guard core.configuration.members.hasSorted(node) else {
                refuse(caller, .notMember(node))
                return
            }
            begin(
                MembershipOperation(
                    caller: caller, goal: .remove(node), newcomer: nil, isForced: isForced, step: .catchingUp, since: now,
                    bodiesIndex: core.commit, lastIndex: core.lastIndex))
        }
    }

    mutating func refuse(_ caller: CommandCaller?, _ refusal: CommandRefusal) { tell(caller, .refused(refusal)) }

    private mutating func changeAddress(of node: NodeID, to address: [UInt8], _ caller: CommandCaller) {
        guard core.configuration.members.hasSorted(node), let member = members.member(node) else {
            refuse(caller, .notMember(node))
            return
        }
        guard !address.isEmpty, address.count <= Member.addressByteCountMax else {
            refuse(caller, .invalidAddress)
            return
        }
        begin(
            MembershipOperation(
                caller: caller, goal: .changeAddress(Member(member.identity, address: address)), newcomer: nil,
                isForced: false, step: .catchingUp, since: now, bodiesIndex: core.commit, lastIndex: core.lastIndex))
    }

    private mutating func adding(
        _ newcomer: NodeID, _ address: [UInt8], _ goal: MembershipOperation.Goal, _ caller: CommandCaller?
    ) -> MembershipOperation? {
        guard address.count <= Member.addressByteCountMax else {
            refuse(caller, .invalidAddress)
            return nil
        }
        guard !core.configuration.voters.hasSorted(newcomer) else {
            refuse(caller, .alreadyVoter(newcomer))
            return nil
        }
        guard core.configuration.members.count < MembershipLimits.listCountMax / 2,
            members.count < MembershipLimits.memberCountMax
        else {
            refuse(caller, .tooManyMembers)
            return nil
        }
        return MembershipOperation(
            caller: caller, goal: goal, newcomer: ConfiguredNode(newcomer, address: address), isForced: false,
            step: .contacting,
            since: now, bodiesIndex: core.commit, lastIndex: core.lastIndex)
    }

    private mutating func begin(_ operation: MembershipOperation) {
        guard isLeader else {
            refuse(operation.caller, .notLeader(core.leader))
            return
        }
        guard membership == nil else {
            refuse(operation.caller, .busy)
            return
        }
        membership = operation
        if operation.newcomer != nil { emitContacts() }
        advanceMembership()
    }

    // MARK: Steps

    mutating func tickMembership() {
        advanceMembership()
        tickTransferOfLeadership()
        guard isLeader, genesis != nil else { return }
        addConfigured()
        raiseVersion()
        settleRestores()
        expireSessions()
    }

    /// Takes the operation as far as it can go now.
    mutating func advanceMembership() {
        leaveJointIfDue()
        guard let operation = membership else { return }
        if case .changing(let index) = operation.step, applied >= index, !core.configuration.isJoint {
            // Done, though it may have been this leader's own removal.
            finish(.done)
            return
        }
        guard isLeader else { return }
        switch operation.step {
        case .contacting: look(operation)
        case .adding(let index):
            if applied >= index { enter(.catchingUp) } else { giveUpIfLate(operation) }
        case .catchingUp: catchUp(operation)
        case .changing: giveUpIfLate(operation)
        case .takingBack(let index, let refusal):
            if applied >= index {
                finish(.refused(refusal))
            } else {
                giveUpIfLate(operation)
            }
        }
    }

    private mutating func enter(_ step: MembershipOperation.Step) {
        membership?.step = step
        membership?.since = now
        advanceMembership()
    }

    private mutating func finish(_ outcome: CommandOutcome) {
        guard let operation = membership else { return }
        membership = nil
        tell(operation.caller, outcome)
        if operation.newcomer != nil { emitContacts() }
    }

    private func isLate(_ operation: MembershipOperation, _ milliseconds: UInt64) -> Bool {
        now.milliseconds(since: operation.since) >= milliseconds
    }

    private mutating func giveUpIfLate(_ operation: MembershipOperation) {
        if isLate(operation, settings.membership.stepMilliseconds) { finish(.unknown(.timedOut)) }
    }

    /// Who is the new node, and can it be one?
    private mutating func look(_ operation: MembershipOperation) {
        guard let newcomer = operation.newcomer else { preconditionFailure("nobody is to be added") }
        let id = newcomer.node
        // What was heard of it before may be long past.
        guard let peer = manager.peer(id), let status = peer.status, let heardAt = peer.heardAt, heardAt >= operation.since
        else {
            guard isLate(operation, settings.membership.stepMilliseconds) else { return }
            if let known = members.member(id), manager.hasRefusedOther(than: known.identity) {
                finish(.refused(.identityTaken(id, known.identity.incarnation)))
            } else {
                finish(.refused(.unreachable(id)))
            }
            return
        }
        // What is in the log may settle a restore. (None is settled while this goes on.)
        guard applied >= operation.lastIndex else {
            giveUpIfLate(operation)
            return
        }
        if members.member(id) == nil, !status.isEmpty {
            finish(.refused(.notEmpty(id)))
        } else if !status.isEmpty, status.applied < restore.settled {
            finish(.refused(.outdated(id)))
        } else if status.version < version {
            finish(.refused(.unsupportedVersion(id, status.version)))
        } else if core.configuration.learners.hasSorted(id) {
            enter(.catchingUp)
        } else {
            let member = Member(NodeIdentity(id, peer.incarnation), address: newcomer.address)
            propose([MembershipStep(.addLearner, id)], MemberContext([member])) { .adding($0) }
        }
    }

    /// - Returns: whether it is in the log.
    @discardableResult
    private mutating func propose(
        _ steps: [MembershipStep], _ context: MemberContext, _ step: (LogIndex) -> MembershipOperation.Step
    ) -> Bool {
        guard let operation = membership else { return false }
        let change = ConfigurationChange(steps, context: context.encoded())
        do throws(ChangeRefusal) {
            let place = try core.proposeChange(change, isForced: operation.isForced)
            enter(step(place.index))
            return true
        } catch {
            switch error {
            case .underWay, .proposal(.transferring), .proposal(.tooMuchUncommitted):
                // It passes.
                if isLate(operation, settings.membership.stepMilliseconds) { finish(.refused(.change(error))) }
            case .losesQuorum where operation.isPatient && !isLate(operation, settings.retryMilliseconds):
                // A leader that is new has not heard of everybody.
                break
            case .proposal, .impossible, .losesQuorum: finish(.refused(.change(error)))
            }
            return false
        }
    }

    private mutating func catchUp(_ operation: MembershipOperation) {
        switch operation.goal {
        case .remove(let node):
            guard live(without: node, operation), holdBodies(without: node, operation) else { return }
            propose([MembershipStep(.remove, node)], MemberContext([])) { .changing($0) }
        case .changeAddress(let member):
            propose([MembershipStep(.update, member.node)], MemberContext([member])) { .changing($0) }
        case .add(let node):
            guard isCaughtUp(node, operation) else { return }
            propose([MembershipStep(.addVoter, node)], MemberContext([])) { .changing($0) }
        case .replace(let old, let new):
            guard isCaughtUp(new, operation) else { return }
            propose([MembershipStep(.addVoter, new), MembershipStep(.remove, old)], MemberContext([])) { .changing($0) }
        }
    }

    /// A learner that is promoted too early holds up every commit that needs it: the share says that it has nearly all, the gap that the
    /// rest is soon there, however long the log. Too slow: it is taken back.
    private mutating func isCaughtUp(_ node: NodeID, _ operation: MembershipOperation) -> Bool {
        if settings.mutations.contains(.promotesEarly) { return true }
        guard let progress = core.progress(of: node) else {
            finish(.refused(.notMember(node)))
            return false
        }
        let policy = settings.membership
        let last = core.lastIndex
        let gap = last - progress.match
        let share = progress.match.rawValue.multipliedFullWidth(by: 1000)
        let needed = last.rawValue.multipliedFullWidth(by: UInt64(policy.caughtUpThousandths))
        let isNearlyThere = (share.high, share.low) >= (needed.high, needed.low)
        if progress.isActive, progress.state == .replicate, gap <= policy.gapCountMax, isNearlyThere,
            hasBodies(node, operation)
        {
            return true
        }
        if isLate(operation, policy.catchUpMilliseconds) {
            takeBack(node, .didNotCatchUp(node, behind: gap))
        } else if operation.isPatient, !progress.isActive, progress.match == .zero, isLate(operation, policy.stepMilliseconds) {
            // It spoke, and does not hear: the address is not its own.
            takeBack(node, .unreachable(node))
        }
        return false
    }

    private mutating func takeBack(_ node: NodeID, _ refusal: CommandRefusal) {
        propose([MembershipStep(.remove, node)], MemberContext([])) { .takingBack($0, refusal) }
    }

    /// A voter that lacks bodies would count for their quorum without holding them. As long as it gets more of them it is not too slow.
    private mutating func hasBodies(_ node: NodeID, _ operation: MembershipOperation) -> Bool {
        if settings.mutations.contains(.promotesWithoutBodies) { return true }
        guard !operation.isForced, let report = manager.peer(node)?.status?.bodies else { return operation.isForced }
        if report.lackingCount != nil, report.lackingByteCount < operation.lackingByteCount {
            membership?.lackingByteCount = report.lackingByteCount
            membership?.since = now
        }
        return report.lackingCount(upTo: operation.bodiesIndex) == 0
    }

    /// Whether a majority of the voters that would be left is alive, as far as connections tell: the core notices a silent one only after an
    /// election timeout, and a removal cannot be undone without a majority.
    private mutating func live(without node: NodeID, _ operation: MembershipOperation) -> Bool {
        guard operation.isPatient, !operation.isForced, core.configuration.hasVoter(node) else { return true }
        let rest = core.configuration.voters.filter { $0 != node }
        let living = rest.count { $0 == self.node || isAlive($0) }
        let needed = rest.count / 2 + 1
        if living >= needed { return true }
        if isLate(operation, settings.retryMilliseconds) {
            finish(.refused(.change(.losesQuorum(active: living, needed: needed))))
        }
        return false
    }

    private func isAlive(_ peer: NodeID) -> Bool {
        switch status(of: peer, at: now) {
        case .healthy, .lagging: true
        case .unreachable, .failed: false
        }
    }

    /// Whether a quorum of the others holds every body; if that does not come about soon the operation is refused.
    private mutating func holdBodies(without node: NodeID, _ operation: MembershipOperation) -> Bool {
        guard !operation.isForced, core.configuration.hasVoter(node) else { return true }
        if settings.mutations.contains(.removesWithoutBodies) { return true }
        let lacking = bodiesLacking(among: core.configuration.voters.filter { $0 != node }, upTo: operation.bodiesIndex)
        if lacking == 0 { return true }
        if isLate(operation, settings.membership.stepMilliseconds) { finish(.refused(.bodiesLacking(lacking))) }
        return false
    }

    /// How many of the bodies that entries up to that one name may be held by less than a quorum of these; nil: it is not known.
    private func bodiesLacking(among voters: [NodeID], upTo index: LogIndex) -> UInt64? {
        // As many as the quorum's worst node lacks: the more a node has, the higher it counts.
        let held = MajorityQuorum(voters).reached { voter in
            let report = voter == self.node ? bodies : manager.peer(voter)?.status?.bodies
            return report?.lackingCount(upTo: index).map { .max - $0 } ?? 0
        }
        return held == 0 ? nil : .max - held
    }

    /// Until the transition is in force a body counts as held if a quorum of the outgoing voters has it. So the new voters, who decide alone from
    /// then on, must have got all of those first.
    private mutating func leaveJointIfDue() {
        guard isLeader, core.configuration.isJoint else {
            transition = nil
            return
        }
        let since = transition ?? applied
        transition = since
        guard
            settings.mutations.contains(.leavesJointWithoutBodies)
                || bodiesLacking(among: core.configuration.voters, upTo: since) == 0
        else { return }
        core.leaveJoint()
    }

    // MARK: What a leader does by itself

    /// A node that was alone adds the others of its configuration, one after the other, each once in the cluster's life.
    private mutating func addConfigured() {
        guard membership == nil, genesis?.members.count == 1, configured.count > 1, !core.configuration.isJoint else { return }
        for candidate in configured where candidate.node != node {
            let isLearner = core.configuration.learners.hasSorted(candidate.node)
            guard members.member(candidate.node) == nil || isLearner, manager.peer(candidate.node)?.status != nil else {
                continue
            }
            if let operation = adding(candidate.node, candidate.address, .add(candidate.node), nil) {
                begin(operation)
                return
            }
        }
    }

    /// All members know newer rules: from the entry on, all apply by them.
    private mutating func raiseVersion() {
        guard proposals.raisedVersionAt.map({ now.milliseconds(since: $0) >= settings.membership.stepMilliseconds }) ?? true
        else {
            return
        }
        var known = settings.version
        for member in core.configuration.members where member != node {
            guard let status = manager.peer(member)?.status else { return }
            known = min(known, status.version)
        }
        guard known > version else { return }
        proposals.raisedVersionAt = now
        do throws(ProposalRefusal) { _ = try core.propose(Command.raiseVersion(known).encoded()) } catch {
            // It is tried again.
        }
    }

    /// Ends the sessions of nodes that were silent for long: what they keep is of use to nobody.
    private mutating func expireSessions() {
        guard let silence = settings.sessionSilenceMilliseconds else { return }
        for session in openSessions where session.node != node {
            guard let peer = manager.peer(session.node) else {
                manager.restartSilence(of: unknown(session.node), at: now)
                continue
            }
            guard now.milliseconds(since: peer.silentSince) >= silence else { continue }
            manager.restartSilence(of: NodeIdentity(peer.node, peer.incarnation), at: now)
            do throws(ProposalRefusal) { _ = try core.propose(Command.expireSession(session).encoded()) } catch {
                // It is tried again after another silence.
            }
        }
    }

    private func unknown(_ node: NodeID) -> NodeIdentity {
        members.member(node)?.identity ?? NodeIdentity(node, Incarnation(0))
    }

    // MARK: The end

    mutating func loseMembershipOperation() {
        guard let operation = membership else { return }
        switch operation.step {
        case .contacting: finish(.refused(.notLeader(core.leader)))
        case .adding, .catchingUp, .changing, .takingBack: finish(.unknown(.leadershipLost))
        }
    }

    mutating func endCommands(_ reason: StopReason) {
        let askers = snapshots.asking
        snapshots.asking = []
        for caller in askers { refuse(caller, .stopped(reason)) }
        endTransferOfLeadership(reason)
        if let operation = membership {
            membership = nil
            tell(operation.caller, .unknown(.stopped(reason)))
        }
        loseVerification()
        endAskedCommands(reason)
    }
}
