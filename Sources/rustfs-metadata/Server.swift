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
import ServiceLifecycle
import Synchronization
import Telemetry
import UnixSignals

/// Wires the parts of a node, in the order of their needs, and takes them down in the reverse one. It decides nothing.
struct Server: Service {
    let configuration: ServerConfiguration
    let metrics: PrometheusMetricsFactory
    let logger: Logger

    /// Runs until SIGTERM or SIGINT; the requests in flight are then finished. A second signal ends the process at once, which loses
    /// nothing that was acknowledged.
    func run() async throws {
        var group = ServiceGroupConfiguration(
            services: [.init(service: Node(server: self), successTerminationBehavior: .gracefullyShutdownGroup)],
            gracefulShutdownSignals: [.sigterm, .sigint], logger: Logger(label: "lifecycle", level: .warning))
        group.maximumGracefulShutdownDuration = nil
        try await ServiceGroup(configuration: group).run()
    }
}

/// One start and stop of the server.
private struct Node: Service {
    let server: Server

    private var configuration: ServerConfiguration { server.configuration }
    private var logger: Logger { server.logger }

    func run() async throws {
        let lock = try lockDataDirectory()
        let loops = MultiThreadedEventLoopGroup(numberOfThreads: System.coreCount)
        do {
            switch (configuration.metadata.engineType, configuration.metadata.replication) {
            case (.replicated, let replication?): try await runReplicated(replication, on: loops)
            case (.local, _), (.replicated, nil): try await runLocal(on: loops)
            }
        } catch {
            try? await loops.shutdownGracefully()
            throw error
        }
        try await loops.shutdownGracefully()
        withExtendedLifetime(lock) {}
        logger.info("The server has stopped")
    }

    private func runLocal(on loops: MultiThreadedEventLoopGroup) async throws {
        let engine = try await LocalMetadataEngine.open(configuration, logger: logger)
        try await run(Backend(engine, configuration, metrics: server.metrics, logger: logger), on: loops)
    }

    private func runReplicated(
        _ replication: ServerConfiguration.Replication, on loops: MultiThreadedEventLoopGroup
    ) async throws {
        let engine = try await ReplicatedMetadataEngine.open(configuration, replication, logger: logger)
        let backend = Backend(engine, configuration, metrics: server.metrics, logger: logger)
        server.metrics.registerReplication(engine)
        let address: SocketAddress
        do {
            address = try await engine.start()
        } catch {
            await backend.close()
            throw error
        }
        try await run(backend, on: loops, peers: address)
    }

    private func run(
        _ backend: Backend<some ServedEngine>, on loops: MultiThreadedEventLoopGroup, peers: SocketAddress? = nil
    ) async throws {
        do {
            try await serve(backend, on: loops, peers: peers)
        } catch {
            await backend.close()
            throw error
        }
        await backend.close()
    }

    private func serve(
        _ backend: Backend<some ServedEngine>, on loops: MultiThreadedEventLoopGroup, peers: SocketAddress?
    ) async throws {
        let status = NodeStatus()
        let s3 = HTTPServer(
            configuration: try s3Configuration(), handler: backend.s3Handler, eventLoopGroup: loops, logger: logger)
        let adminService = AdminService(
            version: Version.current, metrics: server.metrics,
            readiness: {
                status.isServing ? await backend.engine.readiness() : .notReady("the server is starting or stopping")
            }, cluster: backend.engine.administration,
            snapshots: SnapshotRequests(exporter: backend.exporter, restorer: backend.engine.restoring),
            credentials: AdminCredentials(configuration.admin, logger), logger: logger)
        let admin = HTTPServer(
            configuration: try adminConfiguration(), handler: adminService, eventLoopGroup: loops, logger: logger)
        server.metrics.registerHTTPServer("s3") { s3.statistics }

        let adminAddresses = try await admin.start()
        do {
            let s3Addresses = try await s3.start()
            status.setServing(true)
            announce(s3: s3Addresses, admin: adminAddresses, peers: peers)
            try await gracefulShutdown()
        } catch {
            await admin.stop(gracefully: .zero)
            throw error
        }
        status.setServing(false)
        logger.info("Stopping: requests in flight are finished")
        let impatience = Task { await endAtSecondSignal() }
        await s3.stop(gracefully: .seconds(configuration.s3.limits.shutdownTimeoutSeconds))
        await admin.stop(gracefully: .seconds(1))
        impatience.cancel()
    }

    /// What people and scripts read: exactly these lines on standard output.
    private func announce(s3: [SocketAddress], admin: [SocketAddress], peers: SocketAddress?) {
        let scheme = configuration.tls == nil ? "http" : "https"
        for address in s3 { StandardOutput.write("S3 endpoint: \(scheme)://\(address.authority)") }
        let adminScheme = configuration.admin.tls == nil ? "http" : "https"
        for address in admin { StandardOutput.write("Admin endpoint: \(adminScheme)://\(address.authority)") }
        if let peers { StandardOutput.write("Peer endpoint: \(peers.authority)") }
        StandardOutput.write("ready")
        logger.info("The server is ready", metadata: ["s3": "\(s3.map(\.authority))", "admin": "\(admin.map(\.authority))"])
    }

    private func endAtSecondSignal() async {
        for await signal in await UnixSignalsSequence(trapping: .sigterm, .sigint) {
            logger.warning("A second signal: ending without waiting for requests", metadata: ["signal": "\(signal)"])
            _exit(1)
        }
    }
}

extension Node {
    private func lockDataDirectory() throws -> DataDirectoryLock {
        let fileSystem = POSIXFileSystem()
        let directory = AbsolutePath.of(configuration.dataDirectory)
        try fileSystem.makeDirectories(directory)
        let lock = try DataDirectoryLock(directory: directory, fileSystem: fileSystem)
        try BackupRestore.refuseInterrupted(directory, fileSystem: fileSystem)
        return lock
    }

    private func adminConfiguration() throws -> HTTPServerConfiguration {
        let admin = configuration.admin
        var http = HTTPServerConfiguration(host: admin.address.host, port: admin.address.port)
        if let tls = admin.tls {
            http.tls = try HTTPServerConfiguration.tls(
                certificateFile: tls.certificateFile, keyFile: tls.privateKeyFile, clientAuthorityFile: tls.clientAuthorityFile)
        }
        return http
    }

    private func s3Configuration() throws -> HTTPServerConfiguration {
        let s3 = configuration.s3
        var http = HTTPServerConfiguration(host: s3.address.host, port: s3.address.port)
        if let tls = configuration.tls {
            http.tls = try HTTPServerConfiguration.tls(certificateFile: tls.certificateFile, keyFile: tls.privateKeyFile)
        }
        http.limits.requestLineByteCountMax = s3.limits.requestLineBytesMax
        http.limits.headersByteCountMax = s3.limits.headerBytesMax
        http.limits.headerCountMax = s3.limits.headerCountMax
        http.limits.connectionCountMax = s3.limits.connectionCountMax
        http.timeouts.head = .seconds(s3.limits.headTimeoutSeconds)
        http.timeouts.idle = .seconds(s3.limits.idleTimeoutSeconds)
        return http
    }
}

/// Whether requests are accepted, as the readiness page tells it.
private final class NodeStatus: Sendable {
    private let serving = Atomic<Bool>(false)
    var isServing: Bool { serving.load(ordering: .acquiring) }
    func setServing(_ value: Bool) { serving.store(value, ordering: .releasing) }
}

/// A path that does not depend on the working directory.
enum AbsolutePath {
    static func of(_ path: String) -> String {
        URL(fileURLWithPath: path).standardizedFileURL.path
    }
}

extension SocketAddress {
    /// As in a URL: an IPv6 address in brackets.
    fileprivate var authority: String {
        let host = ipAddress ?? "localhost"
        let port = port.map { ":\($0)" } ?? ""
        return (host.contains(":") ? "[\(host)]" : host) + port
    }
}

extension Logger {
    fileprivate init(label: String, level: Logger.Level) {
        self.init(label: label)
        logLevel = level
    }
}
