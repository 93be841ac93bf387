import NIOCore

extension PeerTransport {
    /// To be read on the loop.
    package var statistics: PeerTransportStatistics {
        eventLoop.preconditionInEventLoop()
        var statistics = counts
        statistics.connectionsOpen = UInt64(accepted.count)
        for peer in peers {
            var traffic = PeerLanes { peer.routes[$0].traffic }
            for connection in accepted where connection.peer.node == peer.node {
                traffic[connection.lane].framesReceived += connection.frameCount
                traffic[connection.lane].bytesReceived += connection.byteCount
            }
            statistics.peers.append(
                PeerTransportStatistics.Peer(
                    node: peer.node, incarnation: peer.leading?.peer?.incarnation, version: peer.leading?.version,
                    isConnected: PeerLanes { peer.routes[$0].openConnection != nil }, traffic: traffic))
        }
        return statistics
    }
}
