import Logging
import Metadata
import NIOCore
import ObjectDataStore
import PeerTransport
import Raft

/// Moves bodies between this node and its peers, over the lane of bodies.
///
/// ```
///   writer of a client's body          peer                         reader, repair       peer
///     open, data … ──────────────────► reception ──► store            read ───────────► store
///     ◄── accepted, durable, failed ───┘                              ◄── bytes, readFailed
/// ```
///
/// `@unchecked Sendable`: the properties below the mark are touched on `loop` only, each entry point checks that or goes there; the others
/// are constants of Sendable types.
package final class BodyExchange: @unchecked Sendable {
    let node: NodeID
    let loop: any EventLoop
    let store: ObjectDataStore
    /// Is told of what comes.
    let ledger: BodyLedger
    let hold: RestoreHold
    let settings: BodyExchangeSettings
    let logger: Logger
    /// Throws `.noSpace` where a body would take what is kept for the metadata. May suspend.
    let checkSpace: @Sendable () async throws(MetadataError) -> Void
    private let transport: PeerTransport

    // MARK: Touched on the loop only
    /// Who is to hold what is written from now on; without voters there is no cluster yet.
    var configuration = Configuration()
    var uploads: [BodyMessage.Stream: OutgoingBody] = [:]
    var receptions: [BodyReceptionKey: BodyReception] = [:]
    var requests: [UInt64: PendingRequest] = [:]
    var served = ServedBodies()
    /// Peers that have left a read without an answer and said nothing since: the others are asked first.
    var silentPeers: Set<NodeID> = []
    /// Of streams and requests. Begins anywhere: what is on its way belongs to no later start of the process.
    private var lastNumber = UInt64.random(in: 0...UInt64.max >> 1)
    private var timer: RepeatedTask?
    private var saidStreamsAt = ClockReading.zero
    private(set) var isClosed = false

    /// - Parameter transport: of the lane of bodies; its loop is the exchange's.
    init(
        _ transport: PeerTransport, node: NodeID, store: ObjectDataStore, ledger: BodyLedger,
        hold: RestoreHold, settings: BodyExchangeSettings, logger: Logger,
        checkSpace: @escaping @Sendable () async throws(MetadataError) -> Void
    ) {
        self.transport = transport
        self.node = node
        self.store = store
        self.ledger = ledger
        self.hold = hold
        self.settings = settings
        self.logger = logger
        self.checkSpace = checkSpace
        loop = transport.eventLoop
    }

    // MARK: Start and end

    func start() {
        loop.execute { [self] in
            guard !isClosed, timer == nil else { return }
            let interval = TimeAmount.milliseconds(Int64(settings.tickMilliseconds))
            timer = loop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { [unowned self] _ in tick() }
        }
    }

    /// Ends all that waits: nothing is sent or received any more.
    func close() async {
        try? await loop.submit { [self] in
            isClosed = true
            timer?.cancel()
            timer = nil
            for upload in uploads.values { upload.end() }
            uploads = [:]
            for reception in receptions.values { reception.events.finish() }
            for request in requests.values { request.caller.fail(.unreachable) }
            requests = [:]
            served.removeAll()
        }.get()
    }

    func configure(_ configuration: Configuration) {
        loop.execute { [self] in self.configuration = configuration }
    }

    /// The peer's process is gone, as far as can be told.
    func lost(_ peer: NodeID) {
        loop.execute { [self] in
            for upload in uploads.values { failed(upload, on: peer, .unreachable) }
            for (key, reception) in receptions where key.sender == peer { reception.abort() }
            fail(requestsTo: peer)
        }
    }

    func nextNumber() -> UInt64 {
        lastNumber += 1
        return lastNumber
    }

    private func tick() {
        let now = BootClock.now
        for upload in uploads.values { tick(upload, at: now) }
        for (number, request) in requests where request.deadline <= now {
            requests[number] = nil
            silentPeers.insert(request.peer)
            request.caller.fail(.unreachable)
        }
        served.removeIdle(at: now)
        guard now.milliseconds(since: saidStreamsAt) >= settings.streamsMilliseconds else { return }
        saidStreamsAt = now
        sayStreams()
        for (key, reception) in receptions
        where reception.isGivenUp(after: settings.receptionMilliseconds, at: now) {
            logger.info("a body whose sender is gone is given up", metadata: ["node": "\(key.sender.rawValue)"])
            reception.abort()
        }
    }

    // MARK: The wire

    /// - Returns: false if it is lost for certain.
    @discardableResult
    func send(_ message: BodyMessage, to peer: NodeID) -> Bool {
        loop.preconditionInEventLoop()
        guard !isClosed else { return false }
        let (head, rest) = message.encoded()
        return transport.send(head, rest, to: peer.rawValue, lane: .body)
    }

    func flush() { transport.flush() }

    /// A frame of the lane. - Returns: false if no peer says such a thing.
    func received(_ body: ByteBuffer, from peer: PeerIdentity) -> Bool {
        guard !isClosed else { return true }
        let message: BodyMessage
        do throws(DecodingFault) { message = try BodyMessage(decoding: body) } catch {
            logger.debug(
                "a peer's message about bodies cannot be read", metadata: ["peer": "\(peer.node)", "error": "\(error)"])
            return false
        }
        let sender = NodeID(peer.node)
        silentPeers.remove(sender)
        switch message {
        case .open(let stream, let id):
            open(BodyReceptionKey(sender: sender, incarnation: peer.incarnation, stream: stream), id)
        case .data(let stream, let offset, let bytes):
            reception(sender, peer.incarnation, stream)?.take(bytes, at: offset)
        case .finish(let stream, let length, let tableChecksum):
            reception(sender, peer.incarnation, stream)?.finish(length: length, tableChecksum: tableChecksum)
        case .abort(let stream): reception(sender, peer.incarnation, stream)?.abort()
        case .streams(let streams): confirm(streams, of: sender, peer.incarnation)
        case .discard(let ids): ledger.discarded(ids)
        case .accepted(let stream, let byteCount): accepted(stream, byteCount, by: sender)
        case .durable(let stream): durable(stream, on: sender)
        case .failed(let stream, let failure):
            if let upload = uploads[stream] { failed(upload, on: sender, failure) }
        case .read(let request, let id, let offset, let byteCount):
            serve(request, id, offset, byteCount, to: sender)
        case .bytes(let answer): answered(answer, by: sender)
        case .readFailed(let request, let failure): failed(request, by: sender, failure)
        case .holds(let request, let restore, let ids): serve(request, restore, ids, to: sender)
        case .held(let request, let answers): answered(request, by: sender, answers)
        }
        return true
    }

    private func reception(_ sender: NodeID, _ incarnation: UInt64, _ stream: BodyMessage.Stream) -> BodyReception? {
        receptions[BodyReceptionKey(sender: sender, incarnation: incarnation, stream: stream)]
    }

    /// So that a peer's reception ends though the word of it was lost.
    private func sayStreams() {
        guard !uploads.isEmpty else { return }
        for peer in configuration.members where peer != node {
            let streams = uploads.values.filter { $0.upload.replica(peer)?.phase == .receiving }.map(\.stream)
            if !streams.isEmpty { send(.streams(streams), to: peer) }
        }
        flush()
    }
}

/// Times and bounds of an exchange.
package struct BodyExchangeSettings: Sendable {
    package var upload = BodyUploadSettings()
    package var tickMilliseconds: UInt64 = 50
    /// Between two messages that name the streams that go on.
    package var streamsMilliseconds: UInt64 = 5_000
    /// A reception that its sender has not named for so long is given up.
    package var receptionMilliseconds: UInt64 = 30_000
    /// Receptions of one peer at a time.
    package var receptionCountMax = 1_024
    /// Reads of peers that are served at a time.
    package var servedCountMax = 64
    /// For a peer to answer a read.
    package var readMilliseconds: UInt64 = 5_000

    package init() {}
}
