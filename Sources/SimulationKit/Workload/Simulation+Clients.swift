import KeyValueStore
import Metadata
import NIOCore
import ObjectDataStore
import Raft
import Replication

extension Simulation {
    // MARK: Calling

    func clientTurn(_ client: Int) {
        guard case .idle = workload.clients[client] else { return }
        guard !workload.isStopping else { return }
        guard let node = drawNode(), let action = workload.nextAction(of: client) else {
            return scheduleTurn(client, 20_000)
        }
        if action.isRead {
            read(action, client, node)
        } else if settings.hasBodies, action.putsBody, bodyRandom.chance(1, in: 2) {
            if !beginUpload(action, of: client, node) { scheduleTurn(client, 20_000) }
        } else {
            write(action, client, node)
        }
    }

    /// Many clients write through one node, each once: what a leader that is being cut off appends and nobody else hears of.
    func burst(on node: SimulatedNode, count: Int) {
        guard node.isUp, node.cluster != nil, workload.isSetUp, !workload.isStopping else { return }
        for number in 0..<count {
            write(.putEventually(key: "burst\(number % 4)"), workload.clients.count + number, node)
        }
    }

    private func scheduleTurn(_ client: Int, _ delayMax: Int) {
        schedule(.client(client), after: UInt64(workload.random.next(in: 500...delayMax)))
    }

    /// Mostly any node that is up, often the one that leads.
    private func drawNode() -> SimulatedNode? {
        // When all is well they know who is a member.
        let known = isHealing ? healthyMembers : nodes
        let candidates = known.filter { $0.isUp && $0.cluster != nil }
        if workload.random.chance(1, in: 3), let leader = leader() { return leader }
        return candidates.randomElement(using: &workload.random)
    }

    private func begin(_ call: Workload.Call) -> RequestToken {
        tokenCount += 1
        workload.calls[tokenCount] = call
        if workload.clients.indices.contains(call.client) { workload.clients[call.client] = .waits(tokenCount) }
        return RequestToken(tokenCount)
    }

    private func deadline(_ node: SimulatedNode) -> ClockReading {
        node.clockReading(at: now).adding(milliseconds: UInt64(workload.random.pick([150, 500, 1_500])))
    }

    /// - Parameter held: a body that was uploaded for it, and who holds it.
    func write(_ action: Action, _ client: Int, _ node: SimulatedNode, _ held: (body: StoredBody, holders: [UInt64])? = nil) {
        workload.operationCount += 1
        let number = workload.operationCount
        guard let payload = action.payload(number: number, body: held?.body) else {
            preconditionFailure("a read is no operation")
        }
        var action = action
        if case .put(let object, _, let condition) = action { action = .put(object, value: number, condition: condition) }
        var level = workload.drawLevel()
        if case .putEventually = action, workload.random.chance(1, in: 2) { level = .eventual }
        var operation = MetadataOperation(opID: number, timestamp: node.clock.wallMilliseconds(at: now), payload: payload)
        operation.bodyHolders = held?.holders ?? []
        var buffer = ByteBuffer()
        operation.encode(into: &buffer)
        let token = begin(
            Workload.Call(
                client: client, node: node.reference, action: action, invoked: now,
                committedAtCall: checker?.committed.last ?? .zero, level: level, number: number, body: held?.body))
        trace.mix(number)
        request(
            .propose(
                Proposal(token: token, operation: Array(buffer.readableBytesView), level: level, deadline: deadline(node))),
            node)
    }

    private func read(_ action: Action, _ client: Int, _ node: SimulatedNode) {
        let minimum: LogIndex = workload.random.chance(1, in: 8) ? checker?.clients.acknowledgedIndex ?? .zero : .zero
        var call = Workload.Call(
            client: client, node: node.reference, action: action, invoked: now,
            committedAtCall: checker?.committed.last ?? .zero)
        let consistency = workload.drawConsistency()
        let deadline = deadline(node)
        let token = begin(call)
        let request = ReadRequest(token: token, consistency: consistency, minimumIndex: minimum, deadline: deadline)
        call.read = request
        workload.calls[token.rawValue] = call
        self.request(.read(request), node)
    }

    /// A request reaches its node a moment later; one that is paused finds it when it goes on.
    private func request(_ event: ReplicaEvent, _ node: SimulatedNode) {
        schedule(.work(node.reference, .replica(event)), after: UInt64(workload.random.next(in: 20...200)))
    }

    // MARK: Outcomes

    private func take(_ token: RequestToken) throws(InvariantViolation) -> Workload.Call {
        guard let call = workload.calls.removeValue(forKey: token.rawValue) else {
            throw InvariantViolation(.oneEffectPerOperation, "request \(token.rawValue) is answered twice, or was never made")
        }
        // One of a burst has nothing more to do.
        guard workload.clients.indices.contains(call.client) else { return call }
        clientIsFree(call.client)
        return call
    }

    func clientIsFree(_ client: Int) {
        workload.clients[client] = .idle
        scheduleTurn(client, 30_000)
    }

    func completed(
        _ token: RequestToken, _ outcome: ProposalOutcome, _ node: SimulatedNode
    ) throws(InvariantViolation) {
        if let call = restores.calls.removeValue(forKey: token.rawValue) { return try completed(call, outcome) }
        let call = try take(token)
        try checker?.answered(call.number, outcome, level: call.level, at: now)
        switch outcome {
        case .committed(_, let result):
            statistics.acknowledgedCount += 1
            try record(call, result)
        case .accepted: break
        case .refused:
            statistics.refusedCount += 1
            if let body = call.body, let process = node.process { try discard(body, node, process) }
        case .unknown:
            statistics.unknownCount += 1
            recordUnknown(call)
        }
        if case .abandon = call.action { abandoned(node) }
    }

    /// A process is gone: its clients never learn what came of their calls.
    func loseCalls(on node: SimulatedNode) throws(InvariantViolation) {
        let lost = workload.calls.filter { $0.value.node.node == node.number && $0.value.node.life < node.life }.keys.sorted()
        for token in lost {
            let call = try take(RequestToken(token))
            if !call.action.isRead {
                try checker?.clients.answer(call.number)
                statistics.unknownCount += 1
                recordUnknown(call)
            }
        }
        for client in workload.clients.indices {
            guard case .uploads(let process, _) = workload.clients[client], process.node == node.number else { continue }
            clientIsFree(client)
        }
    }

    func completedRead(
        _ token: RequestToken, _ outcome: ReadOutcome, _ node: SimulatedNode, _ process: NodeProcess
    ) throws(InvariantViolation) {
        let call = try take(token)
        guard let request = call.read, case .ready(let index) = outcome else { return }
        statistics.readCount += 1
        var boundStart: UInt64?
        if case .boundedStaleness(let bound) = request.consistency {
            let local = node.clock.local(at: now)
            boundStart = local > bound * 1000 ? node.clock.virtualTime(at: local - bound * 1000) : 0
        }
        try checker?.serving(
            request, at: index, from: process.machine.appliedIndex, on: node.id, committedAtCall: call.committedAtCall,
            boundStart: boundStart)
        // Others may see what is past.
        guard request.consistency == .linearizable else { return }
        try recordRead(call, node)
    }

    // MARK: The history

    private func record(_ call: Workload.Call, _ outcome: MetadataOutcome) throws(InvariantViolation) {
        switch (call.action, outcome) {
        case (.createBucket, .change), (.enableVersioning, .change): workload.setUpCount += 1
        case (.beginUpload(let object), .change(.success(.uploadCreated(let id)))):
            workload.uploads[call.client] = Workload.Upload(id: id, object: object)
        case (.put, .change(.failure(let error))) where call.body != nil && error.code == .unavailable,
            (.putPart, .change(.failure(let error))) where call.body != nil && error.code == .unavailable:
            // The members were others when it was named, or it came too late.
            statistics.refusedBodyCount += 1
        case (.abandon, .change(.success)): break
        case (.putPart, .change(.success)):
            workload.uploads[call.client]?.part = ETag(high: 0, low: call.number)
        case (.complete(let upload), .change(.success(.put(let result)))):
            workload.uploads[call.client] = nil
            add(.put(Action.value(result.etag)), upload.object, call, .done)
        case (.put(let object, let value, let condition), .change(let result)):
            add(Self.registerCall(put: value, condition), object, call, try reply(result, call))
        case (.delete(let object, let condition), .change(let result)):
            add(Self.registerCall(deleteIf: condition), object, call, try reply(result, call))
        case (.deleteAll(let bucket, let keys), .batch(let results)):
            guard results.count == keys.count, results.allSatisfy({ (try? $0.get()) != nil }) else {
                throw InvariantViolation(.acknowledgedWritesStay, "a delete of several keys is answered with \(results)")
            }
            addDeleteAll(bucket, keys, call, isKnown: true)
        case (.putLarge, .change(.success)), (.putEventually, .change(.success)): break
        case (.putPart, .change(.failure(let error))), (.complete, .change(.failure(let error))):
            // The upload, or its part, was begun after the snapshot file that was restored since.
            let isRestored = checker.map { $0.reference.replacementCount > 0 } ?? false
            guard isRestored, error.code == .noSuchUpload || error.code == .invalidPart else {
                throw InvariantViolation(.acknowledgedWritesStay, "operation \(call.number) is answered with \(outcome)")
            }
            workload.uploads[call.client] = nil
        default:
            throw InvariantViolation(.acknowledgedWritesStay, "operation \(call.number) is answered with \(outcome)")
        }
    }

    private func recordUnknown(_ call: Workload.Call) {
        switch call.action {
        case .put(let object, let value, let condition): add(Self.registerCall(put: value, condition), object, call, nil)
        case .delete(let object, let condition): add(Self.registerCall(deleteIf: condition), object, call, nil)
        case .deleteAll(let bucket, let keys): addDeleteAll(bucket, keys, call, isKnown: false)
        case .complete(let upload):
            workload.uploads[call.client] = nil
            if let part = upload.part { add(.put(Action.value(ofUploadWith: part)), upload.object, call, nil) }
        case .putPart, .beginUpload: workload.uploads[call.client] = nil
        case .get, .list, .putLarge, .putEventually, .abandon, .createBucket, .enableVersioning: break
        }
    }

    private func recordRead(_ call: Workload.Call, _ node: SimulatedNode) throws(InvariantViolation) {
        let reader = MetadataReader(node.store.makeSnapshot(), tier: .all)
        do throws(MetadataReadError) {
            switch call.action {
            case .get(let object):
                guard let bucket = try reader.bucket(named: object.bucket) else { throw .failed(MetadataError(.noSuchBucket)) }
                let found = try reader.newest(of: Action.key(object.key), in: bucket)
                if let record = found?.record, let id = record.bodyID {
                    readBody(StoredBody(id: id, length: record.size), node)
                }
                let value = found.flatMap { $0.record.flags.contains(.isDeleteMarker) ? nil : Action.value($0.record.etag) }
                add(.get, object, call, value.map { .value($0) } ?? .absent)
            case .list(let name):
                guard let bucket = try reader.bucket(named: name) else { throw .failed(MetadataError(.noSuchBucket)) }
                let page = try reader.listObjects(ListObjects(bucket: Action.reference(name)), in: bucket)
                addListing(page.objects.map { BucketModel.Object(key: "\($0.key)", value: Action.value($0.etag)) }, name, call)
            default: preconditionFailure("only these read")
            }
        } catch { throw InvariantViolation(.equalStates, "a read on node \(node.id) fails: \(error)") }
    }

    private func reply(
        _ result: Result<MetadataReply, MetadataError>, _ call: Workload.Call
    ) throws(InvariantViolation) -> RegisterModel.Reply {
        switch result {
        case .success: return .done
        case .failure(let error) where error.code == .preconditionFailed: return .preconditionFailed
        case .failure(let error) where error.code == .noSuchKey: return .absent
        case .failure(let error):
            throw InvariantViolation(.acknowledgedWritesStay, "operation \(call.number) is answered with \(error)")
        }
    }

    private static func registerCall(put value: UInt64, _ condition: Action.Condition) -> RegisterModel.Call {
        switch condition {
        case .none: .put(value)
        case .absent: .putIfAbsent(value)
        case .matches(let expected): .putIfMatch(value, expected: expected)
        }
    }

    private static func registerCall(deleteIf condition: Action.Condition) -> RegisterModel.Call {
        if case .matches(let expected) = condition { .deleteIfMatch(expected: expected) } else { .delete }
    }

    /// Adds to the history of the object, and to that of its bucket if that is kept.
    private func add(
        _ register: RegisterModel.Call, _ object: KeyedHistory.Object, _ call: Workload.Call, _ reply: RegisterModel.Reply?
    ) {
        workload.objects.add(
            HistoryOperation(
                client: call.client, call: register, invoked: call.invoked,
                outcome: reply.map { HistoryOperation<RegisterModel>.Outcome($0, returned: now) }),
            on: object)
        guard object.bucket == Workload.smallBucket else { return }
        addSmall(.object(key: object.key, register), call, reply.map { .object($0) })
    }

    private func addSmall(_ bucketCall: BucketModel.Call, _ call: Workload.Call, _ reply: BucketModel.Reply?) {
        workload.small.append(
            HistoryOperation(
                client: call.client, call: bucketCall, invoked: call.invoked,
                outcome: reply.map { HistoryOperation<BucketModel>.Outcome($0, returned: now) }))
    }

    private func addDeleteAll(_ bucket: String, _ keys: [String], _ call: Workload.Call, isKnown: Bool) {
        for key in keys {
            workload.objects.add(
                HistoryOperation(
                    client: call.client, call: .delete, invoked: call.invoked,
                    outcome: isKnown ? HistoryOperation<RegisterModel>.Outcome(.done, returned: now) : nil),
                on: KeyedHistory.Object(bucket: bucket, key: key))
        }
        addSmall(.deleteAll(keys: keys), call, isKnown ? .done : nil)
    }

    /// A listing says of every key what is there.
    private func addListing(_ listed: [BucketModel.Object], _ bucket: String, _ call: Workload.Call) {
        for key in Workload.keys(of: bucket) {
            let value = listed.first { $0.key == key }?.value
            workload.objects.add(
                HistoryOperation(
                    client: call.client, call: .get, invoked: call.invoked,
                    outcome: HistoryOperation<RegisterModel>.Outcome(value.map { .value($0) } ?? .absent, returned: now)),
                on: KeyedHistory.Object(bucket: bucket, key: key))
        }
        if bucket == Workload.smallBucket { addSmall(.list, call, .listing(listed)) }
    }
}
