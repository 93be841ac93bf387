import ArgumentParser
import Foundation

/// The operator's command line: every subcommand but one is a request to the administration interface of a node;
/// that one looks at a snapshot file.
@main
struct RustFSAdmin: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rustfs-admin",
        abstract: "Administers a cluster of rustfs-metadata.",
        discussion: """
            Exit codes: 0 done, 1 refused or a bad snapshot file, 2 it is not known what it has come or will come to, 64 wrong command line or request, \
            66 a file cannot be read, 69 no node answers that could do it, 70 an answer that is none, 77 not permitted.

            docs/operations/admin.md shows how each command is used.
            """,
        version: "0.1.0",
        subcommands: [MetadataCommands.self]
    )

    /// A node that goes away is an error of one request, not the end of the process.
    static func main() async {
        signal(SIGPIPE, SIG_IGN)
        await main(nil)
    }
}

struct MetadataCommands: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "metadata", abstract: "The members of the cluster and their state.",
        subcommands: [
            Status.self, Lag.self, Verify.self, AddNode.self, RemoveNode.self, ReplaceNode.self, ChangeAddress.self,
            TransferLeadership.self, SnapshotCommands.self,
        ])
}

/// After sysexits.h, where that has a name for it.
extension ExitCode {
    static let refused = ExitCode(1)
    static let unknownOutcome = ExitCode(2)
    static let usage = ExitCode(64)
    static let unreadableFile = ExitCode(66)
    static let unavailable = ExitCode(69)
    static let badAnswer = ExitCode(70)
    static let notPermitted = ExitCode(77)
}
