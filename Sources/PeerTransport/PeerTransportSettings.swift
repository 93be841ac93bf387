/// Bounds and times of a transport. Whatever a peer can make it hold has one.
package struct PeerTransportSettings: Sendable {
    /// Versions of what is inside the frames that this build knows. A connection uses the newest that both ends know.
    package var versions: ClosedRange<UInt16> = 1...1

    // Frames.
    /// Longest body, both to send and to receive. The log's: an entry of 64 MiB among others.
    package var frameByteCountMax = PeerLanes(control: 1 << 20, log: 72 << 20, snapshot: 8 << 20, body: 2 << 20)
    /// Frames of a connection that have not left the process yet; more are dropped.
    package var queueCountMax = PeerLanes(control: 8192, log: 8192, snapshot: 64, body: 4096)
    /// Their bytes. One frame may always wait, whatever its length.
    package var queueByteCountMax = PeerLanes(control: 8 << 20, log: 64 << 20, snapshot: 16 << 20, body: 96 << 20)

    // Connections.
    package var connectMilliseconds: Int64 = 2000
    /// From the connection to the end of the handshake, TLS included.
    package var handshakeMilliseconds: Int64 = 5000
    /// Accepted connections without a finished handshake; for a further one the oldest of whoever has most is closed.
    package var handshakeCountMax = 64
    /// Accepted connections altogether; further ones are closed.
    package var connectionCountMax = 1024
    /// Between two dials, doubled from the first to the second, half of it at random.
    package var retryMillisecondsMin: Int64 = 50
    package var retryMillisecondsMax: Int64 = 2000
    /// A connection over which nothing could be sent for so long, though there was something, is lost.
    package var stallMilliseconds: Int64 = 5000

    /// How often stalls are looked for and dropped frames reported.
    package var reportMilliseconds: Int64 = 100

    package init() {}
}
