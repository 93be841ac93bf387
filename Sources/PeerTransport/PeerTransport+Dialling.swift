import Logging
import NIOCore
import NIOPosix
import NIOSSL

/// The connections that this node sends on. The leading lane comes first; the others follow when it is open, and end with it.
extension PeerTransport {
    func dial(_ route: PeerRoute) {
        guard phase == .running, let peer = peer(route.node), !isFollower || peer.contact.version != nil else {
            route.state = .idle
            return
        }
        guard let address = PeerAddress(peer.contact.address) else {
            if logGate.opens(for: "address", "\(peer.node)", quiet: nil) {
                logger.error(
                    "a peer's address is no host and port",
                    metadata: ["node": "\(peer.node)", "address": "\(peer.contact.address)"])
            }
            route.delay.raise()
            return retry(route)
        }
        // The other lanes go to whom the leading one has found.
        let connection = OutgoingConnection(
            route: route, incarnation: peer.contact.incarnation ?? peer.leading?.peer?.incarnation,
            version: peer.contact.version ?? peer.leading?.version, transport: self)
        route.state = .active(connection)
        entered(count: 1)
        connect(to: address).assumeIsolated().whenComplete { [self] result in
            if case .success(let channel) = result { track(channel) }
            entered(count: -1)
            do {
                try begin(connection, on: result.get(), at: address)
            } catch {
                failed(connection, error)
            }
        }
    }

    private func connect(to address: PeerAddress) -> EventLoopFuture<any Channel> {
        var bootstrap = ClientBootstrap(group: eventLoop).connectTimeout(.milliseconds(settings.connectMilliseconds))
        for (option, value) in settings.socketOptions { bootstrap = bootstrap.channelOption(option, value: value) }
        if let literal = try? SocketAddress(ipAddress: address.host, port: address.port) {
            return bootstrap.connect(to: literal)
        }
        return bootstrap.connect(host: address.host, port: address.port)
    }

    private func begin(_ connection: OutgoingConnection, on channel: any Channel, at address: PeerAddress) throws {
        // It was given up in the meantime.
        guard !connection.isClosed else { return channel.close(promise: nil) }
        do {
            channel.write(PeerOpening.encoded(connection.route.lane), promise: nil)
            if let tls {
                try channel.pipeline.syncOperations.addHandler(tls.clientHandler(host: address.host))
            }
            try channel.pipeline.syncOperations.addHandler(connection)
        } catch {
            channel.close(promise: nil)
            throw error
        }
    }

    /// Dials again after a while.
    private func retry(_ route: PeerRoute) {
        guard phase == .running else {
            route.state = .idle
            return
        }
        route.state = .waiting(
            eventLoop.assumeIsolated().scheduleTask(in: route.delay.take()) { [self] in dial(route) })
    }

    /// Begins anew, and at once.
    func redial(_ peer: Peer) {
        abandon(peer)
        for lane in lanes { peer.routes[lane].delay.reset() }
        dialFirst(peer)
    }

    func dialFirst(_ peer: Peer) {
        for lane in firstLanes { dial(peer.routes[lane]) }
    }

    /// There is no need to wait with the next dial, if that is what the route does.
    func dialAtOnce(_ route: PeerRoute) {
        guard case .waiting = route.state else { return }
        route.abandon()
        route.delay.reset()
        dial(route)
    }

    func abandon(_ peer: Peer) {
        for lane in lanes { peer.routes[lane].abandon() }
        leadFollower()
    }

    // MARK: What becomes of a connection

    /// Why the owner of a welcome is not whom this node wants to talk to.
    func refusal(ofAnswer acceptor: PeerIdentity, expected: (node: UInt64, incarnation: UInt64?)) -> PeerRefusal? {
        if let cluster = identity.cluster, let theirs = acceptor.cluster, cluster != theirs { return .wrongCluster }
        if acceptor.node != expected.node { return .notThisNode }
        if let incarnation = expected.incarnation, incarnation != acceptor.incarnation { return .notThisIncarnation }
        return nil
    }

    func opened(_ connection: OutgoingConnection, _ identity: PeerIdentity, _ version: UInt16) {
        let route = connection.route
        guard let peer = peer(route.node) else { return connection.close() }
        route.delay.reset()
        route.traffic.connections += 1
        guard firstLanes.contains(route.lane) else { return }
        peer.isLost = false
        logGate.forget("\(peer.node)")
        leadFollower()
        guard !isFollower else { return }
        logger.info("connected to a peer", metadata: ["node": "\(peer.node)", "version": "\(version)"])
        tell { $0.connected(identity, version: version) }
        for lane in lanes.dropFirst() {
            peer.routes[lane].abandon()
            peer.routes[lane].delay.reset()
            dial(peer.routes[lane])
        }
    }

    /// The channel of the connection is closed, by the other end or by an error.
    func ended(_ connection: OutgoingConnection) {
        guard connection.isOpen else { return failed(connection, PeerDialFault.closedInHandshake) }
        if leads(connection.route.lane), let peer = peer(connection.route.node) { lost(peer) }
        dropped(connection)
    }

    /// It came to no handshake.
    func failed(_ connection: OutgoingConnection, _ reason: any Error) {
        guard !connection.isClosed else { return }
        counts.dialsFailed += 1
        logTrouble(connection, reason)
        dropped(connection)
    }

    func logTrouble(_ connection: OutgoingConnection, _ reason: any Error) {
        let node = connection.route.node
        guard logGate.opens(for: "no connection", "\(node)", quiet: nil) else { return }
        logger.warning(
            "there is no connection with a peer; it is tried again",
            metadata: [
                "node": "\(node)", "address": "\(peer(node)?.contact.address ?? "none")", "error": "\(reason)",
            ])
    }

    func stalled(_ connection: OutgoingConnection) {
        counts.stalls += 1
        let route = connection.route
        logger.warning("a peer takes nothing any more", metadata: ["node": "\(route.node)", "lane": "\(route.lane)"])
        if leads(route.lane), let peer = peer(route.node) { lost(peer) }
        dropped(connection)
    }

    /// What came is no answer.
    func broke(_ connection: OutgoingConnection, _ fault: PeerWireFault, address: SocketAddress?) {
        logMalformed(fault, address)
        connection.route.delay.raise()
        dropped(connection)
    }

    func refused(_ connection: OutgoingConnection, by acceptor: PeerIdentity, _ reason: PeerRefusal) {
        counts.refusals += 1
        if logGate.opens(for: "refused by \(acceptor): \(reason)", "\(connection.route.node)", quiet: nil) {
            logger.warning(
                "a peer refuses this node",
                metadata: [
                    "node": "\(connection.route.node)", "reason": "\(reason)", "answered": "\(acceptor.node)",
                    "incarnation": "\(acceptor.incarnation)",
                ])
        }
        tell { $0.refused(by: acceptor, reason: reason) }
        connection.route.delay.raise()
        dropped(connection)
    }

    func refused(_ connection: OutgoingConnection, _ acceptor: PeerIdentity, _ reason: PeerRefusal) {
        logRefusal(of: acceptor, reason, at: "\(connection.route.node)")
        connection.route.delay.raise()
        dropped(connection)
    }

    func lost(_ peer: Peer) {
        guard !peer.isLost else { return }
        peer.isLost = true
        let node = peer.node
        logger.info("the connection with a peer is lost", metadata: ["node": "\(node)"])
        tell { $0.connectionLost(node) }
    }

    /// The connection is over; the route is tried again.
    private func dropped(_ connection: OutgoingConnection) {
        connection.close()
        let route = connection.route
        guard route.connection === connection else { return }
        guard let peer = peer(route.node) else { return route.abandon() }
        if leads(route.lane) {
            abandon(peer)
            retry(route)
        } else if isFollower || peer.leading != nil {
            retry(route)
        } else {
            route.abandon()
        }
    }
}
