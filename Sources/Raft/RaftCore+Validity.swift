/// What a message must be before it may change anything. Some of it is in the message alone, some compares it with what is known here.
extension RaftCore {
    func validate(_ message: Message) throws(MessageError) {
        guard message.to == id else { throw .misaddressed(to: message.to) }
        guard message.from != id, message.from.rawValue != 0 else { throw .invalidSender(message.from) }
        guard message.term <= .last else { throw .outOfRange(message.term.rawValue) }
        switch message.body {
        case .append(let request):
            try validateLeader(of: message)
            try validate(request, in: message.term)
        case .heartbeat(let heartbeat):
            try validateLeader(of: message)
            // It says what this node has acknowledged to that very leader.
            let isUnverified = settings.mutations.contains(.commitsUnverified)
            guard message.term < term || heartbeat.commit <= log.lastIndex || isUnverified else {
                throw .beyondLog(index: heartbeat.commit, last: log.lastIndex)
            }
        case .snapshot(let mark):
            try validateLeader(of: message)
            try validate(mark, in: message.term)
        case .appendResponse(let response):
            if role == .leader, message.term == term, response.rejection == nil, response.index > log.lastIndex {
                throw .beyondLog(index: response.index, last: log.lastIndex)
            }
        case .readIndexResponse(_, let index):
            guard index <= .last else { throw .outOfRange(index.rawValue) }
        case .heartbeatResponse, .vote, .voteResponse, .timeoutNow, .readIndex, .removed: break
        }
    }

    /// A term has one leader, and the first is 1.
    private func validateLeader(of message: Message) throws(MessageError) {
        guard message.term > .zero else { throw .leaderWithoutTerm(message.from) }
        guard message.term == term else { return }
        guard role != .leader, leader == nil || leader == message.from else {
            throw .secondLeader(message.from, term: term)
        }
    }

    private func validate(_ request: AppendRequest, in messageTerm: Term) throws(MessageError) {
        guard request.previousIndex <= .last else { throw .outOfRange(request.previousIndex.rawValue) }
        let isBeginning = request.previousIndex == .zero
        guard isBeginning == (request.previousTerm == .zero), request.previousTerm <= messageTerm else {
            throw .malformedEntries(first: request.previousIndex.next)
        }
        var last = (index: request.previousIndex, term: request.previousTerm)
        for entry in request.entries {
            guard entry.index == last.index.next, entry.term >= max(last.term, Term(1)), entry.term <= messageTerm else {
                throw .malformedEntries(first: request.previousIndex.next)
            }
            last = (entry.index, entry.term)
        }
        // No entry that is committed here may be another one there.
        guard messageTerm >= term, request.previousIndex <= log.commit else { return }
        try validateCommitted(request.previousIndex, request.previousTerm)
        for entry in request.entries {
            guard entry.index <= log.commit else { return }
            try validateCommitted(entry.index, entry.term)
        }
    }

    private func validate(_ mark: SnapshotMark, in messageTerm: Term) throws(MessageError) {
        guard mark.index <= .last else { throw .outOfRange(mark.index.rawValue) }
        guard mark.index > .zero, mark.term > .zero, mark.term <= messageTerm else {
            throw .malformedSnapshot(index: mark.index, term: mark.term)
        }
        if let defect = mark.configuration.defect { throw .invalidConfiguration(defect) }
        if messageTerm >= term, mark.index <= log.commit { try validateCommitted(mark.index, mark.term) }
    }

    private func validateCommitted(_ index: LogIndex, _ entryTerm: Term) throws(MessageError) {
        if let known = log.term(at: index), known != entryTerm {
            throw .contradictsCommitted(index: index, commit: log.commit)
        }
    }
}
