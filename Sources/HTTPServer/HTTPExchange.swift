import NIOCore
import NIOHTTP1

/// The request that a connection is answering, and how far its response is.
struct HTTPExchange {
    /// Counts the requests of a connection, so that a body or a writer kept beyond its request is recognised.
    var number: UInt64 = 0
    var isHead = false
    var isHTTP10 = false
    /// The client allows another request on the connection.
    var keepsAlive = false
    /// The body, when it is streamed.
    var body: HTTPStreamedBody?
    /// The task that runs the handler; `nil` between requests and while it runs for the first time.
    var task: Task<Void, Never>?
    var response = ResponseProgress.none
    /// Who waits until the connection takes more bytes.
    var writer: CheckedContinuation<HTTPResponseWriteError?, Never>?

    enum ResponseProgress {
        case none
        /// The head is written, and this many bytes may follow (`nil`: any number, in chunks).
        case body(remaining: UInt64?)
        /// The handler wrote what does not fit the head: the transfer must not look complete.
        case broken
    }

    mutating func resumeWriter() {
        guard let writer else { return }
        self.writer = nil
        writer.resume(returning: nil)
    }

    /// The connection is gone.
    consuming func abandon() {
        task?.cancel()
        // A body that has arrived whole stays readable.
        body?.fail(.connectionClosed)
        writer?.resume(returning: .connectionClosed)
    }
}

/// The bytes of a streamed body between the socket and the handler.
struct HTTPStreamedBody {
    /// Bytes that have not arrived; `nil` when only the last chunk will tell.
    private(set) var remainingByteCount: UInt64?
    private var chunks = CircularBuffer<ByteBuffer>()
    private(set) var bufferedByteCount = 0
    private(set) var isComplete = false
    private var failure: HTTPBodyError?
    private var reader: CheckedContinuation<Result<ByteBuffer?, HTTPBodyError>, Never>?
    /// The client waits for `100 Continue` before it sends the body.
    var awaitsInterimResponse: Bool

    init(framing: HTTPBodyFraming, awaitsInterimResponse: Bool) {
        switch framing {
        case .length(let byteCount): remainingByteCount = byteCount
        case .chunked: remainingByteCount = nil
        }
        self.awaitsInterimResponse = awaitsInterimResponse
    }

    var hasFailed: Bool { failure != nil }

    func wantsInput(limits: HTTPServerLimits) -> Bool {
        !isComplete && failure == nil && !awaitsInterimResponse && bufferedByteCount < limits.streamedBodyBufferByteCountMax
    }

    mutating func append(_ bytes: ByteBuffer) {
        pass(bytes)
        guard failure == nil else { return }
        bufferedByteCount += bytes.readableBytes
        // A body in tiny chunks must not become as many buffers.
        if bytes.readableBytes < 1024, let last = chunks.indices.last {
            chunks[last].writeImmutableBuffer(bytes)
        } else {
            chunks.append(bytes)
        }
    }

    /// The bytes have arrived, and nobody wants them.
    mutating func pass(_ bytes: ByteBuffer) {
        if let remainingByteCount {
            self.remainingByteCount = remainingByteCount - min(remainingByteCount, UInt64(bytes.readableBytes))
        }
    }

    /// The body has arrived whole.
    mutating func finish() {
        guard failure == nil else { return }
        isComplete = true
    }

    /// - Returns: how many bytes there were.
    mutating func dropBuffered() -> Int {
        defer {
            bufferedByteCount = 0
            chunks.removeAll()
        }
        return bufferedByteCount
    }

    /// Hands the next bytes to `reader`, now or when they arrive.
    mutating func pull(_ reader: CheckedContinuation<Result<ByteBuffer?, HTTPBodyError>, Never>, limits: HTTPServerLimits) {
        precondition(self.reader == nil, "a body is pulled by one task at a time")
        self.reader = reader
        wakeReader(limits: limits)
    }

    mutating func wakeReader(limits: HTTPServerLimits) {
        guard let reader else { return }
        if let chunk = takeChunk(byteCountMax: limits.streamedBodyChunkByteCountMax) {
            self.reader = nil
            reader.resume(returning: .success(chunk))
        } else if isComplete {
            self.reader = nil
            reader.resume(returning: .success(nil))
        } else if let failure {
            self.reader = nil
            reader.resume(returning: .failure(failure))
        }
    }

    /// The response is complete: whoever still pulls gets no more.
    mutating func abandonReader() {
        reader?.resume(returning: .failure(.connectionClosed))
        reader = nil
    }

    /// The body breaks off. What was received before is still handed out.
    mutating func fail(_ error: HTTPBodyError) {
        guard !isComplete, failure == nil else { return }
        failure = error
        guard bufferedByteCount == 0, let reader else { return }
        self.reader = nil
        reader.resume(returning: .failure(error))
    }

    private mutating func takeChunk(byteCountMax: Int) -> ByteBuffer? {
        guard var chunk = chunks.popFirst() else { return nil }
        if let next = chunks.first, chunk.readableBytes + next.readableBytes <= byteCountMax {
            // One allocation and one copy for all that is joined.
            let byteCount = min(bufferedByteCount, byteCountMax)
            var joined = ByteBufferAllocator().buffer(capacity: byteCount)
            joined.writeImmutableBuffer(chunk)
            chunk = joined
        }
        while let next = chunks.first, chunk.readableBytes + next.readableBytes <= byteCountMax {
            chunk.writeImmutableBuffer(next)
            chunks.removeFirst()
        }
        bufferedByteCount -= chunk.readableBytes
        return chunk
    }
}

/// How much of a body has come since when, for the least rate.
struct HTTPBodyWindow {
    var start = NIODeadline.uptimeNanoseconds(0)
    var byteCount = 0
}
