package import NIOCore

/// Who owns a transport, or those lanes of it that have a loop of their own. All calls come on the event loop of that.
///
/// `received` and `readCompleted` come synchronously out of reading from a socket. The others come on a turn of their own, so never from
/// within a call to the transport.
package protocol PeerTransportDelegate: AnyObject {
    /// A frame. The body may be a slice of a larger buffer: who keeps it keeps that.
    ///
    /// - Parameters:
    ///   - peer: who said so in the handshake of the connection.
    ///   - version: in which the body is encoded.
    /// - Returns: false if no peer says such a thing: the connection is closed.
    func received(_ body: ByteBuffer, from peer: PeerIdentity, lane: PeerLane, version: UInt16) -> Bool
    /// All that could be read from one connection has been received: the time to act upon it.
    func readCompleted()

    /// Frames to the peer are sent from now on, until `connectionLost` or `unreachable`.
    func connected(_ peer: PeerIdentity, version: UInt16)
    /// The peer's end closed a control connection, of whichever direction, or takes nothing from it any more: its process or its machine
    /// is gone, as far as can be told. A living one does so too when it no longer wants to talk to this node.
    func connectionLost(_ node: UInt64)
    /// Frames to the peer were dropped since the last report.
    func unreachable(_ node: UInt64)

    /// This node does not talk to the peer.
    func refused(_ peer: PeerIdentity, reason: PeerRefusal)
    /// The peer, who may be another one than the node that was meant, does not talk to this node.
    func refused(by peer: PeerIdentity, reason: PeerRefusal)
}
