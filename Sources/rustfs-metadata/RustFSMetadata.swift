import ArgumentParser

@main
struct RustFSMetadata: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rustfs-metadata",
        abstract: "An S3-compatible object service over a local or replicated metadata engine."
    )
}
