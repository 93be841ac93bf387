import Logging
import Raft

/// What the replica wants an operator to know, not oftener than an operator wants to read it.
struct NoteGate {
    private static let spacingMilliseconds: UInt64 = 10_000
    private static let countMax = 256

    private var noted: [ReplicaNote: ClockReading] = [:]

    mutating func isNews(_ note: ReplicaNote, at now: ClockReading) -> Bool {
        if let last = noted[note], now.milliseconds(since: last) < Self.spacingMilliseconds { return false }
        if noted.count >= Self.countMax { noted = [:] }
        noted[note] = now
        return true
    }
}

extension RaftNode {
    func write(_ note: ReplicaNote) {
        switch note {
        case .invalidMessage(let sender, let error):
            logger.warning("A peer breaks the protocol", metadata: ["peer": "\(sender.rawValue)", "error": "\(error)"])
        case .malformedForward(let sender):
            logger.warning("A peer forwards what is no command", metadata: ["peer": "\(sender.rawValue)"])
        case .refusedPeer(let peer, let refusal):
            logger.warning(
                "A peer is refused", metadata: ["peer": "\(peer.node.rawValue)", "reason": "\(refusal)"])
        case .refusedBy(let peer, let refusal):
            logger.warning("A peer refuses this node", metadata: ["peer": "\(peer.rawValue)", "reason": "\(refusal)"])
        case .diskStalled(let milliseconds):
            logger.error("The disk of the Raft log does not answer", metadata: ["milliseconds": "\(milliseconds)"])
        case .diskRecovered: logger.notice("The disk of the Raft log answers again")
        case .snapshotSendFailed(let receiver, let result):
            logger.warning(
                "A snapshot could not be sent",
                metadata: ["peer": "\(receiver.rawValue)", "answer": "\(result.map { "\($0)" } ?? "none")"])
        case .snapshotReceptionFailed(let failure):
            logger.warning("A snapshot could not be received", metadata: ["error": "\(failure)"])
        case .snapshotFailed(let detail): logger.error("A snapshot could not be taken", metadata: ["error": "\(detail)"])
        case .sessionExpired(let session):
            logger.warning("The session of this node has ended: a new one begins", metadata: ["start": "\(session.start)"])
        case .formation(let state): write(state)
        }
    }

    private func write(_ state: FormationState) {
        switch state {
        case .gathering(let missing):
            logger.info(
                "Waiting for the nodes that the cluster is to begin with",
                metadata: ["missing": "\(missing.map(\.rawValue))"])
        case .differentConfiguration(let node):
            logger.error(
                "A node is configured for other nodes: no cluster is founded before both agree",
                metadata: ["peer": "\(node.rawValue)"])
        case .twoDisks(let node):
            logger.error(
                "Two disks have spoken under one node's id: start this node again when only one is left",
                metadata: ["peer": "\(node.rawValue)"])
        case .founding: logger.notice("The cluster is founded")
        case .waiting: logger.notice("This node is empty and waits to be added to the cluster")
        }
    }
}
