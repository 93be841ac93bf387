import Metadata
import Raft

extension [UInt8] {
    mutating func append(_ message: PeerMessage) {
        switch message {
        case .raft(let term, let body): append(body, term)
        case .forward(let forward): append(forward)
        case .forwardAnswer(let answer): append(answer)
        case .progress(let progress):
            append(.progress)
            appendLittleEndian(progress.term.rawValue)
            appendLittleEndian(progress.durable.rawValue)
            appendLittleEndian(progress.everywhere.rawValue)
        case .awaitProgress(let request):
            append(.awaitProgress)
            appendLittleEndian(request.term.rawValue)
            appendLittleEndian(request.everywhere.rawValue)
        case .snapshotOffer(let offer): append(offer)
        case .snapshotRequest(let request):
            append(.snapshotRequest)
            append(request.id)
            appendLittleEndian(request.chunk)
        case .snapshotChunk(let chunk):
            append(.snapshotChunk)
            append(chunk.id)
            appendLittleEndian(chunk.number)
            appendLittleEndian(chunk.checksum)
            appendBlob(chunk.bytes)
        case .snapshotAnswer(let answer):
            append(.snapshotAnswer)
            append(answer.id)
            append(answer.result.rawValue)
        case .formation(let report): append(report)
        case .status(let status):
            append(.status)
            appendLittleEndian(status.version.rawValue)
            appendLittleEndian(status.applied.rawValue)
            append(status.isEmpty ? 1 : 0)
            appendLittleEndian(status.bodies.lackingCount ?? .max)
            appendLittleEndian(status.bodies.lackingByteCount)
            appendLittleEndian(status.bodies.index.rawValue)
        case .refusal(let refusal):
            append(.refusal)
            append(refusal.rawValue)
        case .command(let request): append(request)
        case .commandAnswer(let answer): append(answer)
        case .digestRequest(let request): append(request)
        case .digestAnswer(let answer): append(answer)
        }
    }

    private mutating func append(_ kind: PeerMessage.Kind) {
        append(kind.rawValue)
    }

    private mutating func append(_ id: SnapshotID) {
        appendLittleEndian(id.index.rawValue)
        appendLittleEndian(id.term.rawValue)
        appendLittleEndian(id.fingerprint)
    }

    // MARK: Raft

    private mutating func append(_ body: Message.Body, _ term: Term) {
        switch body {
        case .append(let request):
            beginRaft(.append, term)
            append(request)
        case .appendResponse(let response):
            beginRaft(.appendResponse, term)
            appendLittleEndian(response.index.rawValue)
            append(response.rejection == nil ? 0 : 1)
            if let rejection = response.rejection {
                appendLittleEndian(rejection.hintIndex.rawValue)
                appendLittleEndian(rejection.hintTerm.rawValue)
            }
        case .heartbeat(let heartbeat):
            beginRaft(.heartbeat, term)
            appendLittleEndian(heartbeat.commit.rawValue)
            appendLittleEndian(heartbeat.readPosition)
        case .heartbeatResponse(let response):
            beginRaft(.heartbeatResponse, term)
            appendLittleEndian(response.readPosition)
        case .vote(let request):
            beginRaft(.vote, term)
            appendLittleEndian(request.lastIndex.rawValue)
            appendLittleEndian(request.lastTerm.rawValue)
            appendLittleEndian(Int64(request.priority))
            append((request.isPreVote ? 1 : 0) | (request.isTransfer ? 2 : 0))
        case .voteResponse(let response):
            beginRaft(.voteResponse, term)
            append((response.isPreVote ? 1 : 0) | (response.isGranted ? 2 : 0))
        case .snapshot: preconditionFailure("snapshots are offered, not sent")
        case .timeoutNow: beginRaft(.timeoutNow, term)
        case .readIndex(let position):
            beginRaft(.readIndex, term)
            appendLittleEndian(position)
        case .readIndexResponse(let position, let index):
            beginRaft(.readIndexResponse, term)
            appendLittleEndian(position)
            appendLittleEndian(index.rawValue)
        case .removed(let since):
            beginRaft(.removed, term)
            appendLittleEndian(since.rawValue)
        }
    }

    private mutating func beginRaft(_ kind: PeerMessage.Kind, _ term: Term) {
        append(kind)
        appendLittleEndian(term.rawValue)
    }

    private mutating func append(_ request: AppendRequest) {
        appendLittleEndian(request.previousIndex.rawValue)
        appendLittleEndian(request.previousTerm.rawValue)
        appendLittleEndian(request.commit.rawValue)
        appendLittleEndian(UInt32(request.entries.count))
        for entry in request.entries {
            appendLittleEndian(entry.term.rawValue)
            append(entry.type.rawValue)
            appendBlob(entry.payload)
        }
    }

    // MARK: Forwards

    private mutating func append(_ forward: Forward) {
        append(.forward)
        appendLittleEndian(forward.term.rawValue)
        appendLittleEndian(forward.start)
        appendLittleEndian(forward.sequence)
        appendLittleEndian(UInt32(forward.commands.count))
        for command in forward.commands {
            append(command.level.rawValue)
            appendBlob(command.payload)
        }
    }

    private mutating func append(_ answer: ForwardAnswer) {
        append(.forwardAnswer)
        appendLittleEndian(answer.term.rawValue)
        appendLittleEndian(answer.start)
        appendLittleEndian(answer.sequence)
        switch answer.result {
        case .appended(let first):
            append(0)
            appendLittleEndian(first.rawValue)
        case .refused(let refusal): append(refusal.rawValue)
        }
    }

    // MARK: Snapshots, formation

    private mutating func append(_ offer: SnapshotOffer) {
        append(.snapshotOffer)
        appendLittleEndian(offer.term.rawValue)
        appendLittleEndian(offer.mark.index.rawValue)
        appendLittleEndian(offer.mark.term.rawValue)
        append(offer.mark.configuration)
        appendLittleEndian(offer.fingerprint)
        appendLittleEndian(offer.byteCount)
        appendLittleEndian(offer.chunkByteCount)
        appendLittleEndian(offer.version.rawValue)
    }

    private mutating func append(_ report: FormationReport) {
        append(.formation)
        appendLittleEndian(report.configurationFingerprint)
        switch report.standing {
        case .empty(let seen):
            append(0)
            appendLittleEndian(UInt16(seen.count))
            for founder in seen {
                append(founder.identity)
                appendLittleEndian(founder.start)
            }
        case .member(let genesis):
            append(1)
            append(genesis)
        }
    }
}
