import Logging
package import NIOCore
package import PeerTransport
import Raft

/// The wire: envelopes to frames and back.
extension RaftNode: PeerTransportDelegate {
    func send(_ envelope: PeerEnvelope) {
        let lane: PeerLane
        switch envelope.message.lane {
        case .control: lane = .control
        case .log: lane = .log
        case .snapshot: return bulkLanes.snapshots.send(envelope)
        }
        _ = transport.send(ByteBuffer(bytes: envelope.encoded()), to: envelope.to.rawValue, lane: lane)
    }

    func connect(_ contacts: [Contact]) {
        bodies.configure(replica.core.configuration)
        var known: [PeerContact] = []
        for contact in contacts {
            // An address that a configuration has brought is UTF-8; a peer's may be anything.
            guard let address = String(validating: contact.address, as: UTF8.self), !address.isEmpty else { continue }
            known.append(
                PeerContact(node: contact.node.rawValue, incarnation: contact.incarnation?.rawValue, address: address))
        }
        transport.setContacts(known)
    }

    package func received(_ body: ByteBuffer, from peer: PeerIdentity, lane: PeerLane, version: UInt16) -> Bool {
        guard let envelope = PeerEnvelope(body, from: peer, logger) else { return false }
        handle(.received(envelope))
        return true
    }

    package func readCompleted() { actSoon() }

    package func connected(_ peer: PeerIdentity, version: UInt16) {
        handle(.connected(NodeID(peer.node)))
        act()
    }

    package func connectionLost(_ node: UInt64) {
        handle(.connectionLost(NodeID(node)))
        bodies.lost(NodeID(node))
        act()
    }

    package func unreachable(_ node: UInt64) {
        handle(.unreachable(NodeID(node)))
        act()
    }

    package func refused(_ peer: PeerIdentity, reason: PeerRefusal) {
        handle(.refused(NodeIdentity(NodeID(peer.node), Incarnation(peer.incarnation))))
    }

    package func refused(by peer: PeerIdentity, reason: PeerRefusal) {
        guard let refusal = MessageRefusal(reason) else { return }
        if refusal == .removed, isTurnedAway(by: peer.node) { handle(.turnedAway) }
        // As if it had said so in a message.
        handle(
            .received(
                PeerEnvelope(
                    cluster: nil, from: NodeIdentity(NodeID(peer.node), Incarnation(peer.incarnation)), to: identity.node,
                    toIncarnation: nil, message: .refusal(refusal))))
        act()
    }
}

extension RaftNode {
    /// Most of the others, as this node knows them, say that it was removed. It may have been down then, and know nothing of it. One
    /// alone could be behind the others.
    private func isTurnedAway(by peer: UInt64) -> Bool {
        if replica.core.leader != nil { removers = [] }
        removers.insert(peer)
        let others = replica.core.configuration.voters.filter { $0 != identity.node }
        return others.count { removers.contains($0.rawValue) } >= (others.isEmpty ? 0 : others.count / 2 + 1)
    }
}

extension PeerEnvelope {
    /// - Returns: nil if it is no message, or not one of that peer.
    init?(_ body: ByteBuffer, from peer: PeerIdentity, _ logger: Logger) {
        do throws(DecodingFault) {
            try self.init(decoding: Array(body.readableBytesView))
            // Who speaks was settled when the connection was made.
            if from.node.rawValue == peer.node, from.incarnation.rawValue == peer.incarnation { return }
            logger.debug("A peer speaks for another one", metadata: ["peer": "\(peer.node)"])
            return nil
        } catch {
            logger.debug("A peer's message cannot be read", metadata: ["peer": "\(peer.node)", "error": "\(error)"])
            return nil
        }
    }
}

extension MessageRefusal {
    /// What the replica acts upon.
    fileprivate init?(_ reason: PeerRefusal) {
        switch reason {
        case .wrongCluster: self = .wrongCluster
        case .wrongIncarnation: self = .wrongIncarnation
        case .removed: self = .removed
        case .notThisIncarnation: self = .misaddressed
        case .notThisNode, .noCommonVersion, .unknownNode, .malformed, .other: return nil
        }
    }
}
