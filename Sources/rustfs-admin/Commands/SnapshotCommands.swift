import ArgumentParser

struct SnapshotCommands: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "snapshot",
        abstract: "The state of the cluster as a file.",
        discussion: "`rustfs-metadata restore` makes a data directory of a file, without a cluster.",
        subcommands: [CreateSnapshot.self, InspectSnapshot.self, RestoreSnapshot.self])
}
