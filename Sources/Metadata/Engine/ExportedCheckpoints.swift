package import FileSystem

/// Checkpoints of the store that backups are made of: directories beside the store's files, for as long as one is written.
package enum ExportedCheckpoints {
    private static let prefix = "exporting-"

    /// A name that no other export has.
    package static func makePath(in keyValuePath: String) -> String {
        "\(keyValuePath)/\(prefix)\(String(UInt64.random(in: .min ... .max), radix: 16))"
    }

    /// Removes those that a crash has left. Before the store is opened. Blocks.
    package static func removeAll(in keyValuePath: String, fileSystem: any FileSystem) throws(FileSystemError) {
        let names: [String]
        do throws(FileSystemError) { names = try fileSystem.list(keyValuePath) } catch {
            if error.code == .notFound { return }
            throw error
        }
        for name in names where name.hasPrefix(prefix) { try fileSystem.removeAll("\(keyValuePath)/\(name)") }
    }
}
