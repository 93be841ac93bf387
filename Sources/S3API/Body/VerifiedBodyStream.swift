package import HTTPServer
package import NIOCore
import Synchronization

/// A body that is decoded and verified while it is read.
///
/// The caller gets each piece at once and unshared copies are never made: hashing goes on beside the caller's own work, on the
/// hashing threads, one job at a time in the order of the bytes. What has been handed out is therefore *not yet* verified; only
/// the `nil` at the end says that it is. At most one job is under way and one is being gathered, so that memory is bounded.
package final class VerifiedBodyStream: S3BodyStream {
    package let declaredByteCount: UInt64?
    private let source: any HTTPBodyStream
    private let hashing: S3HashingPool
    private let eventLoop: any EventLoop
    private let offloadedByteCountMin: Int
    private let digester: Mutex<BodyDigester>
    private let state: Mutex<State?>
    private let result = Mutex<S3BodyDigests?>(nil)

    private struct State: Sendable {
        var decoder: ChunkedDecoder?
        /// Not yet given to the hashing threads.
        var gathered: [BodyDigester.Item] = []
        var gatheredByteCount = 0
        var job: EventLoopFuture<S3Error?>?
        var outcome: Outcome?
    }

    private enum Outcome: Sendable {
        case verified
        case failed(S3Error)
    }

    package init(source: any HTTPBodyStream, plan: BodyPlan, hashing: S3HashingPool, eventLoop: any EventLoop) {
        self.source = source
        self.hashing = hashing
        self.eventLoop = eventLoop
        self.declaredByteCount = plan.declaredByteCount
        self.offloadedByteCountMin = plan.offloadedHashByteCountMin
        self.digester = Mutex(BodyDigester(plan: plan))
        self.state = Mutex(State(decoder: ChunkedDecoder(plan: plan)))
    }

    /// - Throws: the first failure, at this and every later call.
    package func next() async throws(S3Error) -> ByteBuffer? {
        guard var state = state.withLock({ $0.take() }) else {
            preconditionFailure("a body is read by one task at a time")
        }
        defer { self.state.withLock { [state] in $0 = state } }
        switch state.outcome {
        case .verified: return nil
        case .failed(let error): throw error
        case nil: break
        }
        do {
            if let bytes = try await advance(&state) { return bytes }
            state.outcome = .verified
            return nil
        } catch {
            state.outcome = .failed(error)
            throw error
        }
    }

    package var digests: S3BodyDigests {
        get async {
            guard let digests = result.withLock({ $0 }) else {
                preconditionFailure("digests are known when next() has returned nil")
            }
            return digests
        }
    }

    private func advance(_ state: inout State) async throws(S3Error) -> ByteBuffer? {
        while true {
            if let bytes = try await nextContent(&state) { return bytes }
            guard let bytes = try await pull() else { break }
            if state.decoder == nil {
                if bytes.readableBytes == 0 { continue }
                try await gather(.content(bytes), &state)
                return bytes
            }
            state.decoder?.feed(bytes)
        }
        try state.decoder?.finish()
        try await awaitJob(&state)
        let digests = try digester.withLock { [gathered = state.gathered] digester throws(S3Error) in
            for item in gathered { try digester.process(item) }
            return try digester.finish()
        }
        result.withLock { $0 = digests }
        return nil
    }

    /// The next content that the decoder holds already.
    private func nextContent(_ state: inout State) async throws(S3Error) -> ByteBuffer? {
        while let event = try state.decoder?.next() {
            switch event {
            case .content(let bytes):
                try await gather(.content(bytes), &state)
                return bytes
            case .chunkEnd(let signature): try await gather(.chunkEnd(signature: signature), &state)
            case .trailers(let trailers): try await gather(.trailers(trailers), &state)
            }
        }
        return nil
    }

    private func pull() async throws(S3Error) -> ByteBuffer? {
        do {
            return try await source.next()
        } catch {
            throw S3Error(error)
        }
    }

    // MARK: Hashing

    /// Items without bytes count too, so that a body of tiny chunks gathers no long list.
    private static let itemByteCount = 256

    private func gather(_ item: BodyDigester.Item, _ state: inout State) async throws(S3Error) {
        state.gathered.append(item)
        state.gatheredByteCount += Self.itemByteCount
        if case .content(let bytes) = item { state.gatheredByteCount += bytes.readableBytes }
        guard state.gatheredByteCount >= offloadedByteCountMin else { return }
        // The jobs share one digester, and the threads keep no order: the earlier one must have ended.
        try await awaitJob(&state)
        let items = state.gathered
        state.gathered = []
        state.gatheredByteCount = 0
        state.job = hashing.start(on: eventLoop) { [self] in
            digester.withLock { digester in
                do throws(S3Error) {
                    for item in items { try digester.process(item) }
                    return nil
                } catch {
                    return error
                }
            }
        }
    }

    private func awaitJob(_ state: inout State) async throws(S3Error) {
        guard let job = state.job else { return }
        state.job = nil
        let failure: S3Error?
        do {
            failure = try await job.get()
        } catch {
            throw .stopping
        }
        if let failure { throw failure }
    }
}

extension ChunkedDecoder {
    /// `nil` for a body that is not in chunks.
    package init?(plan: BodyPlan) {
        guard case .chunked(let isSigned, let hasTrailers) = plan.payload else { return nil }
        self.init(byteCount: plan.declaredByteCount ?? 0, isSigned: isSigned, hasTrailers: hasTrailers)
    }
}
