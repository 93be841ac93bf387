package import Logging
package import NIOCore
import NIOPosix
import Synchronization

/// Connections between nodes: moves opaque frames, whole and in order on each lane, or not at all.
///
/// ```
///   this node                                   peer
///   control  ──► dialled by us ───────────────► accepted
///   log      ──► dialled by us ───────────────► accepted       each connection carries frames one way only
///   snapshot ──► dialled by us ───────────────► accepted
///   body     ──► dialled by us ───────────────► accepted
///   accepted ◄────────────────── dialled by it ◄── control, log, snapshot, body
/// ```
///
/// Confined to one event loop, that of its owner's state: everything is called there, calls back there, and all sockets live there, so
/// that a message is acted upon where it arrives. Only the lanes of snapshots and bodies may be given a loop of their own (`bulk`), so
/// that their megabytes never delay a heartbeat: that is a transport like this one, without a port, which follows this one. A connection
/// that is accepted says first of all on which lane it is, and its socket is then moved to that loop.
///
/// ```
///   contacts ──► control ──► log                   eventLoop
///                   │ open or lost, admitted
///                   ├─► snapshot
///                   └─► body                       bulk.eventLoop
/// ```
///
/// `start` once, then `close`; it keeps its owner and itself alive in between.
///
/// `@unchecked Sendable`: every entry point checks that it is on `eventLoop`, and the channels, timers and connections that refer to
/// it live on that loop.
package final class PeerTransport: @unchecked Sendable {
    enum Phase {
        case idle, running, closed
    }

    package let eventLoop: any EventLoop
    package let settings: PeerTransportSettings
    /// The transport of the lanes of snapshots and bodies; nil: this one carries all.
    package let bulk: PeerTransport?
    /// What it carries. The first leads: it is dialled first, and who is lost on it is lost.
    let lanes: [PeerLane]
    /// It has no port, dials whom another one is connected with, and admits whom that one has admitted. That one leads: none of its own
    /// lanes depends on another of them.
    let isFollower: Bool
    /// Whose leading connections are accepted here, for the follower.
    let admitted = AdmittedPeers()
    /// What handshakes say of this node.
    package private(set) var identity: PeerIdentity
    let tls: PeerTransportTLS?
    let logger: Logger

    var phase = Phase.idle
    /// A class reference: calling through it boxes nothing.
    var delegate: (any PeerTransportDelegate)?
    private var admission: ((PeerIdentity) -> PeerRefusal?)?
    var listener: (any Channel)?
    /// Ascending by node.
    var peers: [Peer] = []
    /// Accepted connections until their channel is closed.
    var accepted: [IncomingConnection] = []
    /// Connections with frames that are not flushed.
    var marked: [OutgoingConnection] = []
    var logGate = LogGate()
    var counts = PeerTransportStatistics()

    private var timer: RepeatedTask?
    /// Channels that are open, and dials under way.
    private var openCount = 0
    private var closed: EventLoopPromise<Void>?

    /// - Parameters:
    ///   - bulkLoop: where the lanes of snapshots and bodies have their connections; nil: on `eventLoop`, as all.
    ///   - tls: both sides of mutual TLS; nil: plain TCP.
    package convenience init(
        identity: PeerIdentity, eventLoop: any EventLoop, bulkLoop: (any EventLoop)? = nil,
        settings: PeerTransportSettings = PeerTransportSettings(), tls: PeerTransportTLS? = nil, logger: Logger
    ) {
        let bulk = bulkLoop.map {
            PeerTransport(
                lanes: [.snapshot, .body], isFollower: true, bulk: nil, identity: identity, eventLoop: $0,
                settings: settings, tls: tls, logger: logger)
        }
        self.init(
            lanes: bulk == nil ? PeerLane.allCases : [.control, .log], isFollower: false, bulk: bulk, identity: identity,
            eventLoop: eventLoop, settings: settings, tls: tls, logger: logger)
    }

    private init(
        lanes: [PeerLane], isFollower: Bool, bulk: PeerTransport?, identity: PeerIdentity, eventLoop: any EventLoop,
        settings: PeerTransportSettings, tls: PeerTransportTLS?, logger: Logger
    ) {
        self.lanes = lanes
        self.isFollower = isFollower
        self.bulk = bulk
        self.identity = identity
        self.eventLoop = eventLoop
        self.settings = settings
        self.tls = tls
        self.logger = logger
    }

    // MARK: Start and end

    /// Binds and begins to accept; contacts are dialled from now on.
    ///
    /// - Parameters:
    ///   - port: 0 asks the system for a free one.
    ///   - bulkDelegate: of the lanes of snapshots and bodies, called on their loop, where they have one of their own.
    ///   - admission: why a node that has found this one may not connect, or nil if it may; what the handshake alone can tell (cluster,
    ///     incarnation of this node, version) has been looked at before. Without it `refusalByContacts` decides.
    /// - Returns: the address bound. Fails with `PeerTransportError`.
    package func start(
        host: String, port: Int, delegate: any PeerTransportDelegate,
        bulkDelegate: (any PeerTransportDelegate & Sendable)? = nil, admission: ((PeerIdentity) -> PeerRefusal?)? = nil
    ) -> EventLoopFuture<SocketAddress> {
        precondition((bulk == nil) == (bulkDelegate == nil), "who owns the lanes of the bulk loop")
        if let bulk, let bulkDelegate {
            let admitted = admitted
            bulk.eventLoop.execute {
                bulk.begin(bulkDelegate) { admitted.contains($0) ? nil : .unknownNode }
            }
        }
        begin(delegate, admission)
        return listen(host: host, port: port)
    }

    /// Begins without a port: connections come by `accept`.
    package func begin(_ delegate: any PeerTransportDelegate, _ admission: ((PeerIdentity) -> PeerRefusal?)?) {
        eventLoop.preconditionInEventLoop()
        precondition(phase == .idle, "a transport starts once")
        phase = .running
        self.delegate = delegate
        self.admission = admission
        timer = eventLoop.scheduleRepeatedTask(
            initialDelay: .milliseconds(settings.reportMilliseconds), delay: .milliseconds(settings.reportMilliseconds)
        ) { [self] _ in
            tick()
        }
        for peer in peers { dialFirst(peer) }
    }

    /// Ends all connections; the owner hears nothing more. Completes when the last socket is closed.
    package func close() -> EventLoopFuture<Void> {
        eventLoop.preconditionInEventLoop()
        let promise = closed ?? eventLoop.makePromise(of: Void.self)
        closed = promise
        if phase != .closed {
            phase = .closed
            delegate = nil
            admission = nil
            timer?.cancel()
            timer = nil
            listener?.close(promise: nil)
            for peer in peers { abandon(peer) }
            for connection in accepted { connection.close() }
            marked = []
            entered(count: 0)
        }
        guard let bulk else { return promise.futureResult }
        return promise.futureResult.flatMap { bulk.eventLoop.flatSubmit { bulk.close() } }
    }

    /// One more channel or dial that `close` waits for, or one less.
    func entered(count: Int) {
        openCount += count
        if openCount == 0, phase == .closed { closed?.succeed() }
    }

    /// Counts the channel until it is closed.
    func track(_ channel: any Channel) {
        entered(count: 1)
        channel.closeFuture.assumeIsolated().whenComplete { [self] _ in entered(count: -1) }
    }

    // MARK: Whom to talk to

    /// Dials who is new, closes the connections with who is no longer there, and dials again where the address or the incarnation is
    /// another one. Accepted connections of nodes that would not be admitted any more are closed too. This node itself is left out.
    package func setContacts(_ contacts: [PeerContact]) {
        eventLoop.preconditionInEventLoop()
        guard phase != .closed else { return }
        var kept: [Peer] = []
        var changed: [Peer] = []
        var moved: [Peer] = []
        for contact in contacts.sorted(by: { $0.node < $1.node })
        where contact.node != identity.node && contact.node != kept.last?.node {
            let known = peer(contact.node)
            let peer = known ?? Peer(contact, leadingLane: lanes[0], settings: settings)
            kept.append(peer)
            guard known == nil || peer.contact != contact else { continue }
            changed.append(peer)
            let isSame = peer.contact.address == contact.address && peer.contact.version == contact.version
            if known == nil || !isSame || !peer.isOf(contact.incarnation) { moved.append(peer) }
            peer.contact = contact
        }
        for peer in peers where !kept.contains(where: { $0 === peer }) {
            changed.append(peer)
            abandon(peer)
        }
        guard !changed.isEmpty else { return }
        peers = kept
        for peer in changed { logGate.forget("\(peer.node)") }
        for peer in moved { redial(peer) }
        closeUnwelcome()
        leadFollower()
    }

    /// Tells the follower whom to dial: those that the leading lane has found, as it has found them.
    func leadFollower() {
        guard let bulk else { return }
        let contacts = peers.map { peer in
            var contact = peer.contact
            if let found = peer.leading { (contact.incarnation, contact.version) = (found.peer?.incarnation, found.version) }
            return contact
        }
        bulk.eventLoop.execute { bulk.setContacts(contacts) }
    }

    /// The node belongs to a cluster from now on. Connections with nodes of others end; refused peers are dialled at once.
    package func join(cluster: UInt64) {
        eventLoop.preconditionInEventLoop()
        guard phase != .closed, identity.cluster != cluster else { return }
        identity.cluster = cluster
        if let bulk { bulk.eventLoop.execute { bulk.join(cluster: cluster) } }
        for peer in peers {
            logGate.forget("\(peer.node)")
            let isOfAnother = firstLanes.contains { lane in
                peer.routes[lane].openConnection?.peer?.cluster.map { $0 != cluster } ?? false
            }
            if isOfAnother {
                redial(peer)
            } else {
                for lane in firstLanes { dialAtOnce(peer.routes[lane]) }
            }
        }
        closeUnwelcome()
    }

    /// Whom contacts alone admit: their nodes, with the incarnation that is known of them.
    package func refusalByContacts(of dialler: PeerIdentity) -> PeerRefusal? {
        guard let peer = peer(dialler.node) else { return .unknownNode }
        if let incarnation = peer.contact.incarnation, incarnation != dialler.incarnation { return .wrongIncarnation }
        return nil
    }

    func refusal(of dialler: PeerIdentity) -> PeerRefusal? {
        if let cluster = identity.cluster, let theirs = dialler.cluster, cluster != theirs { return .wrongCluster }
        // Two nodes were given one id.
        if dialler.node == identity.node { return .wrongIncarnation }
        return admission.map { $0(dialler) } ?? refusalByContacts(of: dialler)
    }

    /// The lanes that are dialled without waiting for another one of this transport.
    var firstLanes: [PeerLane] { isFollower ? lanes : [lanes[0]] }

    /// Whether the other lanes come with this one, and end with it.
    func leads(_ lane: PeerLane) -> Bool { !isFollower && lane == lanes[0] }

    func peer(_ node: UInt64) -> Peer? { peers.first { $0.node == node } }

    // MARK: Frames

    /// Puts a frame into the queue of a connection; `flush` sends it.
    ///
    /// - Parameters:
    ///   - body: at most `frameByteCountMax` of the lane, not empty.
    ///   - rest: the end of the body, where it is in memory of its own; it is not copied.
    /// - Returns: false if the frame was dropped, because there is no connection or too much is waiting; `unreachable` follows then.
    @discardableResult
    package func send(_ body: ByteBuffer, _ rest: ByteBuffer? = nil, to node: UInt64, lane: PeerLane) -> Bool {
        eventLoop.preconditionInEventLoop()
        precondition(lanes.contains(lane), "a frame on a lane of another loop")
        guard let peer = peer(node) else {
            counts.framesForStrangers += 1
            return false
        }
        let route = peer.routes[lane]
        let byteCount = body.readableBytes + (rest?.readableBytes ?? 0)
        if byteCount == 0 || byteCount > settings.frameByteCountMax[lane] {
            // The peer would close the connection.
            if logGate.opens(for: "frame of \(lane)", "\(node)", quiet: .seconds(60)) {
                logger.error(
                    "a frame for a peer is empty or too long",
                    metadata: ["node": "\(node)", "lane": "\(lane)", "bytes": "\(byteCount)"])
            }
        } else if let connection = route.connection, connection.send(body, rest) {
            return true
        }
        dropped(1, on: route)
        return false
    }

    func dropped(_ frameCount: Int, on route: PeerRoute) {
        guard frameCount > 0 else { return }
        route.traffic.framesDropped += UInt64(frameCount)
        peer(route.node)?.hasDroppedFrames = true
    }

    /// Sends what was put into queues since the last flush.
    package func flush() {
        eventLoop.preconditionInEventLoop()
        while let connection = marked.popLast() { connection.flush() }
    }

    /// In which the peer wants to have frames encoded; nil while it is not connected.
    package func version(of node: UInt64) -> UInt16? { peer(node)?.leading?.version }

    /// Tells the owner something on a turn of its own.
    func tell(_ event: @escaping (any PeerTransportDelegate) -> Void) {
        eventLoop.assumeIsolated().execute { [self] in
            if let delegate { event(delegate) }
        }
    }

    private func tick() {
        let now = NIODeadline.now()
        for peer in peers {
            if peer.hasDroppedFrames {
                peer.hasDroppedFrames = false
                let node = peer.node
                tell { $0.unreachable(node) }
            }
            for lane in lanes {
                if let connection = peer.routes[lane].openConnection, connection.isStalled(now: now) { stalled(connection) }
            }
        }
    }
}

/// Whom the leading lane has admitted, for the loop of other lanes.
final class AdmittedPeers: Sendable {
    private let peers = Mutex<[PeerIdentity]>([])

    func set(_ admitted: [PeerIdentity]) { peers.withLock { $0 = admitted } }

    /// The node may have joined its cluster between the one connection and the other.
    func contains(_ peer: PeerIdentity) -> Bool {
        peers.withLock { $0.contains { $0.node == peer.node && $0.incarnation == peer.incarnation } }
    }
}
