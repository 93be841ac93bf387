extension RaftCore {
    /// Takes a message from another node.
    ///
    /// - Throws: `MessageError` for one that no correct node sends; nothing has changed then.
    package mutating func step(_ message: Message) throws(MessageError) {
        try validate(message)
        // A leader that counts this node in again knows better than who said that it was removed.
        if message.isFromLeader, message.term >= term { isRemoved = false }
        if case .vote = message.body, let removal = removedMembers.first(where: { $0.node == message.from }),
            !isReturning(message.from)
        {
            ready.messages.append(Message(from: id, to: message.from, term: term, .removed(since: removal.since)))
            return
        }
        if case .removed(let since) = message.body {
            learnRemoval(since: since)
            return
        }
        guard meetTerm(of: message) else { return }
        switch message.body {
        case .vote(let request): receiveVoteRequest(request, message)
        case .voteResponse(let response):
            // Rehearsals of an earlier campaign say nothing about this one's voters.
            let isOfThisCampaign = !response.isPreVote || !response.isGranted || message.term == term.next
            if isOfThisCampaign { receiveVote(from: message.from, response) }
        case .append(let request): receiveAppend(request, from: message.from)
        case .heartbeat(let heartbeat): receiveHeartbeat(heartbeat, from: message.from)
        case .snapshot(let mark): receiveSnapshot(mark, from: message.from)
        case .appendResponse(let response):
            if role == .leader { receiveAppendResponse(response, from: message.from) }
        case .heartbeatResponse(let response):
            if role == .leader { receiveHeartbeatResponse(response, from: message.from) }
        case .timeoutNow:
            // Only from the leader, who may hand over without a rehearsal.
            if role == .follower, leader == message.from || leader == nil { campaign(.transfer) }
        case .readIndex(let position):
            if role == .leader, peerPosition(message.from) != nil { reads.add(remote: message.from, position: position) }
        case .readIndexResponse(let position, let index):
            if leader == message.from { confirmForwardedReads(upTo: position, index: index) }
        case .removed: break
        }
    }

    // MARK: Terms

    /// Brings the terms together. - Returns: false if the message has nothing more to say.
    private mutating func meetTerm(of message: Message) -> Bool {
        if message.term > term { return meetLaterTerm(of: message) }
        if message.term < term {
            meetEarlierTerm(of: message)
            return false
        }
        return true
    }

    private mutating func meetLaterTerm(of message: Message) -> Bool {
        switch message.body {
        case .vote(let request):
            // Who hears from a leader helps nobody to disturb it (thesis, 4.2.3).
            let hearsLeader =
                settings.checksQuorum && leader != nil && electionElapsed < settings.electionTicks
                && !settings.mutations.contains(.helpsDisturbers)
            if hearsLeader, !request.isTransfer { return false }
            if request.isPreVote { return true }
        case .voteResponse(let response) where response.isPreVote && response.isGranted:
            // The term that this node would campaign for.
            return true
        default: break
        }
        becomeFollower(term: message.term, leader: message.isFromLeader ? message.from : nil)
        return true
    }

    private mutating func meetEarlierTerm(of message: Message) {
        switch message.body {
        case .appendResponse(let response) where settings.mutations.contains(.countsEarlierTerms):
            if role == .leader { receiveAppendResponse(response, from: message.from) }
        case .append, .heartbeat, .snapshot:
            // A leader that was cut off must learn of the new term although nobody votes for whom it disturbs.
            if settings.checksQuorum || settings.usesPreVote {
                send(.appendResponse(AppendResponse(index: .zero)), to: message.from)
            }
        case .vote(let request) where request.isPreVote:
            send(.voteResponse(VoteResponse(isPreVote: true, isGranted: false)), to: message.from)
        default: break
        }
    }
}

extension Message {
    /// Only leaders send these.
    fileprivate var isFromLeader: Bool {
        switch body {
        case .append, .heartbeat, .snapshot: true
        case .appendResponse, .heartbeatResponse, .vote, .voteResponse, .timeoutNow, .readIndex, .readIndexResponse, .removed:
            false
        }
    }
}
