import ArgumentParser
import Backup
import Configuration
import Foundation
import Logging
import Telemetry

/// `rustfs-metadata restore`: the data directory of a new node out of a snapshot file.
struct Restore: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make the data directory of a new node out of a snapshot file.",
        discussion: """
            The directory must be empty or missing. A server on it serves what the file has: alone, or as the first node of a new cluster. \
            Where the configuration moves the store or the bodies elsewhere, give it.

            Exit codes: 0 restored, 1 could not be done, 64 wrong command line, 65 the file is damaged, incomplete or no snapshot file, \
            78 wrong configuration.
            """
    )

    @Option(help: ArgumentHelp("The snapshot file.", valueName: "file"))
    var path: String

    @Option(help: ArgumentHelp("The directory to make: the new node's data_dir.", valueName: "dir"))
    var dataDir: String

    @Option(help: ArgumentHelp("Configuration file (YAML) of the new node.", valueName: "file"))
    var config: String?

    mutating func run() async throws {
        let configuration = try load()
        let writer = LogWriter()
        let logger = Logger(label: "rustfs-metadata") { label in
            LineLogHandler(label: label, level: .warning, format: .logfmt, writer: writer)
        }
        let replication = configuration.metadata.replication
        let others = [replication?.raft.logDirectory, replication?.raft.snapshotDirectory].compactMap { $0 }
        let target = BackupRestore.Target(
            dataDirectory: AbsolutePath.of(configuration.dataDirectory),
            keyValuePath: AbsolutePath.of(configuration.metadata.local.kvPath),
            objectDataPath: AbsolutePath.of(configuration.metadata.local.mxPath), otherPaths: others.map(AbsolutePath.of))
        do throws(BackupError) {
            let file = try await BackupRestore(to: target, logger: logger).run(AbsolutePath.of(path))
            for line in BackupReport(file, isVerified: true).lines { print(line) }
            print("restored  \(target.dataDirectory); start a server on it")
        } catch {
            StandardError.write("rustfs-metadata: \(error)")
            throw error.isOfFile ? ExitCode.badData : ExitCode.cannotRun
        }
    }

    private func load() throws -> ServerConfiguration {
        do throws(ConfigurationError) {
            return try ServerConfiguration.load(
                file: config, environment: ProcessInfo.processInfo.environment, flags: ["--data": dataDir]
            ).configuration
        } catch {
            StandardError.write(error.description)
            throw ExitCode.badConfiguration
        }
    }
}
