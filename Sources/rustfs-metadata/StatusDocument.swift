import Foundation
import Replication

/// `GET /metadata/status`: the cluster as this node sees it.
enum StatusDocument {
    private struct Document: Encodable {
        struct Node: Encodable {
            var id: UInt64
            var address: String
            var role: String
            var status: String
            var applied_index: UInt64?
            var lag_entries: UInt64?
            var lag_ms: UInt64?
        }

        struct Bodies: Encodable {
            struct Scrub: Encodable {
                var verified_bytes: UInt64
                var total_bytes: UInt64
            }

            var missing: Int
            var missing_bytes: UInt64
            var unnamed: Int
            var repaired: UInt64
            var repaired_bytes: UInt64
            var damaged_blocks: UInt64
            var repaired_blocks: UInt64
            var abandoned: UInt64
            var scrub: Scrub?
        }

        var cluster_id: String?
        var node_id: UInt64
        var state: String
        var reason: String?
        var leader_id: UInt64?
        var term: UInt64
        var commit_index: UInt64
        var applied_index: UInt64
        var last_index: UInt64
        var version: UInt32
        var digest: String
        var nodes: [Node]
        var bodies: Bodies
    }

    static func encode(_ status: RaftNodeStatus, bodies: BodyKeeperStatus) -> [UInt8] {
        let document = Document(
            cluster_id: status.cluster.map { "\($0)" }, node_id: status.node, state: status.state.rawValue,
            reason: status.obstacle,
            leader_id: status.leader, term: status.term, commit_index: status.commitIndex, applied_index: status.appliedIndex,
            last_index: status.lastIndex, version: status.version, digest: status.digest,
            nodes: status.peers.map { peer in
                Document.Node(
                    id: peer.id, address: peer.address, role: peer.role.rawValue, status: peer.status.rawValue,
                    applied_index: peer.appliedIndex, lag_entries: peer.lagEntries, lag_ms: peer.lagMilliseconds)
            },
            bodies: Document.Bodies(
                missing: bodies.lackingCount, missing_bytes: bodies.lackingByteCount, unnamed: bodies.unnamedCount,
                repaired: bodies.counts.repairedBodies, repaired_bytes: bodies.counts.repairedBytes,
                damaged_blocks: bodies.counts.damagedBlocks, repaired_blocks: bodies.counts.repairedBlocks,
                abandoned: bodies.counts.abandonedBodies,
                scrub: bodies.scrub.map {
                    Document.Bodies.Scrub(verified_bytes: $0.verifiedByteCount, total_bytes: $0.totalByteCount)
                }))
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // Numbers and strings can always be encoded.
        return (try? encoder.encode(document)).map { Array($0) + [UInt8(ascii: "\n")] } ?? []
    }
}
