/// Whom to keep connections with.
package struct PeerContact: Sendable, Hashable {
    package var node: UInt64
    /// Nil: not known yet; whichever disk answers is taken.
    package var incarnation: UInt64?
    /// `host:port`, with a name, an IPv4 address, or an IPv6 address in brackets. Looked up at each dial.
    package var address: String
    /// Which version the lane that leads has found, for a transport that carries others.
    var version: UInt16?

    package init(node: UInt64, incarnation: UInt64?, address: String) {
        self.node = node
        self.incarnation = incarnation
        self.address = address
    }
}

/// Where a peer listens.
struct PeerAddress: Sendable, Hashable {
    /// A name or an address, without brackets.
    var host: String
    var port: Int

    /// - Returns: nil if it is no `host:port`.
    init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]), port > 0 else {
            return nil
        }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            return nil
        }
        guard !host.isEmpty else { return nil }
        self.host = String(host)
        self.port = Int(port)
    }
}
