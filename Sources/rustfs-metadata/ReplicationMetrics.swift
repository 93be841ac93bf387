import Replication
import Telemetry

extension PrometheusMetricsFactory {
    /// Exports what a node of a cluster says of itself and its peers.
    func registerReplication(_ engine: ReplicatedMetadataEngine) {
        for (name, help) in Self.replicationHelp { describe(name, help) }
        registerCollector {
            let status = await engine.node.status()
            var samples = [
                Self.gauge("raft_commit_index", "The last entry that is known to be committed.", Double(status.commitIndex)),
                Self.gauge("raft_last_index", "The last entry of this node's log.", Double(status.lastIndex)),
                Self.gauge("leader_id", "The node that leads, as this one knows; 0: none.", Double(status.leader ?? 0)),
                Self.gauge("ready", "1 while this node serves requests.", status.state == .ready ? 1 : 0),
                Self.gauge("nodes", "Members of the cluster, learners among them.", Double(status.peers.count)),
                Self.gauge(
                    "nodes_healthy", "Members that this node hears of and that keep up, itself among them.",
                    Double(status.peers.count { $0.status == .healthy })),
                Self.counter("peer_sent_bytes", "Bytes of frames to peers.", status.transport.bytesSent),
                Self.counter("peer_received_bytes", "Bytes of frames of peers.", status.transport.bytesReceived),
                Self.counter(
                    "peer_dropped_frames", "Frames to peers that found no connection or no room.",
                    status.transport.framesDropped),
                Self.gauge("peers_connected", "Peers with an open control connection.", Double(status.transport.connected)),
            ]
            samples += Self.samples(of: status.load)
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

    private static func gauge(_ name: String, _ help: String, _ value: Double) -> MetricSample {
        MetricSample(name: "rustfs_metadata_" + name, help: help, value: value)
    }

    private static func counter(_ name: String, _ help: String, _ value: UInt64) -> MetricSample {
        MetricSample(name: "rustfs_metadata_" + name + "_total", help: help, kind: .counter, value: Double(value))
    }

    private static func samples(of load: RaftNodeStatus.Load) -> [MetricSample] {
        var samples = [
            gauge("proposals_waiting", "Writes of this node's clients without an outcome.", Double(load.proposals)),
            gauge("reads_waiting", "Reads that wait for their index.", Double(load.reads)),
            gauge("log_queue_depth", "Batches that the log has not made durable.", Double(load.logBatches)),
            gauge("apply_queue_depth", "Committed entries that are not applied here.", Double(load.applyingEntries)),
            gauge("log_bytes", "About so many bytes of entries that the log keeps.", Double(load.logByteCount)),
            gauge("snapshot_index", "The last entry in the newest snapshot; 0: there is none.", Double(load.snapshotIndex)),
            gauge("snapshot_bytes", "Bytes of the newest snapshot.", Double(load.snapshotByteCount)),
            gauge("snapshots_sending", "Snapshots on their way to followers.", Double(load.snapshotsSent)),
        ]
        if let share = load.receivedShare {
            samples.append(gauge("snapshot_reception_ratio", "How much has come of a snapshot that is received.", share))
        }
        return samples
    }

    private static func samples(of bodies: BodyKeeperStatus) -> [MetricSample] {
        func gauge(_ name: String, _ help: String, _ value: some BinaryInteger) -> MetricSample {
            Self.gauge("bodies_" + name, help, Double(value))
        }
        func counter(_ name: String, _ help: String, _ value: UInt64) -> MetricSample {
            Self.counter("bodies_" + name, help, value)
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
        ("rustfs_metadata_apply_batch_size", "Entries that a batch at the store held."),
        ("rustfs_metadata_apply_duration_seconds", "What applying one batch of committed entries took."),
        ("rustfs_metadata_log_write_duration_seconds", "What one write of the log took, its synchronization included."),
        ("rustfs_metadata_log_write_size_bytes", "Bytes of entries in one write of the log."),
        ("rustfs_metadata_raft_term", "The term of this node."),
        ("rustfs_metadata_raft_is_leader", "1 on the leader."),
        ("rustfs_metadata_has_leader", "1 where a leader is known."),
        ("rustfs_metadata_raft_leader_changes_total", "How often this node has come to follow a leader, or to lead."),
        ("rustfs_metadata_read_index_latency_seconds", "What reads wait until their state is known to be fresh enough."),
    ]
}
