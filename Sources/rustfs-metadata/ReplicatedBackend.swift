import AdminAPI
package import AdminDocuments
import Configuration
import FileSystem
import Foundation
import KeyValueStore
import Logging
import Metadata
import NIOPosix
import PeerTransport
import Raft
package import Replication

extension ReplicatedMetadataEngine: ServedEngine {
    func readiness() async -> AdminService.Readiness {
        let status = await node.status()
        return status.obstacle.map { .notReady($0) } ?? .ready
    }

    var administration: (any ClusterAdministration)? { self }

    var restoring: SnapshotRestorer? { restorer }

    var storeFigures: [LocalMetadataEngineStatus.Figure] { node.storeFigures }

    /// Recovers the node, without speaking to its peers yet. The caller holds the data directory's lock.
    static func open(
        _ configuration: ServerConfiguration, _ replication: ServerConfiguration.Replication, logger: Logger
    ) async throws -> ReplicatedMetadataEngine {
        let engine = try settings(configuration, replication, logger)
        let fileSystem = POSIXFileSystem()
        try makeParents(of: [engine.node.statePaths.keyValue, engine.objectDataPath], fileSystem)
        return try await NIOThreadPool.singleton.runIfActive { try ReplicatedMetadataEngine(engine) }
    }

    private static func settings(
        _ configuration: ServerConfiguration, _ replication: ServerConfiguration.Replication, _ logger: Logger
    ) throws -> ReplicatedMetadataEngineConfiguration {
        let listen = replication.listenAddress
        var node = RaftNodeConfiguration(
            nodeID: NodeID(replication.nodeID),
            nodes: replication.nodes.map { RaftNodeConfiguration.Node(id: NodeID($0.id), address: "\($0.address)") },
            listenHost: listen.host, listenPort: listen.port, dataDirectory: AbsolutePath.of(configuration.dataDirectory),
            logDirectory: AbsolutePath.of(replication.raft.logDirectory),
            statePaths: StateStorage.Paths(
                keyValue: AbsolutePath.of(configuration.metadata.local.kvPath),
                snapshots: AbsolutePath.of(replication.raft.snapshotDirectory)), logger: logger)
        node.joins = replication.joins
        // Half of the shortest time that is counted in ticks, so that none of them is far off.
        let tick = max(1, min(10, replication.raft.heartbeatIntervalMilliseconds))
        node.tickMilliseconds = Int64(tick)
        node.replica.raft.heartbeatTicks = max(1, replication.raft.heartbeatIntervalMilliseconds / tick)
        node.replica.raft.electionTicks = max(3, replication.raft.electionTimeoutMilliseconds / tick)
        node.replica.raft.fastCampaignTicks = 0...(40 / tick)
        node.replica.raft.fastRetryTicks = (50 / tick)...(150 / tick)
        node.replica.batchCountMax = replication.batchSizeMax
        node.replica.snapshots.entryCountMax = replication.raft.logEntriesMax
        node.replica.snapshots.intervalMilliseconds = UInt64(replication.raft.snapshotIntervalSeconds) * 1000
        node.replica.version = version(replication, logger)
        node.store.blockCacheBytes = configuration.storage.blockCacheBytes
        if let tls = replication.tls {
            node.tls = try PeerTransportTLS(
                certificateFile: tls.certificateFile, keyFile: tls.privateKeyFile, trustRootsFile: tls.authorityFile)
        }
        var engine = ReplicatedMetadataEngineConfiguration(
            node: node, objectDataPath: AbsolutePath.of(configuration.metadata.local.mxPath))
        engine.writeLevel = replication.writeQuorum == .all ? .all : .majority
        engine.requestTimeoutMilliseconds = UInt64(replication.requestTimeoutMilliseconds)
        let bodies = replication.bodies
        engine.bodyKeeper.repairBytesPerSecond = UInt64(bodies.repairRateMebibytes) << 20
        engine.bodyKeeper.graceMilliseconds = UInt64(bodies.orphanGraceSeconds) * 1000
        engine.bodyKeeper.passMilliseconds = max(1000, min(900_000, UInt64(bodies.orphanGraceSeconds) * 500))
        engine.bodyKeeper.scrubPeriodMilliseconds =
            bodies.scrubPeriodSeconds > 0 ? UInt64(bodies.scrubPeriodSeconds) * 1000 : nil
        engine.reservedByteCount = UInt64(configuration.storage.reservedBytes)
        return engine
    }

    /// Makes a build say that it knows other rules than it does, older ones or newer ones that are like its newest: so that a test has two builds.
    private static var versionOfTests: String { "RUSTFS_TEST_CLUSTER_VERSION" }

    private static func version(_ replication: ServerConfiguration.Replication, _ logger: Logger) -> ClusterVersion {
        var newest = ClusterVersion.newest
        if let text = ProcessInfo.processInfo.environment[versionOfTests], let number = UInt32(text), number >= 1 {
            newest = ClusterVersion(number)
            logger.warning("The newest rules of this build are another number for a test", metadata: ["version": "\(number)"])
        }
        return replication.clusterVersionMax.map { min(newest, ClusterVersion(UInt32($0))) } ?? newest
    }
}

extension ReplicatedMetadataEngine: ClusterAdministration {
    package func clusterStatus() async -> ClusterStatusDocument {
        ClusterStatusDocument(await node.status(), bodies: keeper.status)
    }

    package func perform(_ command: OperatorCommand, timeoutMilliseconds: UInt64) async -> CommandOutcome {
        await node.ask(command, timeoutMilliseconds: timeoutMilliseconds)
    }
}
