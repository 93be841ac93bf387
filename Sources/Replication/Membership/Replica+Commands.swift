import Raft

/// Commands of operators, which any node takes: those that only the leader can carry out are forwarded to it.
extension Replica {
    // MARK: Asked here

    /// - Parameter deadline: when the caller is told that it is not known what became of it.
    mutating func ask(_ token: RequestToken, _ command: OperatorCommand, deadline: ClockReading) {
        guard isMember, genesis != nil else {
            effects.append(.completeCommand(token, .refused(.notLeader(nil))))
            return
        }
        var entry = CommandBook.Asked(token: token, command: command, deadline: deadline)
        if command == .takeSnapshot { entry.standing = .here }
        guard commands.add(entry) else {
            effects.append(.completeCommand(token, .refused(.busy)))
            return
        }
        if command == .takeSnapshot { take(command, .asked(token)) } else { give(token) }
    }

    /// Gives it to the leader, if there is one.
    private mutating func give(_ token: RequestToken) {
        guard var entry = commands[token], case .waiting = entry.standing else { return }
        if isLeader {
            entry.standing = .here
            commands[token] = entry
            take(entry.command, .asked(token))
        } else if let leader = core.leader {
            let sent = CommandBook.Sent(number: commands.nextNumber(), leader: leader, term: core.term, at: now)
            entry.standing = .sent(sent)
            commands[token] = entry
            send(entry.command, sent)
        }
    }

    private mutating func send(_ command: OperatorCommand, _ sent: CommandBook.Sent) {
        send(
            .command(CommandRequest(term: sent.term, start: start, number: sent.number, command: command)), to: sent.leader)
    }

    mutating func tickCommands() {
        for entry in commands.asked {
            guard entry.deadline > now else {
                expire(entry)
                continue
            }
            switch entry.standing {
            case .here: break
            case .waiting: give(entry.token)
            case .sent(var sent):
                if let lostAt = sent.lostAt {
                    if now.milliseconds(since: lostAt) >= settings.retryMilliseconds { lose(entry) }
                } else if now.milliseconds(since: sent.at) >= settings.retryMilliseconds {
                    // It, or its answer, was lost; or it takes its time.
                    sent.at = now
                    commands[entry.token]?.standing = .sent(sent)
                    send(entry.command, sent)
                }
            }
        }
    }

    private mutating func expire(_ entry: CommandBook.Asked) {
        commands[entry.token] = nil
        let outcome: CommandOutcome =
            switch entry.standing {
            case .waiting: .refused(.notLeader(nil))
            case .here: abandonTransferOfLeadership(of: .asked(entry.token)).map(CommandOutcome.refused) ?? .unknown(.timedOut)
            case .sent: .unknown(.timedOut)
            }
        effects.append(.completeCommand(entry.token, outcome))
    }

    /// The leader that it was sent to is none any more, and has not answered. What it did may be seen all the same.
    private mutating func lose(_ entry: CommandBook.Asked) {
        if isReached(entry.command) {
            commands[entry.token] = nil
            effects.append(.completeCommand(entry.token, .done))
            return
        }
        switch entry.command {
        case .verify:
            // It has changed nothing.
            commands[entry.token]?.standing = .waiting
            give(entry.token)
        case .transferLeadership where core.leader != nil:
            commands[entry.token] = nil
            effects.append(.completeCommand(entry.token, .refused(.notTakenOver)))
        case .transferLeadership, .add, .remove, .replace, .changeAddress, .takeSnapshot:
            commands[entry.token] = nil
            effects.append(.completeCommand(entry.token, .unknown(.leadershipLost)))
        }
    }

    /// What it asks for is so, as of the entries that are applied here.
    private func isReached(_ command: OperatorCommand) -> Bool {
        let configuration = core.configuration
        switch command {
        case .add(let node, _): return !configuration.isJoint && configuration.voters.hasSorted(node)
        case .remove(let node, _): return !configuration.isJoint && !configuration.members.hasSorted(node)
        case .replace(let old, let new, _):
            return !configuration.isJoint && configuration.voters.hasSorted(new) && !configuration.members.hasSorted(old)
        case .changeAddress(let node, let address): return members.member(node)?.address == address
        case .transferLeadership(let target): return core.leader == target
        case .verify, .takeSnapshot: return false
        }
    }

    /// Role, term or leader is another one.
    mutating func standingChangedForCommands() {
        if !isLeader { commands.forgetServed() }
        for entry in commands.asked {
            switch entry.standing {
            case .here: break
            case .waiting: give(entry.token)
            case .sent(var sent):
                if sent.term == core.term, core.leader == sent.leader {
                    // It was not heard for a while, and is there again.
                    guard sent.lostAt != nil else { continue }
                    sent.lostAt = nil
                    commands[entry.token]?.standing = .sent(sent)
                } else if case .transferLeadership(let target) = entry.command, core.leader == target {
                    lose(entry)
                } else if sent.lostAt == nil {
                    sent.lostAt = now
                    commands[entry.token]?.standing = .sent(sent)
                }
            }
        }
    }

    // MARK: Outcomes

    /// Whoever asked for a command is told what has become of it. Nil: nobody did.
    mutating func tell(_ caller: CommandCaller?, _ outcome: CommandOutcome) {
        switch caller {
        case nil: break
        case .driver(let token): effects.append(.completeCommand(token, outcome))
        case .asked(let token): answered(token, outcome)
        case .peer(let node, let start, let number):
            let outcome = outcome.forPeers
            commands.answered(node, start: start, number: number, outcome)
            send(.commandAnswer(CommandAnswer(start: start, number: number, outcome: outcome)), to: node)
        }
    }

    /// Late ones find nobody.
    private mutating func answered(_ token: RequestToken, _ outcome: CommandOutcome) {
        guard commands[token] != nil else { return }
        if case .refused(.notLeader) = outcome {
            // Nothing has changed: whoever leads next may be asked. Not at once, or two nodes could send it to and fro.
            commands[token]?.standing = .waiting
            return
        }
        commands[token] = nil
        effects.append(.completeCommand(token, outcome))
    }

    mutating func receive(_ answer: CommandAnswer, from sender: NodeID) {
        guard answer.start == start, let entry = commands.sent(answer.number), case .sent(let sent) = entry.standing,
            sent.leader == sender
        else { return }
        answered(entry.token, answer.outcome)
    }

    // MARK: Of others

    mutating func receive(_ request: CommandRequest, from sender: NodeID) {
        let caller = CommandCaller.peer(sender, start: request.start, number: request.number)
        guard isLeader, request.term == core.term else {
            // Whoever does not lead that term now never will again: it will not be taken.
            tell(caller, .refused(.notLeader(core.leader)))
            return
        }
        guard core.configuration.members.hasSorted(sender) else {
            tell(caller, .refused(.notMember(sender)))
            return
        }
        switch commands.take(from: sender, start: request.start, number: request.number) {
        case .new: take(request.command, caller)
        case .known: break
        case .answered(let outcome): tell(caller, outcome)
        case .full: tell(caller, .refused(.busy))
        }
    }

    // MARK: The end

    mutating func endAskedCommands(_ reason: StopReason) {
        for entry in commands.asked {
            commands[entry.token] = nil
            let outcome: CommandOutcome =
                switch (entry.standing, entry.command) {
                // Whoever removed this node has nobody to tell.
                case (.sent, .remove(node, _)) where reason == .removed: .done
                case (.sent, _), (.here, _): .unknown(.stopped(reason))
                case (.waiting, _): .refused(.stopped(reason))
                }
            effects.append(.completeCommand(entry.token, outcome))
        }
    }
}
