#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif
import Logging
package import NIOCore
import NIOPosix
import NIOSSL

/// The connections that this node receives on.
extension PeerTransport {
    func listen(host: String, port: Int) -> EventLoopFuture<SocketAddress> {
        var bootstrap = ServerBootstrap(group: eventLoop, childGroup: eventLoop)
            .serverChannelOption(.backlog, value: 256)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelInitializer { channel in
                // Out of descriptors: accepting pauses for a second instead of failing.
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(AcceptBackoffHandler())
                }
            }
            .childChannelOption(.recvAllocator, value: Self.receiveAllocator)
            .childChannelInitializer { [self] channel in
                channel.eventLoop.makeCompletedFuture { try accept(channel) }
            }
        for (option, value) in settings.socketOptions { bootstrap = bootstrap.childChannelOption(option, value: value) }
        return bootstrap.bind(host: host, port: port).flatMapThrowing { [self] channel in
            eventLoop.preconditionInEventLoop()
            track(channel)
            guard phase == .running, let address = channel.localAddress else {
                channel.close(promise: nil)
                throw PeerTransportError.cannotBind(host: host, port: port, reason: "closed")
            }
            listener = channel
            return address
        }.flatMapErrorThrowing { error in
            if error is PeerTransportError { throw error }
            if let error = error as? IOError, error.errnoCode == EADDRINUSE {
                throw PeerTransportError.addressInUse(host: host, port: port)
            }
            throw PeerTransportError.cannotBind(host: host, port: port, reason: "\(error)")
        }
    }

    private static let receiveAllocator = AdaptiveRecvByteBufferAllocator(
        minimum: 4 << 10, initial: 16 << 10, maximum: 256 << 10)

    struct TurnedAway: Error {}

    /// Takes a channel that was accepted.
    ///
    /// - Parameter moved: by the transport that this one follows, with the lane of its opening and what came behind that.
    package func accept(_ channel: any Channel, moved: (lane: PeerLane, rest: ByteBuffer)? = nil) throws {
        eventLoop.preconditionInEventLoop()
        guard phase == .running, accepted.count < settings.connectionCountMax else {
            counts.connectionsTurnedAway += 1
            if phase == .running, logGate.opens(for: "too many", "", quiet: .seconds(60)) {
                logger.warning(
                    "too many connections of peers; the newest are closed", metadata: ["open": "\(accepted.count)"])
            }
            throw TurnedAway()
        }
        makeRoomForHandshake()
        if moved == nil { counts.connectionsAccepted += 1 }
        track(channel)
        let connection = IncomingConnection(transport: self, moved: moved)
        accepted.append(connection)
        channel.closeFuture.assumeIsolated().whenComplete { [self] _ in
            accepted.removeAll { $0 === connection }
            absorb(connection)
            shareAdmitted()
        }
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHandler(connection)
        if moved != nil, let tls { try connection.secure(pipeline, tls) }
    }

    /// Who connects and says nothing makes way for the next one, so that strangers cannot keep peers out.
    private func makeRoomForHandshake() {
        let handshaking = accepted.filter { $0.isHandshaking }
        guard handshaking.count >= settings.handshakeCountMax,
            let place = HandshakeEviction.place(in: handshaking.map(\.source))
        else { return }
        let evicted = handshaking[place]
        counts.handshakesEvicted += 1
        if logGate.opens(for: "evicted", "", quiet: .seconds(60)) {
            logger.warning(
                "too many connections have not finished their handshake; the oldest of whoever has most are closed",
                metadata: ["handshaking": "\(handshaking.count)", "address": "\(evicted.source)"])
        }
        evicted.close()
    }

    // MARK: The lanes of another loop

    /// Gives the socket of a connection to the loop of its lane.
    ///
    /// - Parameter rest: what has been read behind the opening.
    func move(_ connection: IncomingConnection, _ channel: any Channel, _ rest: ByteBuffer) {
        guard let bulk, bulk.lanes.contains(connection.lane) else { preconditionFailure("a lane that nobody carries") }
        let lane = connection.lane
        // A second descriptor of the same socket: closing the first leaves the connection as it is.
        let descriptor = try? channel.pipeline.syncOperations.withUnsafeTransportIfAvailable(of: NIOBSDSocket.Handle.self) {
            fcntl($0, F_DUPFD_CLOEXEC, 0)
        }
        guard let descriptor, descriptor >= 0 else {
            failed(connection, MoveFault(), address: channel.remoteAddress)
            return connection.close()
        }
        connection.close()
        bulk.eventLoop.execute { bulk.adopt(descriptor, lane, rest) }
    }

    private struct MoveFault: Error, CustomStringConvertible {
        var description: String { "the system has no descriptor left" }
    }

    private func adopt(_ descriptor: NIOBSDSocket.Handle, _ lane: PeerLane, _ rest: ByteBuffer) {
        entered(count: 1)
        ClientBootstrap(group: eventLoop)
            .channelOption(.recvAllocator, value: Self.receiveAllocator)
            .channelOption(.autoRead, value: false)
            .channelInitializer { [self] channel in
                channel.eventLoop.makeCompletedFuture { try accept(channel, moved: (lane, rest)) }
            }
            // Closes it if it is not accepted.
            .withConnectedSocket(descriptor)
            .assumeIsolated().whenComplete { [self] _ in entered(count: -1) }
    }

    private func shareAdmitted() {
        guard bulk != nil else { return }
        admitted.set(accepted.filter { $0.isOpen && $0.lane == lanes[0] }.map(\.peer))
    }

    // MARK: Handshakes

    /// Answers a hello: lets the connection receive, or refuses it.
    func answer(_ connection: IncomingConnection, _ hello: PeerHandshake, lane: PeerLane) {
        let dialler = hello.sender
        let version = PeerHandshake.commonVersion(settings.versions, hello.versions)
        var refusal: PeerRefusal?
        if hello.receiverNode != identity.node {
            refusal = .notThisNode
        } else if let meant = hello.receiverIncarnation, meant != identity.incarnation {
            refusal = .notThisIncarnation
        } else {
            refusal = version == nil ? .noCommonVersion : self.refusal(of: dialler)
        }
        guard refusal == nil, let version else {
            let reason = refusal ?? .noCommonVersion
            connection.refuse(reason, node: dialler.node, incarnation: dialler.incarnation)
            return logRefusal(of: dialler, reason, at: "\(dialler.node)")
        }
        for other in accepted where other.isOpen && other.peer.node == dialler.node {
            if other.lane == lane || other.peer.incarnation != dialler.incarnation { other.close() }
        }
        connection.open(dialler, version: version)
        shareAdmitted()
        guard firstLanes.contains(lane), let peer = peer(dialler.node) else { return }
        // It lives: no need to wait with what is dialled in the other direction.
        peer.isLost = false
        if let found = peer.routes[lane].openConnection?.peer, found.incarnation != dialler.incarnation {
            redial(peer)
        } else {
            dialAtOnce(peer.routes[lane])
        }
    }

    /// Its channel is closed.
    func ended(_ connection: IncomingConnection, wasOpen: Bool) {
        guard wasOpen, leads(connection.lane) else { return }
        let node = connection.peer.node
        if let peer = peer(node) {
            lost(peer)
        } else {
            tell { $0.connectionLost(node) }
        }
    }

    /// Keeps the counts of a connection that is gone.
    private func absorb(_ connection: IncomingConnection) {
        guard let route = peer(connection.peer.node)?.routes[connection.lane] else { return }
        route.traffic.framesReceived += connection.frameCount
        route.traffic.bytesReceived += connection.byteCount
    }

    func timedOut(_ connection: IncomingConnection, address: SocketAddress?) {
        counts.handshakeTimeouts += 1
        if logGate.opens(for: "handshake timeout", address?.ipAddress ?? "", quiet: .seconds(60)) {
            logger.warning("a connection was opened, and no handshake followed", metadata: ["address": "\(named(address))"])
        }
        connection.close()
    }

    func failed(_ connection: IncomingConnection, _ error: any Error, address: SocketAddress?) {
        guard connection.isHandshaking, logGate.opens(for: "failed", address?.ipAddress ?? "", quiet: .seconds(60)) else {
            return
        }
        logger.warning(
            "a connection failed before its handshake", metadata: ["address": "\(named(address))", "error": "\(error)"])
    }

    func broke(_ connection: IncomingConnection, _ fault: PeerWireFault, address: SocketAddress?) {
        logMalformed(fault, address)
        if connection.isHandshaking, fault == .malformedHandshake {
            connection.refuse(.malformed, node: 0, incarnation: nil)
        } else {
            connection.close()
        }
    }

    /// Closes what would not be admitted any more.
    func closeUnwelcome() {
        for connection in accepted where connection.isOpen && refusal(of: connection.peer) != nil { connection.close() }
        shareAdmitted()
    }

    /// Ends the connections that a node has to this one; it may connect again.
    package func disconnect(_ node: UInt64) {
        eventLoop.preconditionInEventLoop()
        for connection in accepted where connection.isOpen && connection.peer.node == node { connection.close() }
        shareAdmitted()
    }

    // MARK: The log

    func logMalformed(_ fault: PeerWireFault, _ address: SocketAddress?) {
        counts.malformedConnections += 1
        guard logGate.opens(for: fault.name, address?.ipAddress ?? "", quiet: .seconds(60)) else { return }
        logger.warning(
            "a connection sent what no peer sends; it is closed",
            metadata: ["address": "\(named(address))", "reason": "\(fault)"])
    }

    func logRefusal(of peer: PeerIdentity, _ reason: PeerRefusal, at whom: String) {
        counts.refusals += 1
        if logGate.opens(for: "refusing \(peer): \(reason)", whom, quiet: nil) {
            logger.warning(
                "a peer is refused",
                metadata: [
                    "node": "\(peer.node)", "incarnation": "\(peer.incarnation)", "reason": "\(reason)",
                    "cluster": "\(peer.cluster.map { "\($0)" } ?? "none")",
                ])
        }
        tell { $0.refused(peer, reason: reason) }
    }

    private func named(_ address: SocketAddress?) -> String {
        guard let address, let host = address.ipAddress, let port = address.port else { return "unknown" }
        return host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}
