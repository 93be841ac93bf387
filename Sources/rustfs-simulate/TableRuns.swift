import ArgumentParser
import SimulationKit

/// `rustfs-simulate quorum FILE`.
struct QuorumRun: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "quorum",
        abstract: "Compute a table of quorums.",
        discussion: """
            Prints one result a stanza: the committed index or ∞, VoteWon, VoteLost or VotePending.

                committed cfg=(1,2,3) cfgj=(2,3,4) idx=(100,101,99,_)
                vote cfg=(1,2,3) votes=(y,n,_)

            \(ExitCode.transcriptCodes)
            """
    )

    @OptionGroup var options: TranscriptOptions

    func run() throws {
        try options.run(in: QuorumTable()) { $0.outputs.joined(separator: "\n") }
    }
}

/// `rustfs-simulate confchange FILE`.
struct ConfigurationChangeRun: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "confchange",
        abstract: "Compute a table of configuration changes.",
        discussion: """
            Prints the configuration after each stanza and a line for every member, or the error; a blank line follows each. One \
            file is one configuration, which begins empty.

                simple | enter-joint autoleave=true | leave-joint
                v1 l2 r3 u4

            \(ExitCode.transcriptCodes)
            """
    )

    @OptionGroup var options: TranscriptOptions

    func run() throws {
        try options.run(in: ConfigurationChangeTable()) { $0.outputs.joined(separator: "\n\n") }
    }
}
