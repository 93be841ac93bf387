import AdminDocuments
import ArgumentParser
import Backup

/// `rustfs-metadata snapshot`: what can be done with snapshot files without a server.
struct Snapshot: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Look at snapshot files.", subcommands: [Inspect.self])

    enum Output: String, ExpressibleByArgument {
        case text, json
    }

    /// `snapshot inspect`.
    struct Inspect: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Tell what is in a snapshot file, and compare all of it with its checksums.",
            discussion: """
                Nothing is changed, and no server is needed. docs/operations/backup.md tells of snapshot files.

                Exit codes: 0 the file is whole, 1 it could not be read, 64 wrong command line, 65 it is damaged or no snapshot file.
                """
        )

        @Option(help: ArgumentHelp("The snapshot file.", valueName: "file"))
        var path: String

        @Option(help: ArgumentHelp("text or json.", valueName: "format"))
        var output = Output.text

        @Flag(help: "Read only the beginning and the end, not what is between.")
        var quick = false

        mutating func run() async throws {
            do throws(BackupError) {
                let report = try BackupReport(inspecting: AbsolutePath.of(path), isQuick: quick)
                switch output {
                case .text: for line in report.lines { print(line) }
                case .json: print(String(decoding: AdminJSON.encode(report, isPretty: true), as: UTF8.self), terminator: "")
                }
            } catch {
                StandardError.write("rustfs-metadata: \(error)")
                throw error.isOfFile ? ExitCode.badData : ExitCode.cannotRun
            }
        }
    }
}
