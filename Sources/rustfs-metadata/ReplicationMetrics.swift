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
