import Logging
import NIOCore
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
            .childChannelOption(
                .recvAllocator, value: AdaptiveRecvByteBufferAllocator(minimum: 4 << 10, initial: 16 << 10, maximum: 256 << 10)
            )
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

    struct TurnedAway: Error {}

    /// Takes a channel that was accepted.
    func accept(_ channel: any Channel) throws {
        eventLoop.preconditionInEventLoop()
        let handshakingCount = accepted.count { $0.isHandshaking }
        guard phase == .running, handshakingCount < settings.handshakeCountMax, accepted.count < settings.connectionCountMax
        else {
            counts.connectionsTurnedAway += 1
            if phase == .running, logGate.opens(for: "too many", "", quiet: .seconds(60)) {
                logger.warning(
                    "too many connections of peers; the newest are closed",
                    metadata: ["handshaking": "\(handshakingCount)", "open": "\(accepted.count)"])
            }
            throw TurnedAway()
        }
        counts.connectionsAccepted += 1
        track(channel)
        let connection = IncomingConnection(transport: self)
        accepted.append(connection)
        channel.closeFuture.assumeIsolated().whenComplete { [self] _ in
            accepted.removeAll { $0 === connection }
            absorb(connection)
        }
        if let tls {
            try channel.pipeline.syncOperations.addHandler(tls.serverHandler())
        }
        try channel.pipeline.syncOperations.addHandler(connection)
    }

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
        connection.open(dialler, lane: lane, version: version)
        guard lane == .control, let peer = peer(dialler.node) else { return }
        // It lives: no need to wait with what is dialled in the other direction.
        peer.isLost = false
        if let found = peer.control?.peer, found.incarnation != dialler.incarnation {
            redial(peer)
        } else if case .waiting = peer.routes.control.state {
            redial(peer)
        }
    }

    /// Its channel is closed.
    func ended(_ connection: IncomingConnection, wasOpen: Bool) {
        guard wasOpen, connection.lane == .control else { return }
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
