import Logging
import Metadata
import NIOCore
import ObjectDataStore
import Raft

/// A body that this node sends. Confined to the exchange's loop.
final class OutgoingBody {
    let stream: BodyMessage.Stream
    var upload: BodyUpload
    /// Why replicas failed.
    var failures: [NodeID: BodyFailure] = [:]
    /// The writer, when it waits for room or for a quorum: at most one of them.
    var waiter: Waiter?
    /// The writer has been told that a quorum holds it.
    var isTold = false

    enum Waiter {
        case room(CheckedContinuation<MetadataError?, Never>)
        case quorum(CheckedContinuation<Result<[NodeID], MetadataError>, Never>)
    }

    init(_ stream: BodyMessage.Stream, _ upload: BodyUpload) {
        self.stream = stream
        self.upload = upload
    }

    /// What the writer is told where no quorum is left.
    var error: MetadataError {
        let reasons = failures.sorted { $0.key < $1.key }.map { "node \($0.key.rawValue): \($0.value)" }
        let isFull = failures.values.contains(.noSpace) && failures.values.allSatisfy { $0 == .noSpace }
        return MetadataError(
            isFull ? .noSpace : .unavailable,
            "too few nodes can take the body (\(reasons.joined(separator: "; ")))")
    }

    func end() { resume(.failure(MetadataError(.unavailable, "the node is stopping"))) }

    func resume(_ result: Result<[NodeID], MetadataError>) {
        guard let waiter else { return }
        self.waiter = nil
        switch (waiter, result) {
        case (.room(let caller), .success): caller.resume(returning: nil)
        case (.room(let caller), .failure(let error)): caller.resume(returning: error)
        case (.quorum(let caller), _): caller.resume(returning: result)
        }
    }
}

/// Sending: the client's bytes go to all members at once, at the pace of the slowest of a quorum.
extension BodyExchange {
    // MARK: For the writer, from its task

    /// Opens the stream of a new body. - Throws: `.unavailable` while there is no cluster.
    func begin(_ id: BodyID, _ requirement: BodyUpload.Requirement) async throws(MetadataError) -> BodyMessage.Stream {
        let stream: BodyMessage.Stream? = await onLoop { [self] in
            guard !isClosed, !configuration.voters.isEmpty else { return nil }
            let stream = nextNumber()
            let upload = OutgoingBody(
                stream,
                BodyUpload(id, in: configuration, requirement: requirement, settings: settings.upload, at: BootClock.now))
            uploads[stream] = upload
            sendToReplicas(upload, .open(stream, id))
            flush()
            return stream
        }
        guard let stream else { throw MetadataError(.unavailable, "this node belongs to no cluster yet, or is stopping") }
        return stream
    }

    /// Sends bytes to all peers that still receive.
    func send(_ bytes: ByteBuffer, on stream: BodyMessage.Stream) {
        loop.execute { [self] in
            guard let upload = uploads[stream] else { return }
            let offset = upload.upload.sent
            upload.upload.send(byteCount: bytes.readableBytes, at: BootClock.now)
            sendToReplicas(upload, .data(stream, offset: offset, bytes))
            flush()
        }
    }

    /// This node's own store has taken all that was sent.
    func acceptedHere(_ stream: BodyMessage.Stream) {
        loop.execute { [self] in
            guard let upload = uploads[stream] else { return }
            accepted(stream, upload.upload.sent, by: node)
        }
    }

    func durableHere(_ stream: BodyMessage.Stream) { loop.execute { [self] in durable(stream, on: node) } }

    func failedHere(_ stream: BodyMessage.Stream, _ failure: BodyFailure) {
        loop.execute { [self] in
            if let upload = uploads[stream] { failed(upload, on: node, failure) }
        }
    }

    /// Returns when there is room for more.
    func waitForRoom(_ stream: BodyMessage.Stream) async throws(MetadataError) {
        let error: MetadataError? = await withCheckedContinuation { caller in
            loop.execute { [self] in
                guard let upload = uploads[stream] else {
                    return caller.resume(returning: MetadataError(.unavailable, "the node is stopping"))
                }
                upload.waiter = .room(caller)
                decide(upload)
            }
        }
        if let error { throw error }
    }

    /// All bytes were sent.
    func finish(_ stream: BodyMessage.Stream, tableChecksum: UInt32) {
        loop.execute { [self] in
            guard let upload = uploads[stream] else { return }
            upload.upload.finish(at: BootClock.now)
            sendToReplicas(upload, .finish(stream, length: upload.upload.sent, tableChecksum: tableChecksum))
            flush()
        }
    }

    /// Returns who holds the body durably, as soon as those are enough.
    func waitForQuorum(_ stream: BodyMessage.Stream) async throws(MetadataError) -> [NodeID] {
        let result: Result<[NodeID], MetadataError> = await withCheckedContinuation { caller in
            loop.execute { [self] in
                guard let upload = uploads[stream] else {
                    return caller.resume(returning: .failure(MetadataError(.unavailable, "the node is stopping")))
                }
                upload.waiter = .quorum(caller)
                decide(upload)
            }
        }
        return try result.get()
    }

    /// Nothing will name the body: whoever has taken something of it forgets it.
    func abort(_ stream: BodyMessage.Stream, _ id: BodyID) {
        loop.execute { [self] in
            guard let upload = uploads.removeValue(forKey: stream) else { return discardEverywhere([id]) }
            upload.resume(.failure(MetadataError(.unavailable, "the upload was aborted")))
            for replica in upload.upload.replicas where replica.node != node {
                send(.abort(stream), to: replica.node)
                // It may have it already, or be about to.
                send(.discard([id]), to: replica.node)
            }
            flush()
        }
    }

    /// As `abort`, for bodies whose upload is over.
    func discardEverywhere(_ ids: [BodyID]) {
        loop.execute { [self] in
            for (stream, upload) in uploads where ids.contains(upload.upload.id) {
                uploads[stream] = nil
                sendToReplicas(upload, .abort(stream))
            }
            for peer in configuration.members where peer != node {
                for start in stride(from: 0, to: ids.count, by: BodyMessage.discardCountMax) {
                    send(.discard(Array(ids[start..<min(start + BodyMessage.discardCountMax, ids.count)])), to: peer)
                }
            }
            flush()
        }
    }

    private func onLoop<Value: Sendable>(_ work: @escaping @Sendable () -> Value) async -> Value {
        await withCheckedContinuation { caller in loop.execute { caller.resume(returning: work()) } }
    }

    // MARK: On the loop

    private func sendToReplicas(_ upload: OutgoingBody, _ message: BodyMessage) {
        for replica in upload.upload.replicas where replica.node != node && replica.phase == .receiving {
            if !send(message, to: replica.node) { failed(upload, on: replica.node, .unreachable) }
        }
    }

    func accepted(_ stream: BodyMessage.Stream, _ byteCount: UInt64, by replica: NodeID) {
        guard let upload = uploads[stream] else { return }
        if upload.upload.accepted(byteCount, by: replica, at: BootClock.now) {
            decide(upload)
        } else {
            failed(upload, on: replica, .protocolViolation)
        }
    }

    func durable(_ stream: BodyMessage.Stream, on replica: NodeID) {
        guard let upload = uploads[stream] else { return }
        if upload.upload.durable(on: replica) { decide(upload) } else { failed(upload, on: replica, .protocolViolation) }
    }

    func failed(_ upload: OutgoingBody, on replica: NodeID, _ failure: BodyFailure) {
        guard upload.upload.replica(replica)?.phase == .receiving else { return }
        upload.upload.failed(on: replica)
        upload.failures[replica] = failure
        logger.info(
            "a node does not take a body",
            metadata: ["node": "\(replica.rawValue)", "body": "\(upload.upload.id)", "reason": "\(failure)"])
        if replica != node { send(.abort(upload.stream), to: replica) }
        decide(upload)
    }

    /// Lets the writer go on if it may.
    private func decide(_ upload: OutgoingBody) {
        let state = upload.upload
        switch state.outcome {
        case .lost: upload.resume(.failure(upload.error))
        case .won:
            if upload.waiter != nil { upload.isTold = true }
            upload.resume(.success(state.holders))
        case .pending:
            if case .room? = upload.waiter, state.mayWrite {
                for laggard in upload.upload.dropLaggards() { dropped(upload, laggard) }
                upload.resume(.success([]))
            }
        }
        // The others may still get there; when all have, nothing is left to do.
        if upload.isTold, upload.waiter == nil, state.replicas.allSatisfy({ $0.phase != .receiving }) {
            uploads[upload.stream] = nil
        }
    }

    func tick(_ upload: OutgoingBody, at now: ClockReading) {
        for stalled in upload.upload.dropStalled(at: now) { dropped(upload, stalled) }
        if case .room? = upload.waiter, upload.upload.hasRoom {
            upload.upload.waited(milliseconds: settings.tickMilliseconds)
        }
        decide(upload)
    }

    /// It has been given up already.
    private func dropped(_ upload: OutgoingBody, _ replica: NodeID) {
        upload.failures[replica] = .unreachable
        logger.info(
            "a node is too slow for a body and is left to repair it",
            metadata: ["node": "\(replica.rawValue)", "body": "\(upload.upload.id)"])
        if replica != node { send(.abort(upload.stream), to: replica) }
        flush()
    }
}
