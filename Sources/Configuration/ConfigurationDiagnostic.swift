/// One thing that is wrong or noteworthy about a configuration, with the place where a person mends it.
package struct ConfigurationDiagnostic: Sendable, Equatable {
    package enum Severity: Sendable, Equatable {
        /// The server does not start.
        case error
        /// It starts, and says so in its log.
        case warning
        /// It starts; a key has no effect.
        case note
    }

    package var severity: Severity
    package var origin: ConfigurationOrigin
    /// The dotted path of the key, such as `metadata.replication.nodes[2].address`; `nil` for the file as a whole.
    package var key: String?
    /// Never contains a secret.
    package var message: String
}

extension ConfigurationDiagnostic: CustomStringConvertible {
    /// `file:line: key: message`, as compilers write it, so that editors jump there.
    package var description: String {
        let place = "\(origin): "
        let subject = key.map { "\($0): " } ?? ""
        return place + subject + message
    }
}

/// Where a value came from. Later ones win: defaults, the file, the environment, flags.
package enum ConfigurationOrigin: Sendable, Equatable, CustomStringConvertible {
    case builtIn
    case file(path: String, line: Int?)
    case environment(variable: String)
    case flag(String)

    package var description: String {
        switch self {
        case .builtIn: "default"
        case .file(let path, let line?): "\(path):\(line)"
        case .file(let path, nil): path
        case .environment(let variable): "environment variable \(variable)"
        case .flag(let flag): "option \(flag)"
        }
    }
}

/// A configuration that no server may start with.
package struct ConfigurationError: Error, Sendable, Equatable, CustomStringConvertible {
    /// All that was found, in the order of the file; at least one.
    package var diagnostics: [ConfigurationDiagnostic]

    package var description: String { diagnostics.map(\.description).joined(separator: "\n") }
}

/// Why one value is refused, to be read after the key's name: "is 70000; it must be …".
package struct ValueProblem: Error, Sendable, Equatable {
    package var message: String

    package init(_ message: String) { self.message = message }
}
