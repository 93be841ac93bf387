import AdminAPI
import Configuration
import FileSystem
import Foundation
import HTTPServer
import Logging
import Metadata
import NIOCore
import NIOPosix
import S3API
import Telemetry

/// What stands behind the S3 endpoint: the engine and the service over it.
struct Backend: Sendable {
    let s3Handler: S3Service<LocalMetadataEngine>

    private let engine: LocalMetadataEngine
    private let hashingThreads: NIOThreadPool

    /// Opens the stores, recovering what a crash left. The caller holds the data directory's lock.
    static func open(
        _ configuration: ServerConfiguration, metrics: PrometheusMetricsFactory, logger: Logger
    ) async throws -> Backend {
        let engineConfiguration = try prepare(configuration, logger: logger)
        // Opening blocks on the disk.
        let engine = try await NIOThreadPool.singleton.runIfActive { try LocalMetadataEngine(engineConfiguration) }
        let hashingThreads = NIOThreadPool(numberOfThreads: System.coreCount)
        hashingThreads.start()
        let accounts = [configuration.s3.root] + configuration.s3.users
        let credentials = accounts.map { account in
            S3Credential(
                accessKey: account.accessKey, secretKey: account.secretKey,
                owner: Owner(canonicalID: account.canonicalID, displayName: account.displayName))
        }
        let service = S3Service(
            engine: engine,
            configuration: S3ServiceConfiguration(region: configuration.s3.region, credentials: S3CredentialStore(credentials)),
            hashing: S3HashingPool(threads: hashingThreads), logger: logger)
        metrics.registerEngine(engine, owners: Set(accounts.map(\.canonicalID)).sorted())
        return Backend(s3Handler: service, engine: engine, hashingThreads: hashingThreads)
    }

    func readiness() async -> AdminService.Readiness {
        let status = engine.status()
        if status.isClosed { return .notReady("the engine is closed") }
        return status.writeFailure.map { .notReady("writes have failed: \($0)") } ?? .ready
    }

    /// Finishes the writes that wait, and closes the stores.
    func close() async {
        await engine.close()
        try? await hashingThreads.shutdownGracefully()
    }

    private static func prepare(
        _ configuration: ServerConfiguration, logger: Logger
    ) throws -> LocalMetadataEngineConfiguration {
        let paths = [configuration.metadata.local.kvPath, configuration.metadata.local.mxPath].map(AbsolutePath.of)
        let fileSystem = POSIXFileSystem()
        for path in paths { try fileSystem.makeDirectories((path as NSString).deletingLastPathComponent) }
        var engine = LocalMetadataEngineConfiguration(keyValuePath: paths[0], objectDataPath: paths[1], logger: logger)
        engine.blockCacheByteCount = configuration.storage.blockCacheBytes
        engine.reservedByteCount = UInt64(configuration.storage.reservedBytes)
        return engine
    }
}
