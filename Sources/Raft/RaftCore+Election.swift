extension RaftCore {
    enum CampaignKind {
        case preVote, vote, transfer
    }

    // MARK: Time

    /// One tick of the driver's clock has passed.
    package mutating func tick() {
        electionElapsed += 1
        retryFruitlessFetches()
        if role == .leader {
            tickLeader()
            return
        }
        if let countdown = fastCampaignCountdown {
            fastCampaignCountdown = countdown - 1
            if countdown <= 1 { fastCampaign() }
        } else if isPromotable, electionElapsed >= randomizedElectionTicks {
            electionElapsed = 0
            campaign()
        }
    }

    private mutating func tickLeader() {
        heartbeatElapsed += 1
        if electionElapsed >= settings.electionTicks {
            electionElapsed = 0
            if settings.checksQuorum, !isQuorumActive {
                becomeFollower(term: term, leader: nil)
                return
            }
            for position in peers.indices where peers[position].node != id && settings.checksQuorum {
                peers[position].isActive = false
            }
            // A target that did not make it within an election timeout: proposals go on (thesis, 3.10).
            endTransfer()
        }
        if heartbeatElapsed >= settings.heartbeatTicks {
            heartbeatElapsed = 0
            broadcastHeartbeat()
        }
    }

    private var isQuorumActive: Bool {
        configuration.quorum.vote { node in
            node == id || peers.contains { $0.node == node && $0.isActive }
        } == .won
    }

    mutating func resetElectionTimer() {
        electionElapsed = 0
        randomizedElectionTicks = settings.electionTicks + random.next(in: 0...max(0, settings.electionTicks - 1))
    }

    /// For tests that decide who campaigns first.
    package mutating func setRandomizedElectionTicks(_ ticks: Int) {
        randomizedElectionTicks = ticks
    }

    // MARK: Lost connections

    /// The control connection to a peer was closed by its end: if that was the leader, its process is gone, and there is no reason to
    /// wait for an election timeout. (A follower that still hears it refuses its vote, so that a broken link elects nobody.)
    package mutating func connectionLost(to node: NodeID) {
        guard role == .follower, leader == node else { return }
        forgetLeader()
        fastCampaignCountdown = random.next(in: settings.fastCampaignTicks)
        if fastCampaignCountdown == 0 { fastCampaign() }
    }

    /// A campaign soon, and another one soon after it as long as nothing is decided.
    private mutating func fastCampaign() {
        guard isPromotable, leader == nil else {
            fastCampaignCountdown = nil
            return
        }
        campaign()
        if role != .leader { fastCampaignCountdown = random.next(in: settings.fastRetryTicks) }
    }

    /// Believe in no leader until one is heard of; votes are possible again then.
    package mutating func forgetLeader() {
        guard role == .follower, leader != nil else { return }
        leader = nil
        failReads()
    }

    // MARK: Roles

    mutating func becomeFollower(term newTerm: Term, leader newLeader: NodeID?) {
        reset(term: newTerm)
        role = .follower
        leader = newLeader
    }

    private mutating func reset(term newTerm: Term) {
        if newTerm != term {
            term = newTerm
            vote = nil
        }
        failReads()
        leader = nil
        votes = []
        transferTarget = nil
        fastCampaignCountdown = nil
        pendingChangeIndex = .zero
        leavingIndex = nil
        uncommittedByteCount = 0
        heartbeatElapsed = 0
        resetElectionTimer()
        for position in peers.indices {
            let node = peers[position].node
            peers[position] = Progress(node, isLearner: peers[position].isLearner, next: log.lastIndex.next)
            if node == id { peers[position].match = log.durable }
        }
    }

    private mutating func becomeLeader() {
        precondition(role == .candidate, "only a candidate can be elected")
        reset(term: term)
        role = .leader
        leader = id
        if let position = peerPosition(id) {
            peers[position].becomeReplicate()
            peers[position].isActive = true
        }
        // There may be a change among the entries that are not applied; not looking for it costs a little patience.
        pendingChangeIndex = log.lastIndex
        noteLeaving()
        // What the term begins with: earlier entries are committed with it (Raft paper, section 8).
        appendOwnEntry(.normal, [])
        broadcastAppend()
    }

    // MARK: Campaigns

    /// Campaigns now, rehearsed if that is the setting. Nothing happens on a leader or on a node that cannot be elected.
    package mutating func campaign() {
        campaign(settings.usesPreVote && !settings.mutations.contains(.campaignsUnrehearsed) ? .preVote : .vote)
    }

    mutating func campaign(_ kind: CampaignKind) {
        guard role != .leader, isPromotable else { return }
        // A committed change that is not applied might make this node count with the wrong voters.
        let change = settings.mutations.contains(.ignoresUnappliedChanges) ? nil : log.firstChange(after: log.applied)
        if let change, change <= log.commit { return }
        let campaignTerm = term.next
        let countdown = fastCampaignCountdown
        if kind == .preVote {
            role = .preCandidate
            votes = []
            leader = nil
            failReads()
        } else {
            reset(term: campaignTerm)
            fastCampaignCountdown = countdown
            role = .candidate
            vote = id
        }
        let isPreVote = kind == .preVote
        send(.voteResponse(VoteResponse(isPreVote: isPreVote, isGranted: true)), to: id, term: campaignTerm)
        let request = VoteRequest(
            lastIndex: log.lastIndex, lastTerm: log.lastTerm, priority: settings.priority, isPreVote: isPreVote,
            isTransfer: kind == .transfer)
        var voters: [NodeID] = []
        for electorate in electorates {
            for voter in electorate.incoming.voters + electorate.outgoing.voters { voters.insertSorted(voter) }
        }
        for voter in voters where voter != id { send(.vote(request), to: voter, term: campaignTerm) }
    }

    // MARK: Votes

    mutating func receiveVoteRequest(_ request: VoteRequest, _ message: Message) {
        // A learner by its own log votes too: it may be a voter by now, and the candidate knows (thesis, 4.2.2).
        let isFree =
            vote == message.from || (vote == nil && leader == nil) || (request.isPreVote && message.term > term)
            || settings.mutations.contains(.votesTwice)
        let isUpToDate =
            settings.mutations.contains(.votesForShortLogs)
            || log.isUpToDate(lastIndex: request.lastIndex, lastTerm: request.lastTerm)
        let isAsked = configuration.hasVoter(id) || !settings.mutations.contains(.refusesAsLearner)
        guard isFree, isUpToDate, isAsked, !isPreferred(to: request) else {
            send(.voteResponse(VoteResponse(isPreVote: request.isPreVote, isGranted: false)), to: message.from)
            return
        }
        if !request.isPreVote {
            electionElapsed = 0
            vote = message.from
        }
        send(.voteResponse(VoteResponse(isPreVote: request.isPreVote, isGranted: true)), to: message.from, term: message.term)
    }

    /// Of two equal logs the one of the node with the higher priority should lead.
    private func isPreferred(to request: VoteRequest) -> Bool {
        settings.priority > request.priority && isPromotable && !request.isTransfer && request.lastIndex == log.lastIndex
            && request.lastTerm == log.lastTerm
    }

    mutating func receiveVote(from node: NodeID, _ response: VoteResponse) {
        guard response.isPreVote ? role == .preCandidate : role == .candidate else { return }
        if !votes.contains(where: { $0.node == node }) { votes.append((node, response.isGranted)) }
        let results = electorates.map { $0.vote { voter in votes.first { $0.node == voter }?.isGranted } }
        if results.contains(.lost) {
            loseCampaign()
        } else if results.allSatisfy({ $0 == .won }), hasOwnVote || settings.mutations.contains(.leadsBeforeOwnVote) {
            if role == .preCandidate { campaign(.vote) } else { becomeLeader() }
        }
    }

    /// Its term is durable. Without that, a leader that crashes could be elected in the same term again, and lead it with another log.
    private var hasOwnVote: Bool { votes.contains { $0.node == id } }

    private mutating func loseCampaign() {
        let countdown = fastCampaignCountdown
        becomeFollower(term: term, leader: nil)
        fastCampaignCountdown = countdown
    }

    /// All of these must elect this node: the configuration in force, and those that the changes in its log would make. One of
    /// them may be in force elsewhere already.
    var electorates: [JointQuorum] {
        if settings.mutations.contains(.ignoresUnappliedChanges) { return [electorate] }
        return [electorate] + configurationsToCome.map(quorum)
    }

    /// Whose votes and acknowledgements count.
    var electorate: JointQuorum { quorum(of: configuration) }

    private func quorum(of configuration: Configuration) -> JointQuorum {
        guard !settings.mutations.isDisjoint(with: [.ignoresOutgoingHalf, .countsLearners]) else { return configuration.quorum }
        var configuration = configuration
        if settings.mutations.contains(.ignoresOutgoingHalf) { configuration.outgoingVoters = [] }
        if settings.mutations.contains(.countsLearners) { configuration.voters = configuration.members }
        return configuration.quorum
    }
}
