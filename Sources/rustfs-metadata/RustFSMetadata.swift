import ArgumentParser

/// The program: its subcommands, of which `serve` needs no name.
@main
struct RustFSMetadata: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rustfs-metadata",
        abstract: "An S3-compatible object service over a local metadata engine.",
        version: Version.current,
        subcommands: [Serve.self, Snapshot.self, Restore.self],
        defaultSubcommand: Serve.self
    )
}

/// The version of this build.
enum Version {
    static let current = "0.1.0"
}

/// Exit codes after sysexits.h; `docs/configuration.md` lists them. Usage errors (64) are swift-argument-parser's own.
extension ExitCode {
    /// The configuration cannot be used: EX_CONFIG.
    static let badConfiguration = ExitCode(78)
    /// A file that was given is not what it should be: EX_DATAERR.
    static let badData = ExitCode(65)
    /// Something failed that a restart or an operator may mend.
    static let cannotRun = ExitCode(1)
}
