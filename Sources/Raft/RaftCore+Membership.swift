/// Why a change of members is not proposed. Nothing has been appended.
package enum ChangeRefusal: Error, Hashable, Sendable, CustomStringConvertible {
    case proposal(ProposalRefusal)
    /// Another one, up to this index, may not be applied yet.
    case underWay(LogIndex)
    case impossible(ConfigurationError)
    /// So many of the new voters are heard from, and so many would be needed.
    case losesQuorum(active: Int, needed: Int)

    package var description: String {
        switch self {
        case .proposal(let refusal): refusal.description
        case .underWay(let index): "another change of members, at or before index \(index), is not applied yet"
        case .impossible(let error): error.description
        case .losesQuorum(let active, let needed):
            "only \(active) of the voters after the change are alive, and \(needed) would be needed"
        }
    }
}

extension RaftCore {
    /// Proposes a change of members (thesis, chapter 4). It is in force on a node once its entry is applied there; one that goes
    /// through a joint configuration is over when `configuration` is joint no more.
    ///
    /// - Parameter isForced: even if too few of the new voters are heard from.
    package mutating func proposeChange(
        _ change: ConfigurationChange, isForced: Bool = false
    ) throws(ChangeRefusal) -> (index: LogIndex, term: Term) {
        let payload = change.encoded()
        do throws(ProposalRefusal) {
            try checkProposal(payload.count, count: 1, largest: payload.count)
        } catch { throw .proposal(error) }
        if settings.validatesChanges {
            guard pendingChangeIndex <= log.applied || settings.mutations.contains(.overlapsChanges) else {
                throw .underWay(pendingChangeIndex)
            }
            let next: Configuration
            do throws(ConfigurationError) {
                next = try ConfigurationChanger(restoring: configuration).changed(by: change)
            } catch { throw .impossible(error) }
            let isGuarded = settings.guardsLivingQuorum && !settings.mutations.contains(.addsDeadVoters)
            if isGuarded, !isForced { try checkLivingQuorum(of: next) }
        }
        appendChange(payload)
        return (log.lastIndex, term)
    }

    private mutating func appendChange(_ payload: [UInt8]) {
        appendOwnEntry(.configurationChange, payload)
        pendingChangeIndex = log.lastIndex
        noteLeaving()
        broadcastAppend()
    }

    /// Looks whether the changes in the log leave this node without a vote.
    mutating func noteLeaving() {
        guard settings.stepsDownOnRemoval, settings.leavesInOrder else { return }
        leavingIndex = (configurationsToCome.last ?? configuration).hasVoter(id) ? nil : log.lastIndex
    }

    /// What the changes in the log that are not applied would make of the configuration, one after the other.
    var configurationsToCome: [Configuration] {
        var all: [Configuration] = []
        for change in log.changes where change.index > log.applied {
            if let next = next(all.last ?? configuration, after: change) { all.append(next) }
        }
        return all
    }

    /// A change that is not applied makes the node a member again.
    func isReturning(_ node: NodeID) -> Bool {
        configurationsToCome.contains { $0.members.hasSorted(node) }
    }

    private func checkLivingQuorum(of next: Configuration) throws(ChangeRefusal) {
        let active = next.voters.count { node in
            node == id || peers.contains { $0.node == node && $0.isActive && $0.match > .zero }
        }
        let needed = next.voters.count / 2 + 1
        guard active >= needed else { throw .losesQuorum(active: active, needed: needed) }
    }

    // MARK: In force

    /// The configuration after the entry of a change; nil if it cannot be made, which every node finds alike.
    func next(_ configuration: Configuration, after entry: Entry) -> Configuration? {
        do {
            let change = try ConfigurationChange(decoding: entry.payload)
            return try ConfigurationChanger(restoring: configuration).changed(by: change)
        } catch { return nil }
    }

    mutating func apply(_ entry: Entry) {
        guard let next = next(configuration, after: entry) else { return }
        let gone = configuration.members.filter { !next.members.hasSorted($0) }
        adopt(next)
        removedMembers.removeAll { configuration.members.hasSorted($0.node) }
        guard settings.tellsRemovedNodes, !settings.mutations.contains(.forgetsRemovedNodes) else { return }
        for node in gone where node != id {
            removedMembers.append((node, entry.index))
            if role == .leader { send(.removed(since: entry.index), to: node) }
        }
    }

    mutating func adopt(_ next: Configuration) {
        configuration = next
        rebuildPeers()
        guard role == .leader else { return }
        let canLead = configuration.hasVoter(id)
        if !canLead {
            if settings.stepsDownOnRemoval { stepDownAfterRemoval() }
            return
        }
        if let transferTarget, !configuration.hasVoter(transferTarget) { self.transferTarget = nil }
        // A smaller quorum may have what a larger one had not.
        if advanceCommit() {
            broadcastAppend()
        } else {
            for position in peers.indices where peers[position].node != id { sendAppend(to: position, evenEmpty: false) }
        }
        confirmReads()
    }

    /// The voter that has most of the log need not wait until it misses its leader.
    private mutating func stepDownAfterRemoval() {
        let successor = peers.filter { $0.node != id && configuration.hasVoter($0.node) && $0.isActive }
            .max { $0.match < $1.match }
        if let successor, settings.leavesInOrder { send(.timeoutNow, to: successor.node) }
        becomeFollower(term: term, leader: nil)
    }

    /// A transition that ends by itself does so as soon as it is in force, but not while leadership is handed over: the target would
    /// have more to catch up with, and the end could take its vote away. Then the next leader ends it, or this one when it stays.
    mutating func leaveJointIfDue() { if settings.leavesJointAtOnce { leaveJoint() } }

    /// As by itself, for a driver that has more to wait for. Without effect where there is nothing to leave, or it is not time yet.
    package mutating func leaveJoint() {
        guard role == .leader, transferTarget == nil, configuration.isJoint, configuration.autoLeave,
            log.applied >= pendingChangeIndex
        else { return }
        appendChange(ConfigurationChange.leaveJoint.encoded())
    }

    /// Another member says that this node was removed. One that has been added again since then knows better.
    mutating func learnRemoval(since index: LogIndex) {
        guard index > log.applied || peerPosition(id) == nil else { return }
        isRemoved = true
        becomeFollower(term: term, leader: nil)
    }
}
