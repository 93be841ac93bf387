import NIOCore
import Synchronization

/// What all connections share.
final class LoadPlan: Sendable {
    let requests: RequestList
    let isHead: Bool
    let goesRound: Bool
    /// Between two requests of one connection; `nil` sends at once.
    let interval: TimeAmount?
    let measureFrom: NIODeadline
    let end: NIODeadline
    private let next = Atomic<Int>(0)

    init(
        requests: RequestList, isHead: Bool, goesRound: Bool, interval: TimeAmount?, measureFrom: NIODeadline, end: NIODeadline
    ) {
        self.requests = requests
        self.isHead = isHead
        self.goesRound = goesRound
        self.interval = interval
        self.measureFrom = measureFrom
        self.end = end
    }

    func takeRequest() -> ByteBuffer? {
        let number = next.wrappingAdd(1, ordering: .relaxed).oldValue
        guard goesRound || number < requests.count else { return nil }
        return requests.head(number % requests.count)
    }
}

struct LoadResult: Sendable {
    var latencies = LatencyHistogram()
    var errorCount = 0
    /// All answers, those of the time of warming up too.
    var answerCount = 0
    /// From the first measured moment to the last answer.
    var measuredNanoseconds: Int64 = 0

    mutating func merge(_ other: LoadResult) {
        latencies.merge(other.latencies)
        errorCount += other.errorCount
        answerCount += other.answerCount
        measuredNanoseconds = max(measuredNanoseconds, other.measuredNanoseconds)
    }
}

/// One connection: a request, its answer, the next request. Reads of an answer no more than its status and its length.
final class LoadConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    let result: EventLoopPromise<LoadResult>
    private let plan: LoadPlan
    private var figures = LoadResult()
    private var received = ByteBuffer()
    private var bodyBytesLeft = 0
    private var isInBody = false
    /// When the pending request was sent, or should have been: with a rate, waiting for the connection counts as latency.
    private var dueAt: NIODeadline
    private var isFinished = false

    /// - Parameter share: of the interval, before the first request: 0 ..< 1.
    init(plan: LoadPlan, share: Double, eventLoop: any EventLoop) {
        self.plan = plan
        result = eventLoop.makePromise()
        dueAt = .now() + .nanoseconds(Int64(Double(plan.interval?.nanoseconds ?? 0) * share))
    }

    func channelActive(context: ChannelHandlerContext) {
        sendNext(context)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        if isInBody {
            let count = min(bodyBytesLeft, bytes.readableBytes)
            bytes.moveReaderIndex(forwardBy: count)
            bodyBytesLeft -= count
        } else {
            if received.readableBytes == 0 { received = bytes } else { received.writeBuffer(&bytes) }
            guard let head = ResponseHead(received) else { return }
            if head.status / 100 != 2 { figures.errorCount += 1 }
            bodyBytesLeft = (plan.isHead ? 0 : head.contentLength) - (received.readableBytes - head.byteCount)
            received = ByteBuffer()
            isInBody = true
        }
        guard bodyBytesLeft <= 0 else { return }
        isInBody = false
        figures.answerCount += 1
        let now = NIODeadline.now()
        if now >= plan.measureFrom {
            figures.latencies.record(nanoseconds: (now - dueAt).nanoseconds)
            figures.measuredNanoseconds = (now - plan.measureFrom).nanoseconds
        }
        if let interval = plan.interval {
            dueAt = dueAt + interval
        } else {
            dueAt = now
        }
        sendNext(context)
    }

    private func sendNext(_ context: ChannelHandlerContext) {
        let now = NIODeadline.now()
        guard now < plan.end else { return finish(context) }
        if dueAt > now {
            let bound = context.loopBound
            context.eventLoop.assumeIsolated().scheduleTask(deadline: dueAt) {
                if !self.isFinished { self.sendNow(bound.value) }
            }
        } else {
            sendNow(context)
        }
    }

    private func sendNow(_ context: ChannelHandlerContext) {
        guard var request = plan.takeRequest() else { return finish(context) }
        if plan.requests.body.readableBytes > 0 {
            request.writeImmutableBuffer(plan.requests.body)
        }
        context.writeAndFlush(wrapOutboundOut(request), promise: nil)
    }

    private func finish(_ context: ChannelHandlerContext) {
        guard !isFinished else { return }
        isFinished = true
        result.succeed(figures)
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        if !isFinished { figures.errorCount += 1 }
        finish(context)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        figures.errorCount += 1
        finish(context)
    }
}

/// The little that is read of an answer's head.
struct ResponseHead {
    var status = 0
    var contentLength = 0
    var byteCount = 0

    /// `nil` while the head is not complete.
    init?(_ bytes: ByteBuffer) {
        let parsed = bytes.withUnsafeReadableBytes { bytes -> (Int, Int, Int)? in
            guard bytes.count > 16 else { return nil }
            func digit(_ index: Int) -> Int { Int(bytes[index]) - 48 }
            let status = digit(9) * 100 + digit(10) * 10 + digit(11)
            var length = 0
            var lineStart = 0
            for index in bytes.indices where bytes[index] == UInt8(ascii: "\n") {
                if index - lineStart <= 1 { return (status, length, index + 1) }
                // "Content-Length: " is the only header of this server whose name has 14 letters and begins so.
                if index - lineStart > 16, bytes[lineStart] | 0x20 == UInt8(ascii: "c"),
                    bytes[lineStart + 8] | 0x20 == UInt8(ascii: "l"), bytes[lineStart + 14] == UInt8(ascii: ":")
                {
                    for position in lineStart + 15..<index where bytes[position] >= 48 && bytes[position] <= 57 {
                        length = length * 10 + digit(position)
                    }
                }
                lineStart = index + 1
            }
            return nil
        }
        guard let parsed else { return nil }
        (status, contentLength, byteCount) = parsed
    }
}
