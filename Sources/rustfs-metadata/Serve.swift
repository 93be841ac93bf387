import ArgumentParser
import Configuration
import Foundation
import Logging
import Metrics
import Telemetry

/// `rustfs-metadata [serve]`: reads the configuration, sets up log and metrics, and runs the server until it is told to stop.
struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serve S3 until SIGTERM or SIGINT.",
        discussion: """
            Options win over environment variables (RUSTFS_…), these over the configuration file, that over the defaults. \
            docs/configuration.md describes every key.

            Exit codes: 0 stopped as asked, 1 could not start or go on, 64 wrong command line, 78 wrong configuration.
            """
    )

    @Option(help: ArgumentHelp("Configuration file (YAML).", valueName: "file"))
    var config: String?

    @Option(help: ArgumentHelp("Directory of everything that is kept.", valueName: "dir"))
    var data: String?

    @Option(help: ArgumentHelp("Where S3 clients connect; port 0 takes a free one.", valueName: "host:port"))
    var s3Address: String?

    @Option(help: ArgumentHelp("Domain below which hosts name buckets; may be given several times.", valueName: "domain"))
    var s3Domain: [String] = []

    @Option(help: ArgumentHelp("Where metrics and health are served.", valueName: "host:port"))
    var adminAddress: String?

    @Option(help: ArgumentHelp("trace, debug, info, notice, warning, error or critical.", valueName: "level"))
    var logLevel: String?

    @Flag(help: "Check the configuration and exit.")
    var checkConfig = false

    mutating func run() async throws {
        let loaded = try load()
        guard !checkConfig else {
            for remark in loaded.remarks { print("\(remark)") }
            print("The configuration is valid.")
            return
        }
        Allocator.configure()
        // A client, or the reader of the log, that goes away is an error of one write, not the end of the process.
        signal(SIGPIPE, SIG_IGN)
        let logger = bootstrapLogging(loaded.configuration.log)
        let metrics = bootstrapMetrics()
        report(loaded, to: logger)
        do {
            try await Server(configuration: loaded.configuration, metrics: metrics, logger: logger).run()
        } catch {
            logger.critical("The server ends with an error", metadata: ["error": "\(error)"])
            StandardError.write("rustfs-metadata: \(error)")
            throw ExitCode.cannotRun
        }
    }

    private func load() throws -> LoadedConfiguration {
        let flags = [
            "--data": data, "--s3-address": s3Address, "--s3-domain": s3Domain.isEmpty ? nil : s3Domain.joined(separator: ","),
            "--admin-address": adminAddress, "--log-level": logLevel,
        ]
        do throws(ConfigurationError) {
            return try ServerConfiguration.load(
                file: config, environment: ProcessInfo.processInfo.environment, flags: flags.compactMapValues { $0 })
        } catch {
            StandardError.write(error.description)
            throw ExitCode.badConfiguration
        }
    }

    private func report(_ loaded: LoadedConfiguration, to logger: Logger) {
        for remark in loaded.remarks {
            let level: Logger.Level = remark.severity == .note ? .notice : .warning
            logger.log(level: level, "Remark on the configuration", metadata: ["remark": "\(remark)"])
        }
        if loaded.configuration.s3.root.usesDefaultCredentials {
            logger.warning(
                "The root account has default credentials, which everybody knows: set RUSTFS_ACCESS_KEY and RUSTFS_SECRET_KEY")
        }
    }
}

extension Serve {
    private func bootstrapLogging(_ log: ServerConfiguration.Log) -> Logger {
        let level = Logger.Level(rawValue: log.level.rawValue) ?? .info
        let format: LogFormat =
            switch log.format {
            case .logfmt: .logfmt
            case .json: .json
            }
        let writer = LogWriter()
        LoggingSystem.bootstrap { LineLogHandler(label: $0, level: level, format: format, writer: writer) }
        return Logger(label: "rustfs-metadata")
    }

    private func bootstrapMetrics() -> PrometheusMetricsFactory {
        let metrics = PrometheusMetricsFactory()
        MetricsSystem.bootstrap(metrics)
        let process = ProcessMetrics()
        metrics.registerCollector { process.samples() }
        metrics.registerCollector {
            [
                MetricSample(
                    name: "rustfs_metadata_build_info", help: "The version, as a label.",
                    labels: [("version", Version.current)], value: 1)
            ]
        }
        return metrics
    }
}

/// What a person or a script waits for, written at once and not when a buffer is full.
enum StandardOutput {
    static func write(_ line: String) { writeLine(line, to: STDOUT_FILENO) }
}

/// Why the program ends, in words; all else goes to the log.
enum StandardError {
    static func write(_ line: String) { writeLine(line, to: STDERR_FILENO) }
}

private func writeLine(_ line: String, to descriptor: Int32) {
    var bytes = Array("\(line)\n".utf8)[...]
    while !bytes.isEmpty {
        let count = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        guard count > 0 || errno == EINTR else { return }
        bytes = bytes.dropFirst(max(0, count))
    }
}
