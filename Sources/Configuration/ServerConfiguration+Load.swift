import Glibc
import Yams

/// A configuration to start with, and what the log should say about it.
package struct LoadedConfiguration: Sendable, Equatable {
    package var configuration: ServerConfiguration
    /// Warnings and notes.
    package var remarks: [ConfigurationDiagnostic]
}

extension ServerConfiguration {
    /// A file above this is not a configuration.
    private static let fileBytesMax = 1 << 20

    /// Reads and checks the whole configuration: flags win over the environment, the environment over the file, the file over defaults.
    ///
    /// Blocks on the file system; call it before anything serves.
    /// - Parameters:
    ///   - file: `nil` for none; an empty file is one that leaves every default.
    ///   - environment: all of it; only the `RUSTFS_…` variables of `knownKeys` count.
    ///   - flags: keyed by the flag's name with its dashes, such as `--data`.
    /// - Throws: every problem that was found, not only the first. Broken YAML ends the search at once.
    package static func load(
        file: String?, environment: [String: String] = [:], flags: [String: String] = [:]
    ) throws(ConfigurationError) -> LoadedConfiguration {
        guard let file else { return try parse(yaml: "", file: "", environment: environment, flags: flags) }
        return try parse(yaml: readFile(file), file: file, environment: environment, flags: flags)
    }

    /// As above for a text that came from somewhere else; `file` names it in errors.
    package static func parse(
        yaml: String, file: String, environment: [String: String] = [:], flags: [String: String] = [:]
    ) throws(ConfigurationError) -> LoadedConfiguration {
        let root = try compose(yaml: yaml, file: file)
        let reader = ConfigurationReader(file: file, environment: environment, flags: flags)
        let section = ConfigurationSection(
            reader: reader, node: root, path: "", pattern: "", origin: .file(path: file, line: 1))
        let configuration = ServerConfiguration(reading: section, reader: reader)
        section.finish()
        reader.reportMisspelledVariables()
        let diagnostics = reader.diagnosticsInOrder()
        let errors = diagnostics.filter { $0.severity == .error }
        guard errors.isEmpty else { throw ConfigurationError(diagnostics: errors) }
        return LoadedConfiguration(configuration: configuration, remarks: diagnostics)
    }

    /// Every key that a file may have, in the order of the documentation.
    package static var knownKeys: [ConfigurationKey] {
        let reader = ConfigurationReader(file: "", environment: [:], flags: [:])
        let section = ConfigurationSection(reader: reader, node: nil, path: "", pattern: "", origin: .builtIn)
        _ = ServerConfiguration(reading: section, reader: reader)
        return reader.knownKeys
    }
}

// MARK: The file and its YAML

extension ServerConfiguration {
    private static func problem(_ file: String, line: Int? = nil, key: String? = nil, _ message: String) -> ConfigurationError {
        let origin = ConfigurationOrigin.file(path: file, line: line)
        return ConfigurationError(diagnostics: [
            ConfigurationDiagnostic(severity: .error, origin: origin, key: key, message: message)
        ])
    }

    private static func readFile(_ file: String) throws(ConfigurationError) -> String {
        let descriptor = open(file, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw problem(file, "cannot be opened: \(String(cString: strerror(errno)))") }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = read(descriptor, &chunk, chunk.count)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw problem(file, "cannot be read: \(String(cString: strerror(errno)))") }
            guard count > 0 else { break }
            bytes += chunk[..<count]
            guard bytes.count <= fileBytesMax else {
                throw problem(file, "is larger than \(fileBytesMax) bytes; is it a configuration file?")
            }
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            let before = bytes.prefix { $0 < 0x80 }
            throw problem(file, line: before.count { $0 == 0x0A } + 1, "is not UTF-8 text (in this line or below)")
        }
        return text
    }

    private static func compose(yaml: String, file: String) throws(ConfigurationError) -> Node? {
        do {
            // The basic resolver: what a scalar means is decided by the key that reads it, not by how it looks.
            return try Yams.compose(yaml: yaml, .basic, .default, .utf8)
        } catch let error as YamlError {
            throw describe(error, file: file)
        } catch {
            throw problem(file, "cannot be parsed: \(error)")
        }
    }

    private static func describe(_ error: YamlError, file: String) -> ConfigurationError {
        switch error {
        case .scanner(let context, let text, let mark, _), .parser(let context, let text, let mark, _),
            .composer(let context, let text, let mark, _):
            let around = context.map { " \($0.text)" } ?? ""
            return problem(file, line: mark.line, "broken YAML\(around): \(text) (column \(mark.column))")
        case .duplicatedKeysInMapping(let duplicates, let context):
            let names = duplicates.sorted()
            return problem(
                file, line: context.mark.line, key: names.first,
                "is given more than once in the same section"
                    + (names.count > 1 ? "; so are: \(names.dropFirst().joined(separator: ", "))" : ""))
        case .reader(let text, let offset, _, let yaml):
            let line = offset.map { yaml.utf8.prefix($0).count { $0 == 0x0A } + 1 }
            return problem(file, line: line, "broken YAML: \(text)")
        case .no, .memory, .writer, .emitter, .representer, .dataCouldNotBeDecoded:
            return problem(file, "cannot be parsed: \(error)")
        }
    }
}

extension ConfigurationReader {
    /// A variable that is nearly one of ours was meant to be one, and would silently do nothing.
    func reportMisspelledVariables() {
        let known = Set(knownKeys.compactMap(\.environmentVariable))
        for variable in environment.keys.sorted() where variable.hasPrefix("RUSTFS_") && !known.contains(variable) {
            guard let meant = NameSuggestion.closest(to: variable, among: known.sorted()),
                NameSuggestion.distance(from: meant, to: variable) <= 2
            else { continue }
            report(.warning, at: .environment(variable: variable), key: nil, "unknown variable; did you mean \(meant)?")
        }
    }

    /// In the order of the file, then the environment and the flags.
    func diagnosticsInOrder() -> [ConfigurationDiagnostic] {
        func position(_ diagnostic: ConfigurationDiagnostic) -> Int {
            switch diagnostic.origin {
            case .file(_, let line): line ?? 0
            case .builtIn, .environment, .flag: Int.max
            }
        }
        return diagnostics.enumerated()
            .sorted { (position($0.element), $0.offset) < (position($1.element), $1.offset) }
            .map(\.element)
    }
}
