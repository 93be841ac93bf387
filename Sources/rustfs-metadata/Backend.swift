import AdminAPI
import Backup
import Configuration
import FileSystem
import Foundation
import HTTPServer
import Logging
import Metadata
import NIOCore
import NIOPosix
import Replication
import S3API
import Telemetry

/// An engine as the server runs it.
protocol ServedEngine: MetadataEngine, BackedUpEngine {
    /// Whether a load balancer should send requests here.
    func readiness() async -> AdminService.Readiness
    /// What the administration interface asks; nil where there is no cluster.
    var administration: (any ClusterAdministration)? { get }
    /// Restores snapshots; nil where there is no cluster.
    var restoring: SnapshotRestorer? { get }
    /// Figures of the key-value store, for metrics.
    var storeFigures: [LocalMetadataEngineStatus.Figure] { get }
    /// Finishes the writes that wait, and closes the stores.
    func close() async
}

/// What stands behind the S3 endpoint: the engine and the service over it.
struct Backend<Engine: ServedEngine>: Sendable {
    let s3Handler: S3Service<Engine>
    let engine: Engine
    let exporter: BackupExporter

    private let hashingThreads: NIOThreadPool

    init(
        _ engine: Engine, _ configuration: ServerConfiguration, metrics: PrometheusMetricsFactory, logger: Logger
    ) {
        self.engine = engine
        exporter = BackupExporter(engine.backupSource, program: "rustfs-metadata \(Version.current)", logger: logger)
        hashingThreads = NIOThreadPool(numberOfThreads: System.coreCount)
        hashingThreads.start()
        let accounts = [configuration.s3.root] + configuration.s3.users
        let credentials = accounts.map { account in
            S3Credential(
                accessKey: account.accessKey, secretKey: account.secretKey,
                owner: Owner(canonicalID: account.canonicalID, displayName: account.displayName))
        }
        var service = S3ServiceConfiguration(region: configuration.s3.region, credentials: S3CredentialStore(credentials))
        service.domains = S3Domains(configuration.s3.domains)
        if let replication = configuration.metadata.replication { service.readConsistency = ReadConsistency(replication) }
        s3Handler = S3Service(
            engine: engine, configuration: service,
            hashing: S3HashingPool(threads: hashingThreads), logger: logger)
        metrics.registerEngine(engine, owners: Set(accounts.map(\.canonicalID)).sorted())
    }

    func close() async {
        await exporter.close()
        await engine.close()
        try? await hashingThreads.shutdownGracefully()
    }
}

extension ReadConsistency {
    /// Of reads that name none.
    fileprivate init(_ replication: ServerConfiguration.Replication) {
        self =
            switch replication.readConsistency {
            case .linearizable: .linearizable
            case .boundedStaleness:
                .boundedStaleness(maxStalenessMilliseconds: UInt64(replication.stalenessMillisecondsMax))
            case .eventual: .eventual
            }
    }
}

/// Makes the directories that the engine's own lie in.
func makeParents(of paths: [String], _ fileSystem: POSIXFileSystem) throws {
    for path in paths { try fileSystem.makeDirectories((path as NSString).deletingLastPathComponent) }
}
