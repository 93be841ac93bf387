import ArgumentParser
import SimulationKit

/// The program: clusters in virtual time, by chance or by script.
@main
struct RustFSSimulate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rustfs-simulate",
        abstract: "Run clusters in one thread and virtual time.",
        discussion: """
            A seed decides a run: which faults come when, on how many nodes, under which load. Runs check what must always hold \
            (docs/simulation.md), and end with the first seed for which something does not.

                rustfs-simulate --seed 7                     one run
                rustfs-simulate --seeds 1..1000              many
                rustfs-simulate --seed 7 --shrink > f.replay a smaller run that fails in the same way
                rustfs-simulate --replay f.replay            that run again
                rustfs-simulate --mutants                    known bugs, each of which must be found

            Exit codes: 0 all is well, 1 an invariant did not hold or a mutant was not found, 64 a mistake on the command line or in \
            the file, 66 no such file.
            """,
        subcommands: [TranscriptRun.self, QuorumRun.self, ConfigurationChangeRun.self, LinearizeRun.self]
    )

    @OptionGroup var options: SimulationOptions

    func run() throws {
        try options.run()
    }
}
