/// The `metadata` section as read: the keys of the specification's section 7.
struct MetadataKeys {
    typealias Replication = ServerConfiguration.Replication

    var engineType: Located<ServerConfiguration.Metadata.EngineType>
    var replication: ReplicationKeys?
    var kvPath: Located<String>
    var indexPath: Located<String>?
    var mxPath: Located<String>

    init(reading section: ConfigurationSection, dataDirectory: String) {
        engineType = section.value("engine_type", .choice(), default: .local, environment: "RUSTFS_ENGINE_TYPE")
        replication = section.optionalSection("replication") { ReplicationKeys(reading: $0, dataDirectory: dataDirectory) }
        (kvPath, indexPath, mxPath) = section.section("local") { section in
            (
                section.value(
                    "kv_path", .path, default: "\(dataDirectory)/metadata/kv", documentedDefault: "<data_dir>/metadata/kv"),
                section.optional("index_path", .path),
                section.value(
                    "mx_path", .path, default: "\(dataDirectory)/metadata/mx", documentedDefault: "<data_dir>/metadata/mx")
            )
        }
    }

    var value: ServerConfiguration.Metadata {
        ServerConfiguration.Metadata(
            engineType: engineType.value, replication: replication?.value,
            local: ServerConfiguration.Local(kvPath: kvPath.value, indexPath: indexPath?.value, mxPath: mxPath.value))
    }

    func check(_ reader: ConfigurationReader) {
        if engineType.value == .replicated, replication == nil {
            reader.report(
                at: engineType.origin, key: engineType.key, "is 'replicated', but there is no section metadata.replication")
        }
        if let indexPath {
            reader.report(
                .note, at: indexPath.origin, key: indexPath.key,
                "has no effect: the index lives inside the key-value store (kv_path)")
        }
        replication?.check(reader)
        let paths = [kvPath, indexPath, mxPath, replication?.logDirectory, replication?.snapshotDirectory].compactMap { $0 }
        reader.checkApart(paths)
    }
}

/// The `metadata.replication` section as read.
struct ReplicationKeys {
    typealias Replication = ServerConfiguration.Replication

    var path: String
    var origin: ConfigurationOrigin
    var nodes: [(id: Located<UInt64>?, address: Located<NetworkAddress>?)]
    var nodesOrigin: ConfigurationOrigin?
    var nodesAreMissing: Bool
    var nodeID: Located<UInt64>?
    var joins: Located<Bool>
    var electionTimeout: Located<Int>
    var heartbeatInterval: Located<Int>
    var snapshotIntervalSeconds: Int
    var logEntriesMax: Int
    var logDirectory: Located<String>
    var snapshotDirectory: Located<String>
    var readConsistency: Replication.ReadConsistency
    var stalenessMillisecondsMax: Int
    var writeQuorum: Replication.WriteQuorum
    var batchSizeMax: Int
    var batchTimeoutMilliseconds: Int
    var requestTimeoutMilliseconds: Int
    var listenAddress: Located<NetworkAddress>?
    var clusterVersionMax: Int?
    var bodies: ServerConfiguration.Bodies
    var tls: (certificate: Located<String>?, key: Located<String>?, authority: Located<String>?)?

    init(reading section: ConfigurationSection, dataDirectory: String) {
        path = section.path
        origin = section.origin
        let list = section.list("nodes") { node in
            (id: node.required("id", .nodeID), address: node.required("address", .peerAddress))
        }
        nodes = list?.elements ?? []
        nodesOrigin = list?.origin
        nodesAreMissing = !section.has("nodes")
        nodeID = section.required("node_id", .nodeID, environment: "RUSTFS_NODE_ID")
        joins = section.value("join", .truth, default: false)
        (electionTimeout, heartbeatInterval, snapshotIntervalSeconds, logEntriesMax, logDirectory, snapshotDirectory) =
            section.section("raft") { raft in
                (
                    raft.value("election_timeout_ms", .integer(50...60_000), default: 1000),
                    raft.value("heartbeat_interval_ms", .integer(5...10_000), default: 100),
                    raft.value("snapshot_interval", .integer(1...31_536_000), default: 3600).value,
                    raft.value("max_log_entries", .integer(100...1_000_000_000), default: 10_000).value,
                    raft.value(
                        "log_dir", .path, default: "\(dataDirectory)/raft/log", documentedDefault: "<data_dir>/raft/log"),
                    raft.value(
                        "snapshot_dir", .path, default: "\(dataDirectory)/raft/snapshot",
                        documentedDefault: "<data_dir>/raft/snapshot")
                )
            }
        readConsistency = section.value("read_consistency", .choice(), default: .linearizable).value
        stalenessMillisecondsMax = section.value("max_staleness_ms", .integer(1...3_600_000), default: 1000).value
        writeQuorum = section.value("write_quorum", .choice(), default: .majority).value
        batchSizeMax = section.value("max_batch_size", .integer(1...10_000), default: 100).value
        batchTimeoutMilliseconds = section.value("batch_timeout_ms", .integer(1...10_000), default: 10).value
        requestTimeoutMilliseconds = section.value("request_timeout_ms", .integer(100...600_000), default: 10_000).value
        listenAddress = section.optional("listen_address", .listenAddress)
        clusterVersionMax = section.optional("cluster_version_max", .integer(1...1_000_000))?.value
        bodies = section.section("bodies") { bodies in
            ServerConfiguration.Bodies(
                repairRateMebibytes: bodies.value("repair_rate_mib", .integer(1...100_000), default: 64).value,
                orphanGraceSeconds: bodies.value("orphan_grace", .integer(1...31_536_000), default: 3600).value,
                scrubPeriodSeconds: bodies.value("scrub_period", .integer(0...315_360_000), default: 604_800).value)
        }
        tls = section.optionalSection("tls") { tls in
            (tls.required("certificate_file", .path), tls.required("private_key_file", .path), tls.required("ca_file", .path))
        }
    }

    /// Meaningful after a `check` that reported no error.
    var value: Replication {
        Replication(
            nodes: nodes.compactMap { node in
                guard let id = node.id, let address = node.address else { return nil }
                return Replication.Node(id: id.value, address: address.value)
            },
            nodeID: nodeID?.value ?? 0, joins: joins.value,
            raft: ServerConfiguration.Raft(
                electionTimeoutMilliseconds: electionTimeout.value, heartbeatIntervalMilliseconds: heartbeatInterval.value,
                snapshotIntervalSeconds: snapshotIntervalSeconds, logEntriesMax: logEntriesMax,
                logDirectory: logDirectory.value, snapshotDirectory: snapshotDirectory.value),
            readConsistency: readConsistency, stalenessMillisecondsMax: stalenessMillisecondsMax, writeQuorum: writeQuorum,
            batchSizeMax: batchSizeMax, batchTimeoutMilliseconds: batchTimeoutMilliseconds,
            requestTimeoutMilliseconds: requestTimeoutMilliseconds, listenAddress: listenAddress?.value ?? ownAddress,
            clusterVersionMax: clusterVersionMax, bodies: bodies,
            tls: tls.flatMap { files in
                guard let certificate = files.certificate, let key = files.key, let authority = files.authority else {
                    return nil
                }
                return Replication.TLS(
                    certificateFile: certificate.value, privateKeyFile: key.value, authorityFile: authority.value)
            })
    }

    /// Where its peers reach this node.
    private var ownAddress: NetworkAddress {
        nodes.first { $0.id?.value == nodeID?.value }?.address?.value ?? NetworkAddress(host: "127.0.0.1", port: 7000)
    }

    func check(_ reader: ConfigurationReader) {
        checkNodes(reader)
        for file in [tls?.certificate, tls?.key, tls?.authority].compactMap({ $0 }) { reader.checkReadable(file) }
        guard electionTimeout.value < 3 * heartbeatInterval.value else { return }
        let blamed = electionTimeout.isGiven ? electionTimeout : heartbeatInterval
        reader.report(
            at: blamed.origin, key: blamed.key,
            "the election timeout (\(electionTimeout.value) ms) must be at least 3 heartbeat intervals (\(heartbeatInterval.value) ms each), "
                + "or a late heartbeat starts an election")
    }

    private func checkNodes(_ reader: ConfigurationReader) {
        let key = "\(path).nodes"
        guard let nodesOrigin else {
            // A list of the wrong type has been reported already.
            if nodesAreMissing { reader.report(at: origin, key: key, "is missing; list every node with its id and address") }
            return
        }
        guard !nodes.isEmpty else {
            return reader.report(at: nodesOrigin, key: key, "is empty; list every node with its id and address")
        }
        reader.checkUnique(nodes.compactMap(\.id), what: "id")
        reader.checkUnique(nodes.compactMap(\.address), what: "address")
        if let nodeID, !nodes.contains(where: { $0.id?.value == nodeID.value }) {
            let ids = nodes.compactMap { $0.id.map { "\($0.value)" } }.joined(separator: ", ")
            reader.report(at: nodeID.origin, key: nodeID.key, "is \(nodeID.value), which is not among the nodes (\(ids))")
        }
        if joins.value {
            // How many the cluster has is not known here.
            guard nodes.count == 1 else { return }
            reader.report(
                at: joins.origin, key: joins.key,
                "is true, but no other node is listed: list the members of the cluster, which this node answers when it is added"
            )
        } else if nodes.count.isMultiple(of: 2) {
            reader.report(
                .warning, at: nodesOrigin, key: key,
                "has \(nodes.count) nodes: an even number survives no more failures than \(nodes.count - 1)")
        } else if nodes.count == 1 || nodes.count > 5 {
            reader.report(.warning, at: nodesOrigin, key: key, "has \(nodes.count) node(s); clusters are built for 3 to 5")
        }
    }
}
