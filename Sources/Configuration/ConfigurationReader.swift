import Yams

/// What one load of a configuration gathers: where values come from, what is wrong with them, and which keys exist.
///
/// The keys that exist are those that somebody asked for: an unknown key and the list of known ones are found by the same calls
/// that read the values, so that neither can be forgotten.
final class ConfigurationReader {
    let file: String
    let environment: [String: String]
    let flags: [String: String]
    private(set) var diagnostics: [ConfigurationDiagnostic] = []
    private(set) var knownKeys: [ConfigurationKey] = []
    private var isRecordingOnly = false

    init(file: String, environment: [String: String], flags: [String: String]) {
        self.file = file
        self.environment = environment
        self.flags = flags
    }

    func report(
        _ severity: ConfigurationDiagnostic.Severity = .error, at origin: ConfigurationOrigin, key: String?, _ message: String
    ) {
        guard !isRecordingOnly else { return }
        diagnostics.append(ConfigurationDiagnostic(severity: severity, origin: origin, key: key, message: message))
    }

    func record(_ key: ConfigurationKey) {
        guard !knownKeys.contains(where: { $0.path == key.path }) else { return }
        knownKeys.append(key)
    }

    /// Runs `body` for the keys that it asks for alone.
    func recordOnly(_ body: () -> Void) {
        let outer = isRecordingOnly
        isRecordingOnly = true
        body()
        isRecordingOnly = outer
    }
}

/// A key that a configuration may have, for documentation and its test.
package struct ConfigurationKey: Sendable, Equatable {
    /// The dotted path, `[]` standing for each element of a list: `s3.users[].access_key`.
    package var path: String
    package var type: String
    /// As written in a file; `nil` where there is none.
    package var defaultValue: String?
    package var environmentVariable: String?
    package var flag: String?
}

/// One mapping of the file, or the absence of one.
final class ConfigurationSection {
    /// With `[2]` for the third element of a list.
    let path: String
    /// With `[]` for any element of a list.
    private let pattern: String
    let origin: ConfigurationOrigin
    private let reader: ConfigurationReader
    private var entries: [(name: String, line: Int?, value: Node)] = []
    private var known: [String] = []
    /// Something else than a map stands here, which has been reported: what is missing in it need not be.
    private var isMalformed = false

    init(reader: ConfigurationReader, node: Node?, path: String, pattern: String, origin: ConfigurationOrigin) {
        self.reader = reader
        self.path = path
        self.pattern = pattern
        self.origin = origin
        guard let node else { return }
        switch node {
        case .mapping(let mapping):
            for (key, value) in mapping {
                guard case .scalar(let name) = key else {
                    report(
                        at: .file(path: reader.file, line: key.mark?.line), key: nil,
                        "a key must be a word, not a list or a map")
                    continue
                }
                entries.append((name.string, name.mark?.line, value))
            }
        case .scalar(let scalar) where RawScalar(scalar).isNull:
            break  // A section whose every line is commented out.
        case .scalar, .sequence, .alias:
            isMalformed = true
            let subject = path.isEmpty ? "the file must consist of" : "must hold"
            report(at: origin, key: path.isEmpty ? nil : path, "\(subject) keys and values, not \(node.kindInWords)")
        }
    }

    private func report(at origin: ConfigurationOrigin, key: String?, _ message: String) {
        reader.report(at: origin, key: key, message)
    }

    private func join(_ base: String, _ key: String) -> String { base.isEmpty ? key : "\(base).\(key)" }

    func entry(_ key: String) -> (value: Node, origin: ConfigurationOrigin)? {
        known.append(key)
        guard let entry = entries.first(where: { $0.name == key }) else { return nil }
        return (entry.value, .file(path: reader.file, line: entry.line))
    }

    /// Reports each key that nobody asked for. Called once, after all have been.
    func finish() {
        for entry in entries where !known.contains(entry.name) {
            let hint = NameSuggestion.closest(to: entry.name, among: known).map { "did you mean '\($0)'?" }
            let others = "known here: \(known.joined(separator: ", "))"
            report(
                at: .file(path: reader.file, line: entry.line), key: join(path, entry.name), "unknown key; \(hint ?? others)")
        }
    }
}

extension ConfigurationSection {
    /// The file has the key here, whatever its value.
    func has(_ key: String) -> Bool { entries.contains { $0.name == key } }

    /// The value of a key: from a flag, else the environment, else the file, else `defaultValue`. Each one given is checked, also
    /// one that another overrides. After a reported problem the value is the next best.
    func value<Value>(
        _ key: String, _ type: ValueType<Value>, default defaultValue: Value, documentedDefault: String? = nil,
        environment variable: String? = nil, flag: String? = nil
    ) -> Located<Value> {
        let documented = documentedDefault ?? type.write(defaultValue)
        return given(key, type, documentedDefault: documented, environment: variable, flag: flag)
            ?? Located(value: defaultValue, key: join(path, key), origin: .builtIn)
    }

    /// As above for a key without a default.
    func optional<Value>(
        _ key: String, _ type: ValueType<Value>, environment variable: String? = nil, flag: String? = nil
    ) -> Located<Value>? {
        given(key, type, documentedDefault: nil, environment: variable, flag: flag)
    }

    /// As above, and its absence is reported.
    func required<Value>(_ key: String, _ type: ValueType<Value>, environment variable: String? = nil) -> Located<Value>? {
        let found = given(key, type, documentedDefault: nil, environment: variable, flag: nil)
        let isPresent = has(key) || variable.map { reader.environment[$0] != nil } ?? false
        if !isPresent && !isMalformed { report(at: origin, key: join(path, key), "is missing") }
        return found
    }

    private func given<Value>(
        _ key: String, _ type: ValueType<Value>, documentedDefault: String?, environment variable: String?, flag: String?
    ) -> Located<Value>? {
        record(key, typeName: type.name, default: documentedDefault, environment: variable, flag: flag)
        var found: Located<Value>?
        if let entry = entry(key) { found = parse(entry.value, key: key, type, origin: entry.origin) }
        for (text, origin) in overrides(environment: variable, flag: flag) {
            found = parse(RawScalar(text: text, isPlain: true), key: key, type, origin: origin) ?? found
        }
        return found
    }

    /// Notes that a configuration may have the key.
    func record(
        _ key: String, typeName: String, default documentedDefault: String? = nil, environment variable: String?, flag: String?
    ) {
        reader.record(
            ConfigurationKey(
                path: join(pattern, key), type: typeName, defaultValue: documentedDefault, environmentVariable: variable,
                flag: flag))
    }

    /// What the environment and a flag say, the one that wins last.
    func overrides(
        environment variable: String?, flag: String?
    ) -> [(text: String, origin: ConfigurationOrigin)] {
        var found: [(text: String, origin: ConfigurationOrigin)] = []
        if let variable, let text = reader.environment[variable] { found.append((text, .environment(variable: variable))) }
        if let flag, let text = reader.flags[flag] { found.append((text, .flag(flag))) }
        return found
    }

    func parse<Value>(_ node: Node, key: String, _ type: ValueType<Value>, origin: ConfigurationOrigin) -> Located<
        Value
    >? {
        guard case .scalar(let scalar) = node else {
            report(at: origin, key: join(path, key), "must be one value (\(type.name)), not \(node.kindInWords)")
            return nil
        }
        let raw = RawScalar(scalar)
        guard !raw.isNull else {
            report(at: origin, key: join(path, key), "has no value; it must be \(type.name)")
            return nil
        }
        return parse(raw, key: key, type, origin: origin)
    }

    func parse<Value>(
        _ raw: RawScalar, key: String, _ type: ValueType<Value>, origin: ConfigurationOrigin
    ) -> Located<Value>? {
        do {
            return Located(value: try type.parse(raw), key: join(path, key), origin: origin)
        } catch {
            report(at: origin, key: join(path, key), error.message)
            return nil
        }
    }
}

extension ConfigurationSection {
    /// The keys under `key`, which may be absent or empty.
    func section<Result>(_ key: String, _ read: (ConfigurationSection) -> Result) -> Result {
        let entry = entry(key)
        let section = ConfigurationSection(
            reader: reader, node: entry?.value, path: join(path, key), pattern: join(pattern, key),
            origin: entry?.origin ?? origin)
        defer { section.finish() }
        return read(section)
    }

    /// As above, where the absence of the whole section means something.
    func optionalSection<Result>(_ key: String, _ read: (ConfigurationSection) -> Result) -> Result? {
        if has(key) { return section(key, read) }
        reader.recordOnly { _ = section(key, read) }
        return nil
    }

    /// Each element of the list under `key`; `nil` when there is no list.
    func list<Element>(_ key: String, _ read: (ConfigurationSection) -> Element) -> (
        elements: [Element], origin: ConfigurationOrigin
    )? {
        let pattern = join(pattern, key) + "[]"
        reader.recordOnly {
            _ = read(ConfigurationSection(reader: reader, node: nil, path: pattern, pattern: pattern, origin: .builtIn))
        }
        guard let entry = entry(key) else { return nil }
        switch entry.value {
        case .scalar(let scalar) where RawScalar(scalar).isNull:
            return ([], entry.origin)
        case .scalar, .mapping, .alias:
            reportNoList(entry.value, key: key, at: entry.origin)
            return nil
        case .sequence(let nodes):
            let elements = nodes.enumerated().map { index, node in
                let section = ConfigurationSection(
                    reader: reader, node: node, path: "\(join(path, key))[\(index)]", pattern: pattern,
                    origin: originOfElement(node))
                defer { section.finish() }
                return read(section)
            }
            return (elements, entry.origin)
        }
    }

    func originOfElement(_ node: Node) -> ConfigurationOrigin { .file(path: reader.file, line: node.mark?.line) }

    func reportNoList(_ node: Node, key: String, at origin: ConfigurationOrigin) {
        report(at: origin, key: join(path, key), "must be a list (lines that begin with '- '), not \(node.kindInWords)")
    }
}

extension RawScalar {
    init(_ scalar: Node.Scalar) {
        self.init(text: scalar.string, isPlain: scalar.style == .plain || scalar.style == .any)
    }
}

extension Node {
    /// What stands there, in the words of an error message.
    fileprivate var kindInWords: String {
        switch self {
        case .scalar: "a single value"
        case .mapping: "a map of keys"
        case .sequence: "a list"
        case .alias: "an alias"
        }
    }
}
