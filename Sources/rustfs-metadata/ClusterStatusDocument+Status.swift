import AdminDocuments
import Raft
import Replication

extension ClusterStatusDocument {
    init(_ status: RaftNodeStatus, bodies: BodyKeeperStatus) {
        self.init(
            clusterId: status.cluster.map { "\($0)" }, nodeId: status.node, state: status.state.rawValue,
            reason: status.obstacle, leaderId: status.leader, term: status.term, commitIndex: status.commitIndex,
            appliedIndex: status.appliedIndex, lastIndex: status.lastIndex, version: status.version,
            supportedVersion: status.supportedVersion, digest: status.digest,
            nodes: status.peers.map { peer in
                Node(
                    id: peer.id, address: peer.address, role: peer.role.rawValue, status: peer.status.rawValue,
                    appliedIndex: peer.appliedIndex, lagEntries: peer.lagEntries, lagMs: peer.lagMilliseconds,
                    bodiesMissing: peer.bodies?.lackingCount,
                    bodiesMissingBytes: peer.bodies.flatMap { $0.lackingCount == nil ? nil : $0.lackingByteCount })
            },
            operation: status.operation.map { operation in
                Operation(
                    kind: operation.kind.rawValue, node: operation.node.rawValue, newNode: operation.newNode?.rawValue,
                    step: operation.step.rawValue, stepMs: operation.stepMilliseconds)
            },
            bodies: Bodies(
                missing: bodies.lackingCount, missingBytes: bodies.lackingByteCount, unnamed: bodies.unnamedCount,
                repaired: bodies.counts.repairedBodies, repairedBytes: bodies.counts.repairedBytes,
                damagedBlocks: bodies.counts.damagedBlocks, repairedBlocks: bodies.counts.repairedBlocks,
                abandoned: bodies.counts.abandonedBodies,
                scrub: bodies.scrub.map {
                    Bodies.Scrub(verifiedBytes: $0.verifiedByteCount, totalBytes: $0.totalByteCount)
                }))
    }
}
