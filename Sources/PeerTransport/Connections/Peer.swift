import NIOCore

/// A contact, and this node's connections to it. Confined to the transport's loop, as all that it refers to.
final class Peer {
    var contact: PeerContact
    private(set) var routes: PeerLanes<PeerRoute>
    private let leadingLane: PeerLane
    /// `connectionLost` has been said, and no leading connection has come since.
    var isLost = false
    /// Frames were dropped since `unreachable` was last said.
    var hasDroppedFrames = false

    init(_ contact: PeerContact, leadingLane: PeerLane, settings: PeerTransportSettings) {
        self.contact = contact
        self.leadingLane = leadingLane
        routes = PeerLanes { PeerRoute(to: contact.node, $0, settings: settings) }
    }

    var node: UInt64 { contact.node }

    /// What is connected, if anything is, is that incarnation.
    func isOf(_ incarnation: UInt64?) -> Bool {
        guard let incarnation, let leading else { return incarnation == contact.incarnation }
        return leading.peer?.incarnation == incarnation
    }

    /// The lane that is dialled first, and without which there are no others.
    var leadingRoute: PeerRoute { routes[leadingLane] }
    /// Its connection, once the handshake is done.
    var leading: OutgoingConnection? { leadingRoute.openConnection }
}

/// The way of one lane to one peer: at most one connection at a time, or one on its way.
final class PeerRoute {
    enum State {
        case idle
        /// Dialled, in its handshake, or open.
        case active(OutgoingConnection)
        case waiting(Scheduled<Void>)
    }

    let node: UInt64
    let lane: PeerLane
    var state = State.idle
    var delay: RetryDelay
    var traffic = PeerTraffic()

    init(to node: UInt64, _ lane: PeerLane, settings: PeerTransportSettings) {
        self.node = node
        self.lane = lane
        delay = RetryDelay(settings)
    }

    var connection: OutgoingConnection? {
        if case .active(let connection) = state { return connection }
        return nil
    }

    var openConnection: OutgoingConnection? { connection.flatMap { $0.isOpen ? $0 : nil } }

    /// Ends whatever there is, without a word to the owner.
    func abandon() {
        switch state {
        case .idle: break
        case .active(let connection): connection.close()
        case .waiting(let retry): retry.cancel()
        }
        state = .idle
    }
}
