import ArgumentParser

/// The program: clusters in virtual time, by script.
@main
struct RustFSSimulate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rustfs-simulate",
        abstract: "Run clusters of the consensus core in one thread and virtual time.",
        subcommands: [TranscriptRun.self, QuorumRun.self, ConfigurationChangeRun.self]
    )
}
