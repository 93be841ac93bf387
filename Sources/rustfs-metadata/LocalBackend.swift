import AdminAPI
import Backup
import Configuration
import FileSystem
import Logging
import Metadata
import NIOPosix
import Raft
import Replication

extension LocalMetadataEngine: ServedEngine {
    func readiness() async -> AdminService.Readiness {
        let status = status()
        if status.isClosed { return .notReady("the engine is closed") }
        return status.writeFailure.map { .notReady("writes have failed: \($0)") } ?? .ready
    }

    var administration: (any ClusterAdministration)? { nil }

    var restoring: SnapshotRestorer? { nil }

    var storeFigures: [LocalMetadataEngineStatus.Figure] { status().storeFigures }

    /// Opens the stores, recovering what a crash left. The caller holds the data directory's lock.
    static func open(_ configuration: ServerConfiguration, logger: Logger) async throws -> LocalMetadataEngine {
        let fileSystem = POSIXFileSystem()
        let directory = AbsolutePath.of(configuration.dataDirectory)
        if let contents = try NodeIdentityFile(dataDirectory: directory, fileSystem: fileSystem).load() {
            throw ServerError.belongsToCluster(directory: directory, node: contents.identity.node.rawValue)
        }
        let paths = [configuration.metadata.local.kvPath, configuration.metadata.local.mxPath].map(AbsolutePath.of)
        try makeParents(of: paths, fileSystem)
        var engine = LocalMetadataEngineConfiguration(keyValuePath: paths[0], objectDataPath: paths[1], logger: logger)
        engine.blockCacheByteCount = configuration.storage.blockCacheBytes
        engine.reservedByteCount = UInt64(configuration.storage.reservedBytes)
        let opened = engine
        // Opening blocks on the disk.
        return try await NIOThreadPool.singleton.runIfActive { try LocalMetadataEngine(opened) }
    }
}

/// Why the server does not start, for the operator.
enum ServerError: Error, CustomStringConvertible {
    case belongsToCluster(directory: String, node: UInt64)

    var description: String {
        switch self {
        case .belongsToCluster(let directory, let node):
            "\(directory) is node \(node) of a cluster: metadata.engine_type must be 'replicated' (what the others have written meanwhile would be missing)"
        }
    }
}
