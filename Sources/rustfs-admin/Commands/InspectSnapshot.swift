import AdminDocuments
import ArgumentParser
import Backup
import Foundation

/// Asks nobody: the file is on the operator's machine.
struct InspectSnapshot: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect", abstract: "Tell what is in a snapshot file, and compare all of it with its checksums.",
        discussion: """
            The file is read on this machine. Nothing is changed, and no node is asked.

            Exit code 1 if it is damaged, cut short or no snapshot file, 66 if it cannot be read.
            """)

    @Option(help: ArgumentHelp("The snapshot file.", valueName: "file.snap"))
    var path: String

    @Option(help: ArgumentHelp("How the answer is shown: table or json.", valueName: "form"))
    var output = ConnectionOptions.Output.table

    @Flag(help: "Read only the beginning and the end, not what is between.")
    var quick = false

    func run() throws {
        do throws(AdminFailure) { show(try look()) } catch { throw error.show(as: output) }
    }

    private func look() throws(AdminFailure) -> BackupReport {
        do throws(BackupError) {
            return try BackupReport(inspecting: URL(fileURLWithPath: path).standardizedFileURL.path, isQuick: quick)
        } catch {
            throw error.isOfFile ? .badSnapshotFile("\(error)") : .unreadableFile("\(error)")
        }
    }

    private func show(_ report: BackupReport) {
        switch output {
        case .table: for line in report.lines { Console.write(line) }
        case .json: Console.write(bytes: AdminJSON.encode(report, isPretty: true))
        }
    }
}
