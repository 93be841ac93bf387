import Raft

/// The leader's side of writes: forwards of the others, and what their nodes wait for.
extension Replica {
    mutating func receive(_ forward: Forward, from sender: NodeID) {
        guard isLeader, forward.term == core.term else {
            // Whoever was not the leader of that term any more when a forward came will never be again: the answer is final.
            answer(forward, .refused(.notLeader), to: sender)
            return
        }
        // Late or repeated: the first one had its answer.
        guard forwards.take(from: sender, start: forward.start, sequence: forward.sequence) else { return }
        guard core.configuration.members.hasSorted(sender) else {
            answer(forward, .refused(.notMember), to: sender)
            return
        }
        guard !forward.commands.isEmpty, forward.commands.allSatisfy({ isOwn($0, of: sender) }) else {
            effects.append(.note(.malformedForward(from: sender)))
            answer(forward, .refused(.malformed), to: sender)
            return
        }
        do throws(ProposalRefusal) {
            let place = try core.propose(forward.commands.map(\.payload))
            note(forward.commands, at: place.first, of: sender)
            answer(forward, .appended(first: place.first), to: sender)
        } catch { answer(forward, .refused(ForwardAnswer.Refusal(error)), to: sender) }
    }

    private mutating func answer(_ forward: Forward, _ result: ForwardAnswer.Result, to sender: NodeID) {
        send(
            .forwardAnswer(
                ForwardAnswer(term: forward.term, start: forward.start, sequence: forward.sequence, result: result)),
            to: sender)
    }

    /// What is in the log must be a command on every replica; a node speaks only for its own session.
    private func isOwn(_ command: ForwardedCommand, of sender: NodeID) -> Bool {
        do throws(DecodingFault) {
            switch try Command(decoding: command.payload) {
            case .openSession(let session): return session.node == sender
            case .operation(let operation): return operation.session.node == sender
            case .expireSession, .raiseVersion, .settleRestores: return false
            }
        } catch { return false }
    }

    /// Who has proposed these waits for more than a majority, or for less.
    mutating func note(_ commands: [ForwardedCommand], at first: LogIndex, of proposer: NodeID) {
        for (offset, command) in commands.enumerated() {
            switch command.level {
            case .majority: break
            case .all: forwards.interest(proposer, everywhere: first + offset)
            case .eventual: forwards.interest(proposer, durable: first + offset)
            }
        }
    }

    mutating func receive(_ request: AwaitProgress, from sender: NodeID) {
        guard isLeader, request.term == core.term, request.everywhere <= core.lastIndex else { return }
        // It may have been told, and the message lost.
        if let place = forwards.interests.firstIndex(where: { $0.node == sender }) {
            forwards.interests[place].toldEverywhere = .zero
        }
        forwards.interest(sender, everywhere: request.everywhere)
    }

    /// Tells those who wait how far their entries have come.
    mutating func tellProgress() {
        guard isLeader, !forwards.interests.isEmpty else { return }
        let durable = core.durable
        let everywhere = everywhereIndex
        for place in forwards.interests.indices {
            let interest = forwards.interests[place]
            let isNews =
                min(durable, interest.durable) > interest.toldDurable
                || min(everywhere, interest.everywhere) > interest.toldEverywhere
            guard isNews else { continue }
            forwards.interests[place].toldDurable = durable
            forwards.interests[place].toldEverywhere = everywhere
            let progress = LeaderProgress(term: core.term, durable: durable, everywhere: everywhere)
            if interest.node == node { progressed(progress) } else { send(.progress(progress), to: interest.node) }
        }
        forwards.interests.removeAll { $0.everywhere <= $0.toldEverywhere && $0.durable <= $0.toldDurable }
    }

    /// Committed, and durable on every voter of both halves.
    private var everywhereIndex: LogIndex {
        let configuration = core.configuration
        var index = core.commit
        for voter in configuration.voters + configuration.outgoingVoters {
            index = min(index, core.progress(of: voter)?.match ?? .zero)
        }
        return index
    }
}

extension ForwardAnswer.Refusal {
    init(_ refusal: ProposalRefusal) {
        switch refusal {
        case .notLeader, .removed: self = .notLeader
        case .transferring: self = .transferring
        case .tooMuchUncommitted: self = .overloaded
        case .tooLarge: self = .tooLarge
        }
    }
}
