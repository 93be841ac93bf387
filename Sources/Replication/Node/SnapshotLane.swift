import Logging
import NIOCore
import PeerTransport
import Raft
import Synchronization

/// The lane of snapshots on its own event loop: chunks are framed, decoded and compared with their checksums there, so that what is left
/// for the replica's loop is to decide.
///
/// What comes is given on the transport's loop; `send` from any thread.
final class SnapshotLane: Sendable {
    /// Received chunks that the replica's loop has not seen yet; more are dropped. It asks for one at a time, and again for what is lost.
    private static let waitingCountMax = 4

    private let transport: PeerTransport
    private let logger: Logger
    private let onChunk: @Sendable (PeerEnvelope) -> Void
    private let waitingCount = Atomic(0)

    /// - Parameter onChunk: takes a chunk to where it is acted upon, which says `taken` there.
    init(_ transport: PeerTransport, logger: Logger, onChunk: @escaping @Sendable (PeerEnvelope) -> Void) {
        self.transport = transport
        self.logger = logger
        self.onChunk = onChunk
    }

    func send(_ envelope: PeerEnvelope) {
        let (body, receiver) = (ByteBuffer(bytes: envelope.encoded()), envelope.to.rawValue)
        transport.eventLoop.execute { [transport] in
            transport.send(body, to: receiver, lane: .snapshot)
            transport.flush()
        }
    }

    func taken() { waitingCount.subtract(1, ordering: .relaxed) }

    /// A frame of the lane. - Returns: false if no peer says such a thing.
    func received(_ body: ByteBuffer, from peer: PeerIdentity) -> Bool {
        guard let envelope = PeerEnvelope(body, from: peer, logger), case .snapshotChunk = envelope.message else {
            return false
        }
        if waitingCount.add(1, ordering: .relaxed).newValue > Self.waitingCountMax {
            taken()
        } else {
            onChunk(envelope)
        }
        return true
    }
}

/// Whoever the lanes of the bulk loop belong to.
final class BulkLanes: PeerTransportDelegate, Sendable {
    let snapshots: SnapshotLane
    let bodies: BodyExchange

    init(snapshots: SnapshotLane, bodies: BodyExchange) {
        self.snapshots = snapshots
        self.bodies = bodies
    }

    func received(_ body: ByteBuffer, from peer: PeerIdentity, lane: PeerLane, version: UInt16) -> Bool {
        switch lane {
        case .snapshot: snapshots.received(body, from: peer)
        case .body: bodies.received(body, from: peer)
        case .control, .log: false
        }
    }

    // The replica hears of peers by the control lane.
    func readCompleted() {}
    func connected(_ peer: PeerIdentity, version: UInt16) {}
    func connectionLost(_ node: UInt64) {}
    func unreachable(_ node: UInt64) {}
    func refused(_ peer: PeerIdentity, reason: PeerRefusal) {}
    func refused(by peer: PeerIdentity, reason: PeerRefusal) {}
}
