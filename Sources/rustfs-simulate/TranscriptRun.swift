import ArgumentParser
import SimulationKit

/// `rustfs-simulate transcript FILE`.
struct TranscriptRun: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "transcript",
        abstract: "Run a scripted cluster.",
        discussion: """
            Prints each command, its input, ---- and what the cluster shows. \(ExitCode.transcriptCodes)
            """
    )

    @OptionGroup var options: TranscriptOptions

    func run() throws {
        try options.run(in: ClusterTranscript()) { seen in
            seen.stanzas.map { $0.lines.joined(separator: "\n") }.joined(separator: "\n\n")
        }
    }
}
