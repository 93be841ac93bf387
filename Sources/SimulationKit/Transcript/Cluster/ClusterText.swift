import Raft

// How scripts show what a cluster says and holds.

extension Role {
    var word: String {
        switch self {
        case .follower: "follower"
        case .preCandidate: "pre-candidate"
        case .candidate: "candidate"
        case .leader: "leader"
        }
    }

    /// `StateLeader`.
    var stateName: String {
        switch self {
        case .follower: "StateFollower"
        case .preCandidate: "StatePreCandidate"
        case .candidate: "StateCandidate"
        case .leader: "StateLeader"
        }
    }
}

extension Progress {
    /// `2: StateReplicate match=11 next=12 learner paused pendingSnap=11 inactive inflight=3[full]`.
    func text(_ settings: RaftSettings) -> String {
        let name =
            switch state {
            case .probe: "StateProbe"
            case .replicate: "StateReplicate"
            case .snapshot: "StateSnapshot"
            }
        var text = "\(node): \(name) match=\(match) next=\(next)"
        if isLearner { text += " learner" }
        if isPaused { text += " paused" }
        if let pendingSnapshot { text += " pendingSnap=\(pendingSnapshot)" }
        if !isActive { text += " inactive" }
        if inflights.count > 0 { text += " inflight=\(inflights.count)\(inflights.isFull(settings) ? "[full]" : "")" }
        return text
    }
}

extension [UInt8] {
    /// `"foo"`: printable ASCII as it is.
    var quoted: String {
        let digits = [Character]("0123456789abcdef")
        var text = "\""
        for byte in self {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): text += "\\" + String(UnicodeScalar(byte))
            case 0x20..<0x7f: text += String(UnicodeScalar(byte))
            default: text += "\\x" + String([digits[Int(byte >> 4)], digits[Int(byte & 15)]])
            }
        }
        return text + "\""
    }
}

extension ConfigurationChange {
    /// The context of a change in the older of the two forms that scripts know.
    static let firstVersionContext = Array("v1".utf8)

    /// `EntryConfChangeV2 v1 l2`.
    var text: String {
        let name = context == Self.firstVersionContext ? "EntryConfChange" : "EntryConfChangeV2"
        return ([name] + steps.map(\.text)).joined(separator: " ")
    }
}

extension Entry {
    /// `1/4 EntryNormal "foo"`.
    var text: String {
        switch type {
        case .normal: return "\(term)/\(index) EntryNormal \(payload.quoted)"
        case .configurationChange:
            let change = try? ConfigurationChange(decoding: payload)
            return "\(term)/\(index) \(change?.text ?? "EntryConfChangeV2 \(payload.quoted)")"
        }
    }
}

extension SnapshotMark {
    var text: String { "Index:\(index) Term:\(term) \(configuration.summary)" }
}

extension [Entry] {
    /// In brackets, below each other if there are several.
    fileprivate var text: String {
        count == 1 ? "[\(self[0].text)]" : "[\n" + map { "  \($0.text)\n" }.joined() + "]"
    }
}

extension Message.Body {
    var name: String {
        switch self {
        case .append: "MsgApp"
        case .appendResponse: "MsgAppResp"
        case .heartbeat: "MsgHeartbeat"
        case .heartbeatResponse: "MsgHeartbeatResp"
        case .vote(let request): request.isPreVote ? "MsgPreVote" : "MsgVote"
        case .voteResponse(let response): response.isPreVote ? "MsgPreVoteResp" : "MsgVoteResp"
        case .snapshot: "MsgSnap"
        case .timeoutNow: "MsgTimeoutNow"
        case .readIndex: "MsgReadIndex"
        case .readIndexResponse: "MsgReadIndexResp"
        case .removed: "MsgRemoved"
        }
    }

    /// It says what must be durable first.
    var isPromise: Bool {
        switch self {
        case .appendResponse, .voteResponse: true
        case .append, .heartbeat, .heartbeatResponse, .vote, .snapshot, .timeoutNow, .readIndex, .readIndexResponse, .removed:
            false
        }
    }

    fileprivate var details: String {
        func position(_ position: UInt64) -> String { position == 0 ? "" : " Read:\(position)" }
        switch self {
        case .append(let request):
            let entries = request.entries.isEmpty ? "" : " Entries:\(request.entries.text)"
            return " Log:\(request.previousTerm)/\(request.previousIndex) Commit:\(request.commit)\(entries)"
        case .appendResponse(let response):
            guard let rejection = response.rejection else { return " Log:0/\(response.index)" }
            return " Log:\(rejection.hintTerm)/\(response.index) Rejected (Hint: \(rejection.hintIndex))"
        case .heartbeat(let heartbeat): return " Commit:\(heartbeat.commit)\(position(heartbeat.readPosition))"
        case .heartbeatResponse(let response): return position(response.readPosition)
        case .vote(let request):
            return " Log:\(request.lastTerm)/\(request.lastIndex)\(request.isTransfer ? " Transfer" : "")"
        case .voteResponse(let response): return response.isGranted ? "" : " Rejected"
        case .snapshot(let mark): return " Snapshot: \(mark.text)"
        case .timeoutNow: return ""
        case .readIndex(let number): return position(number)
        case .readIndexResponse(let number, let index): return "\(position(number)) Index:\(index)"
        case .removed(let index): return " Since:\(index)"
        }
    }
}

extension Message {
    /// `1->2 MsgApp Term:1 Log:1/2 Commit:2 Entries:[1/3 EntryNormal ""]`.
    var text: String { "\(from)->\(to) \(body.name) Term:\(term)\(body.details)" }
}

extension Parcel {
    var text: String {
        switch content {
        case .message(let message, _): message.text
        case .proposal(let proposal): "\(from)->\(to) MsgProp Entries:\([proposal.entry].text)"
        case .transfer(let target): "\(from)->\(to) MsgTransferLeader to \(target)"
        case .written: "AppendThread->\(to) MsgStorageAppendResp"
        case .applied(let index): "ApplyThread->\(to) MsgStorageApplyResp Log:0/\(index)"
        }
    }
}

extension LogAppend {
    /// Below a headline, or to the log's thread.
    func write(to output: inout TranscriptOutput) {
        if let hardState {
            let vote = hardState.vote.map { " Vote:\($0)" } ?? ""
            output.line("HardState Term:\(hardState.term)\(vote) Commit:\(hardState.commit)")
        }
        if let snapshot { output.line("Snapshot \(snapshot.text)") }
        if !entries.isEmpty {
            output.line("Entries:")
            for entry in entries { output.line(entry.text) }
        }
    }
}
