import NIOCore

/// Stands between the socket and NIOHTTP1's decoder: bounds what arrives, and hands over one message at a time.
///
/// The decoder by itself turns a whole read into events, however many requests it holds; it buffers a header without end when the
/// bytes are spaces; and it reports a long target, long headers and many headers as one error. So here bytes and line ends are
/// counted, and nothing is parsed:
///
/// - **Limits.** While a head is expected its lines are counted, and the first limit broken is fired down the pipeline as an
///   `HTTPProtocolViolation`, after which everything is discarded.
/// - **One message at a time.** Both a head and a chunked body end with an empty line. The decoder is fed up to the first empty line
///   and not a byte further; then `HTTPConnection`, which learns from the decoder what the line ended, says what comes next:
///   a body of so many bytes, a chunked one, or, once it has written its response, the next head. The rest waits here. An empty line
///   within the data of a chunk only cuts that data once more.
/// - **What a decoded head no longer shows:** that a line ended without CR, or continued the one before it (obs-fold, which could
///   hide a value from another parser).
///
/// It also counts the bytes in both directions, because nothing else sees both, and joins the small parts that the encoder writes,
/// so that a response with a small body leaves as one buffer.
final class HTTPByteGuard: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = IOData
    typealias OutboundOut = IOData

    private enum Mode {
        /// Wait until the connection says what comes next.
        case holding
        case head
        case body(remaining: UInt64)
        case chunkedBody
        case discarding
    }

    /// Section 2.2 of RFC 9112: an empty line before the request line is ignored; a flood of them is not.
    private static let emptyLineCountMax = 4

    /// Copying a little is cheaper than another element in the socket's vector.
    private static let joinedPartByteCountMax = 8 << 10
    /// The channel learns of bytes, and whether they are too many, only when they are passed on.
    private static let joinedByteCountMax = 32 << 10

    private let limits: HTTPServerLimits
    private let counters: HTTPServerCounters
    private var context: ChannelHandlerContext?
    private var mode = Mode.head
    private var held = ByteBuffer()
    /// Small parts of responses until the next flush.
    private var joined = ByteBuffer()
    private var isDelivering = false
    /// The end of a head was handed over, and the connection has not said what follows.
    private var awaitsVerdict = false

    // The lines since the head's or chunked body's first byte.
    private var line = HTTPLineCounter()
    private var emptyLineCount = 0
    /// Complete lines of the head, the request line among them.
    private var lineCount = 0
    private var headersByteCount = 0

    init(limits: HTTPServerLimits, counters: HTTPServerCounters) {
        self.limits = limits
        self.counters = counters
    }

    // MARK: For the connection

    /// Bytes that the decoder has not seen.
    var heldByteCount: Int { held.readableBytes }

    /// Some of the expected head has arrived.
    var hasHeadBegun: Bool {
        switch mode {
        case .head: held.readableBytes > 0 || lineCount > 0 || emptyLineCount > 0 || line.byteCount > 0
        case .holding, .body, .chunkedBody, .discarding: held.readableBytes > 0
        }
    }

    /// The next bytes are a request's head. Takes effect with `deliver()`, as the following do.
    /// Without effect while a head is under way already.
    func expectHead() {
        guard case .holding = mode else { return }
        mode = .head
        line = HTTPLineCounter()
        emptyLineCount = 0
        lineCount = 0
        headersByteCount = 0
    }

    func expectBody(_ framing: HTTPBodyFraming) {
        awaitsVerdict = false
        switch framing {
        case .length(let byteCount): mode = byteCount > 0 ? .body(remaining: byteCount) : .holding
        case .chunked: mode = .chunkedBody
        }
        line = HTTPLineCounter()
    }

    /// The decoder has found the message's end.
    func hold() {
        if case .discarding = mode { return }
        mode = .holding
    }

    /// Nothing that is held or still arrives is looked at.
    func discard() {
        mode = .discarding
        awaitsVerdict = false
        held = ByteBuffer()
    }

    /// Feeds the decoder what may be fed. Called within, it returns at once, and the call under way goes on.
    func deliver() {
        guard !isDelivering, let context else { return }
        isDelivering = true
        while held.readableBytes > 0, let piece = nextPiece(context) {
            context.fireChannelRead(wrapInboundOut(piece))
            if awaitsVerdict {
                // What looks like a head's end was none to the decoder (the preface of HTTP/2).
                refuse(.malformedRequest, context)
            }
        }
        isDelivering = false
    }

    // MARK: Events of the channel

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        counters.bytesReceived.increment(by: bytes.readableBytes)
        if held.readableBytes == 0 {
            held = bytes
        } else {
            held.writeBuffer(&bytes)
        }
        deliver()
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let part = unwrapOutboundIn(data)
        counters.bytesSent.increment(by: part.readableBytes)
        guard promise == nil, case .byteBuffer(let bytes) = part, bytes.readableBytes <= Self.joinedPartByteCountMax else {
            writeJoined(context)
            context.write(data, promise: promise)
            return
        }
        if joined.readableBytes == 0 {
            joined = bytes
        } else {
            joined.writeImmutableBuffer(bytes)
        }
        if joined.readableBytes > Self.joinedByteCountMax {
            writeJoined(context)
        }
    }

    func flush(context: ChannelHandlerContext) {
        writeJoined(context)
        context.flush()
    }

    private func writeJoined(_ context: ChannelHandlerContext) {
        guard joined.readableBytes > 0 else { return }
        let bytes = joined
        joined = ByteBuffer()
        context.write(wrapOutboundOut(.byteBuffer(bytes)), promise: nil)
    }

    // MARK: Cutting

    private func nextPiece(_ context: ChannelHandlerContext) -> ByteBuffer? {
        switch mode {
        case .holding:
            return nil
        case .discarding:
            held = ByteBuffer()
            return nil
        case .body(let remaining):
            let byteCount = Int(min(remaining, UInt64(held.readableBytes)))
            let left = remaining - UInt64(byteCount)
            mode = left > 0 ? .body(remaining: left) : .holding
            return take(byteCount)
        case .chunkedBody:
            return take(held.withUnsafeReadableBytes { endOfEmptyLine(in: $0) })
        case .head:
            switch held.withUnsafeReadableBytes({ countHead($0) }) {
            case .success(let byteCount):
                return take(byteCount)
            case .failure(let refusal):
                refuse(refusal.reason, context)
                return nil
            }
        }
    }

    private func refuse(_ reason: HTTPProtocolViolation, _ context: ChannelHandlerContext) {
        discard()
        context.fireUserInboundEventTriggered(reason)
    }

    private func take(_ byteCount: Int) -> ByteBuffer? {
        guard byteCount < held.readableBytes else {
            defer { held = ByteBuffer() }
            return held
        }
        return held.readSlice(length: byteCount)
    }

    private func endOfEmptyLine(in bytes: UnsafeRawBufferPointer) -> Int {
        var position = 0
        while let end = line.next(in: bytes, from: &position) {
            if end.isEmpty { break }
        }
        return position
    }

    private struct Refusal: Error {
        var reason: HTTPProtocolViolation
    }

    /// Counts lines up to the head's end or the end of the bytes.
    private func countHead(_ bytes: UnsafeRawBufferPointer) -> Result<Int, Refusal> {
        var position = 0
        while true {
            if lineCount > 0, line.byteCount == 0, position < bytes.count, bytes[position] == 0x20 || bytes[position] == 0x09 {
                return .failure(Refusal(reason: .malformedRequest))
            }
            let end = line.next(in: bytes, from: &position)
            if let reason = judge(end) {
                return .failure(Refusal(reason: reason))
            }
            guard let end else { return .success(position) }
            if lineCount > 0, end.isEmpty {
                mode = .holding
                awaitsVerdict = true
                return .success(position)
            }
            if end.isEmpty {
                emptyLineCount += 1
            } else {
                if lineCount > 0 { headersByteCount += end.byteCount }
                lineCount += 1
            }
        }
    }

    /// - Parameter end: the line that ended, or `nil` for the unfinished one.
    private func judge(_ end: HTTPLineCounter.Line?) -> HTTPProtocolViolation? {
        if let end, !end.endsInCRLF { return .malformedRequest }
        let byteCount = end?.byteCount ?? line.byteCount
        guard lineCount > 0 else {
            // Two more for the line's end.
            if byteCount > limits.requestLineByteCountMax + 2 { return .requestLineTooLong }
            return emptyLineCount > Self.emptyLineCountMax ? .malformedRequest : nil
        }
        // The empty line, or what may become it, is no header.
        if byteCount < 2 || end?.isEmpty == true { return nil }
        if headersByteCount + byteCount > limits.headersByteCountMax { return .headersTooLarge }
        // `lineCount` is the number of headers before this line and the request line.
        return lineCount > limits.headerCountMax ? .tooManyHeaders : nil
    }
}
