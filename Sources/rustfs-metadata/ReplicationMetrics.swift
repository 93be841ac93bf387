import Replication
import Telemetry

extension PrometheusMetricsFactory {
    /// Exports what a node of a cluster says of itself and its peers.
    func registerReplication(_ engine: ReplicatedMetadataEngine) {
        for (name, help) in Self.replicationHelp { describe(name, help) }
        registerCollector {
            let status = await engine.node.status()
            var samples = [
                MetricSample(
                    name: "rustfs_metadata_raft_commit_index", help: "The last entry that is known to be committed.",
                    value: Double(status.commitIndex)),
                MetricSample(
                    name: "rustfs_metadata_raft_last_index", help: "The last entry of this node's log.",
                    value: Double(status.lastIndex)),
                MetricSample(
                    name: "rustfs_metadata_peer_bytes_sent", help: "Bytes of frames to peers.",
                    value: Double(status.transport.bytesSent)),
                MetricSample(
                    name: "rustfs_metadata_peer_bytes_received", help: "Bytes of frames of peers.",
                    value: Double(status.transport.bytesReceived)),
                MetricSample(
                    name: "rustfs_metadata_peer_frames_dropped", help: "Frames to peers that found no connection or no room.",
                    value: Double(status.transport.framesDropped)),
                MetricSample(
                    name: "rustfs_metadata_peers_connected", help: "Peers with an open control connection.",
                    value: Double(status.transport.connected)),
            ]
            samples += Self.samples(of: engine.keeper.status)
            for peer in status.peers {
                let labels = [("node", "\(peer.id)")]
                samples.append(
                    MetricSample(
                        name: "rustfs_metadata_node_healthy", help: "1 where this node hears of the node, and it keeps up.",
                        labels: labels, value: peer.status == .healthy ? 1 : 0))
                if let lag = peer.lagEntries {
                    samples.append(
                        MetricSample(
                            name: "rustfs_metadata_replication_lag_entries",
                            help: "Entries that the node lacks, as the leader knows.",
                            labels: labels, value: Double(lag)))
                }
                if let lag = peer.lagMilliseconds {
                    samples.append(
                        MetricSample(
                            name: "rustfs_metadata_replication_lag_seconds",
                            help: "For how long the leader has had what the node lacks.", labels: labels,
                            value: Double(lag) / 1000))
                }
            }
            return samples
        }
    }

    private static func samples(of bodies: BodyKeeperStatus) -> [MetricSample] {
        func gauge(_ name: String, _ help: String, _ value: some BinaryInteger) -> MetricSample {
            MetricSample(name: "rustfs_metadata_bodies_" + name, help: help, value: Double(value))
        }
        func counter(_ name: String, _ help: String, _ value: UInt64) -> MetricSample {
            MetricSample(name: "rustfs_metadata_bodies_" + name + "_total", help: help, kind: .counter, value: Double(value))
        }
        var samples = [
            gauge("missing", "Bodies of objects that this node lacks.", bodies.lackingCount),
            gauge("missing_bytes", "Their bytes.", bodies.lackingByteCount),
            gauge("unnamed", "Files of bodies that no object needs, as the last pass found.", bodies.unnamedCount),
            counter(
                "repaired", "Bodies fetched from peers because they were missing or damaged.", bodies.counts.repairedBodies),
            counter("repaired_bytes", "Their bytes.", bodies.counts.repairedBytes),
            counter("damaged_blocks", "Blocks found damaged.", bodies.counts.damagedBlocks),
            counter("repaired_blocks", "Blocks written anew from a peer's copy.", bodies.counts.repairedBlocks),
            counter("verified_bytes", "Bytes that the scrub has verified.", bodies.counts.verifiedBytes),
            counter("remote_reads", "Reads answered from a peer's copy.", bodies.counts.remoteReads),
            counter("abandoned", "Bodies deleted because nothing ever named them.", bodies.counts.abandonedBodies),
        ]
        if let scrub = bodies.scrub {
            samples.append(
                MetricSample(
                    name: "rustfs_metadata_bodies_scrub_ratio", help: "How much of the scrub's present round is done.",
                    value: scrub.totalByteCount == 0 ? 1 : Double(scrub.verifiedByteCount) / Double(scrub.totalByteCount)))
        }
        return samples
    }

    /// What replication itself records, by swift-metrics, which knows no help texts.
    private static let replicationHelp = [
        ("rustfs_metadata_apply_batch_size", "Entries that the last batch at the store held."),
        ("rustfs_metadata_raft_term", "The term of this node."),
        ("rustfs_metadata_raft_is_leader", "1 on the leader."),
        ("rustfs_metadata_raft_has_leader", "1 where a leader is known."),
        ("rustfs_metadata_raft_leader_changes_total", "How often this node has come to follow a leader, or to lead."),
        ("rustfs_metadata_read_index_latency_seconds", "What reads wait until their state is known to be fresh enough."),
    ]
}
