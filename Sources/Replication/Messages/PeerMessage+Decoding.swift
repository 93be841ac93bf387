import Raft

extension BytesReader {
    mutating func readMessage() throws(DecodingFault) -> PeerMessage {
        let code = try readUInt8()
        guard let kind = PeerMessage.Kind(rawValue: code) else { throw .unknownCode(field: "kind", code: UInt64(code)) }
        switch kind {
        case .append, .appendResponse, .heartbeat, .heartbeatResponse, .vote, .voteResponse, .timeoutNow, .readIndex,
            .readIndexResponse, .removed:
            let term = try readTerm()
            return .raft(term, try readBody(kind))
        case .forward: return .forward(try readForward())
        case .forwardAnswer: return .forwardAnswer(try readForwardAnswer())
        case .progress:
            return .progress(
                LeaderProgress(
                    term: try readTerm(), durable: try readIndex("durable"), everywhere: try readIndex("everywhere")))
        case .awaitProgress:
            return .awaitProgress(AwaitProgress(term: try readTerm(), everywhere: try readIndex("everywhere")))
        case .snapshotOffer: return .snapshotOffer(try readOffer())
        case .snapshotRequest:
            return .snapshotRequest(SnapshotRequest(id: try readSnapshotID(), chunk: try readUInt64()))
        case .snapshotChunk:
            return .snapshotChunk(
                SnapshotChunk(
                    id: try readSnapshotID(), number: try readUInt64(), checksum: try readUInt32(),
                    bytes: try readBlob("chunk", max: SnapshotChunk.byteCountMax)))
        case .snapshotAnswer:
            return .snapshotAnswer(SnapshotAnswer(id: try readSnapshotID(), result: try readCode("snapshot answer")))
        case .formation: return .formation(try readFormation())
        case .status:
            return .status(
                NodeStatus(
                    version: ClusterVersion(try readUInt32()), applied: try readIndex("applied"),
                    isEmpty: try readBool("is empty"), bodies: try readBodyReport()))
        case .refusal: return .refusal(try readCode("refusal"))
        case .command: return .command(try readCommandRequest())
        case .commandAnswer: return .commandAnswer(try readCommandAnswer())
        case .digestRequest: return .digestRequest(DigestRequest(index: try readIndex("index")))
        case .digestAnswer: return .digestAnswer(try readDigestAnswer())
        }
    }

    private mutating func readBodyReport() throws(DecodingFault) -> BodyReport {
        let count = try readUInt64()
        return BodyReport(
            lackingCount: count == .max ? nil : count, lackingByteCount: try readUInt64(), index: LogIndex(try readUInt64()))
    }

    /// One byte that is the raw value of a case.
    mutating func readCode<Code: RawRepresentable<UInt8>>(_ field: String) throws(DecodingFault) -> Code {
        let code = try readUInt8()
        guard let value = Code(rawValue: code) else { throw .unknownCode(field: field, code: UInt64(code)) }
        return value
    }

    /// 0 unless it is there.
    mutating func readOptional(_ field: String, isThere: Bool) throws(DecodingFault) -> UInt64? {
        let value = try readUInt64()
        guard isThere || value == 0 else { throw .invalid(field: field) }
        return isThere ? value : nil
    }

    private mutating func readSnapshotID() throws(DecodingFault) -> SnapshotID {
        SnapshotID(index: try readIndex("snapshot"), term: try readTerm(), fingerprint: try readUInt64())
    }

    // MARK: Raft

    /// - Precondition: a kind of the core.
    private mutating func readBody(_ kind: PeerMessage.Kind) throws(DecodingFault) -> Message.Body {
        switch kind {
        case .append: return .append(try readAppend())
        case .appendResponse:
            let index = try readIndex("index")
            guard try readBool("rejection") else { return .appendResponse(AppendResponse(index: index)) }
            let rejection = AppendResponse.Rejection(hintIndex: try readIndex("hint"), hintTerm: try readTerm())
            return .appendResponse(AppendResponse(index: index, rejection: rejection))
        case .heartbeat:
            return .heartbeat(Heartbeat(commit: try readIndex("commit"), readPosition: try readUInt64()))
        case .heartbeatResponse: return .heartbeatResponse(HeartbeatResponse(readPosition: try readUInt64()))
        case .vote:
            let last = (index: try readIndex("last"), term: try readTerm())
            let priority = Int(Int64(bitPattern: try readUInt64()))
            let flags = try readFlags("vote")
            return .vote(
                VoteRequest(
                    lastIndex: last.index, lastTerm: last.term, priority: priority, isPreVote: flags.first,
                    isTransfer: flags.second))
        case .voteResponse:
            let flags = try readFlags("vote response")
            return .voteResponse(VoteResponse(isPreVote: flags.first, isGranted: flags.second))
        case .timeoutNow: return .timeoutNow
        case .readIndex: return .readIndex(position: try readUInt64())
        case .readIndexResponse: return .readIndexResponse(position: try readUInt64(), index: try readIndex("index"))
        case .removed: return .removed(since: try readIndex("since"))
        case .forward, .forwardAnswer, .progress, .awaitProgress, .snapshotOffer, .snapshotRequest, .snapshotChunk,
            .snapshotAnswer, .formation, .status, .refusal, .command, .commandAnswer, .digestRequest, .digestAnswer:
            preconditionFailure("a kind that is not of the core")
        }
    }

    private mutating func readFlags(_ field: String) throws(DecodingFault) -> (first: Bool, second: Bool) {
        let flags = try readUInt8()
        guard flags <= 3 else { throw .unknownCode(field: field, code: UInt64(flags)) }
        return (flags & 1 != 0, flags & 2 != 0)
    }

    private mutating func readAppend() throws(DecodingFault) -> AppendRequest {
        let previous = (index: try readIndex("previous"), term: try readTerm())
        let commit = try readIndex("commit")
        let count = try readCount32("entries", max: PeerMessage.Limits.entryCountMax, elementByteCountMin: 13)
        var entries: [Entry] = []
        entries.reserveCapacity(count)
        for offset in 0..<count {
            let term = try readTerm()
            let type: EntryType = try readCode("entry type")
            let payload = try readBlob("entry", max: PeerMessage.Limits.payloadByteCountMax)
            entries.append(Entry(index: previous.index + (offset + 1), term: term, type: type, payload: payload))
        }
        return AppendRequest(previousIndex: previous.index, previousTerm: previous.term, commit: commit, entries: entries)
    }

    // MARK: Forwards

    private mutating func readForward() throws(DecodingFault) -> Forward {
        var forward = Forward(term: try readTerm(), start: try readUInt64(), sequence: try readUInt64(), commands: [])
        let count = try readCount32("commands", max: Forward.commandCountMax, elementByteCountMin: 5)
        forward.commands.reserveCapacity(count)
        for _ in 0..<count {
            let level: WriteLevel = try readCode("write level")
            let payload = try readBlob("command", max: PeerMessage.Limits.payloadByteCountMax)
            forward.commands.append(ForwardedCommand(level: level, payload: payload))
        }
        return forward
    }

    private mutating func readForwardAnswer() throws(DecodingFault) -> ForwardAnswer {
        let term = try readTerm()
        let start = try readUInt64()
        let sequence = try readUInt64()
        let code = try readUInt8()
        let result: ForwardAnswer.Result
        if code == 0 {
            result = .appended(first: try readIndex("first"))
        } else if let refusal = ForwardAnswer.Refusal(rawValue: code) {
            result = .refused(refusal)
        } else {
            throw .unknownCode(field: "forward answer", code: UInt64(code))
        }
        return ForwardAnswer(term: term, start: start, sequence: sequence, result: result)
    }

    // MARK: Snapshots, formation

    private mutating func readOffer() throws(DecodingFault) -> SnapshotOffer {
        let term = try readTerm()
        let mark = SnapshotMark(
            index: try readIndex("snapshot"), term: try readTerm(), configuration: try readConfiguration())
        return SnapshotOffer(
            term: term, mark: mark, fingerprint: try readUInt64(), byteCount: try readUInt64(),
            chunkByteCount: try readUInt32(), version: ClusterVersion(try readUInt32()))
    }

    private mutating func readFormation() throws(DecodingFault) -> FormationReport {
        let fingerprint = try readUInt64()
        let standing: FormationReport.Standing
        if try readBool("standing") {
            standing = .member(try readGenesis())
        } else {
            let count = try readCount16("founders", max: PeerMessage.Limits.founderCountMax)
            var seen: [Founder] = []
            for _ in 0..<count {
                let founder = Founder(try readIdentity("founder"), start: try readUInt64())
                if let last = seen.last, last.node >= founder.node { throw .invalid(field: "founders") }
                seen.append(founder)
            }
            standing = .empty(seen: seen)
        }
        return FormationReport(configurationFingerprint: fingerprint, standing: standing)
    }
}
