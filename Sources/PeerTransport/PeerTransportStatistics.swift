/// Frames and bytes of one lane of one peer since the start, headers of frames included.
package struct PeerTraffic: Sendable, Equatable {
    package var framesSent: UInt64 = 0
    package var bytesSent: UInt64 = 0
    /// Not sent: there was no connection, or too much was waiting.
    package var framesDropped: UInt64 = 0
    package var framesReceived: UInt64 = 0
    package var bytesReceived: UInt64 = 0
    /// Handshakes of connections to the peer that came to a good end.
    package var connections: UInt64 = 0

    package init() {}
}

/// How a transport fares. Counts are since its start.
package struct PeerTransportStatistics: Sendable, Equatable {
    package struct Peer: Sendable, Equatable {
        package var node: UInt64
        /// As the open connection of the lane that leads found it.
        package var incarnation: UInt64?
        package var version: UInt16?
        package var isConnected: PeerLanes<Bool>
        package var traffic: PeerLanes<PeerTraffic>
    }

    /// Contacts, ascending by node.
    package var peers: [Peer] = []
    package var connectionsAccepted: UInt64 = 0
    /// Accepted ones that are open, handshaking or not.
    package var connectionsOpen: UInt64 = 0
    /// Closed at once, because too many were open.
    package var connectionsTurnedAway: UInt64 = 0
    /// Closed in their handshake, because newer ones came and too many had not finished it.
    package var handshakesEvicted: UInt64 = 0
    /// Dials that led to no connection.
    package var dialsFailed: UInt64 = 0
    /// This node refused a peer, or a peer this node.
    package var refusals: UInt64 = 0
    /// Connections that ended because of what came on them.
    package var malformedConnections: UInt64 = 0
    package var handshakeTimeouts: UInt64 = 0
    /// Connections given up because nothing could be sent for too long.
    package var stalls: UInt64 = 0
    /// Frames for nodes that are no contacts.
    package var framesForStrangers: UInt64 = 0

    package init() {}
}
