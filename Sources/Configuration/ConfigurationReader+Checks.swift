import Glibc

// Checks that need several keys at once.

extension S3Keys {
    func check(_ reader: ConfigurationReader) {
        reader.checkUnique(domains, what: "domain")
        let accounts = [root] + users
        reader.checkUnique(accounts.map(\.accessKey).filter { !$0.value.isEmpty }, what: "access key", isSecret: true)
        for (index, account) in users.enumerated() where !account.canonicalID.value.isEmpty {
            let earlier = accounts[...index].first { $0.canonicalID.value == account.canonicalID.value }
            guard let earlier, earlier.displayName != account.displayName else { continue }
            reader.report(
                at: account.canonicalID.origin, key: account.canonicalID.key,
                "is the id of '\(earlier.displayName)' too; accounts that share an id must share the display_name")
        }
    }
}

extension ConfigurationReader {
    /// - Parameter isSecret: the message does not repeat the value.
    func checkUnique<Value: Hashable>(_ values: [Located<Value>], what: String, isSecret: Bool = false) {
        var first: [Value: Located<Value>] = [:]
        for value in values {
            if let earlier = first[value.value] {
                let text = isSecret ? "" : " \(value.value)"
                report(at: value.origin, key: value.key, "the \(what)\(text) is used twice, also by \(earlier.key)")
            } else {
                first[value.value] = value
            }
        }
    }

    /// Two servers cannot listen on one address (port 0 is a different free one each time).
    func checkDifferent(_ first: Located<NetworkAddress>, _ second: Located<NetworkAddress>) {
        guard first.value == second.value, first.value.port != 0 else { return }
        let (blamed, other) = second.isGiven ? (second, first) : (first, second)
        report(at: blamed.origin, key: blamed.key, "is \(blamed.value), which is the address of \(other.key) too")
    }

    func checkReadable(_ file: Located<String>) {
        guard access(file.value, R_OK) != 0 else { return }
        report(at: file.origin, key: file.key, "'\(file.value)' cannot be read: \(String(cString: strerror(errno)))")
    }

    /// Both files or none, and readable now rather than at the first connection.
    func checkTLS(certificate: Located<String>?, privateKey: Located<String>?) -> ServerConfiguration.TLS? {
        for file in [certificate, privateKey].compactMap({ $0 }) { checkReadable(file) }
        switch (certificate, privateKey) {
        case (let certificate?, let privateKey?):
            return ServerConfiguration.TLS(certificateFile: certificate.value, privateKeyFile: privateKey.value)
        case (let certificate?, nil):
            report(at: certificate.origin, key: certificate.key, "needs tls.private_key_file beside it")
        case (nil, let privateKey?):
            report(at: privateKey.origin, key: privateKey.key, "needs tls.certificate_file beside it")
        case (nil, nil):
            break
        }
        return nil
    }

    /// No two of the paths are equal, and none lies inside another: each belongs to one part of the server, which may clear it.
    func checkApart(_ paths: [Located<String>]) {
        for (index, path) in paths.enumerated() {
            for other in paths[..<index] {
                let a = PathComponents(path.value)
                let b = PathComponents(other.value)
                guard a.contains(b) || b.contains(a) else { continue }
                // Blame a line that a person wrote, if one of the two was written.
                let (blamed, reference) = path.isGiven || !other.isGiven ? (path, other) : (other, path)
                let relation =
                    a == b
                    ? "is the path of"
                    : PathComponents(reference.value).contains(PathComponents(blamed.value)) ? "lies inside" : "contains"
                report(
                    at: blamed.origin, key: blamed.key,
                    "'\(blamed.value)' \(relation) \(reference.key)'s '\(reference.value)'; each needs a directory of its own")
            }
        }
    }
}

/// A path without its empty and `.` parts; `..` is resolved by its letters, symbolic links are not.
private struct PathComponents: Equatable {
    var isAbsolute: Bool
    var parts: [Substring] = []

    init(_ path: String) {
        isAbsolute = path.hasPrefix("/")
        for part in path.split(separator: "/") where part != "." {
            if part == "..", let last = parts.last, last != ".." {
                parts.removeLast()
            } else if part != ".." || !isAbsolute {
                parts.append(part)
            }
        }
    }

    /// The other path is this one or below it.
    func contains(_ other: PathComponents) -> Bool {
        isAbsolute == other.isAbsolute && other.parts.starts(with: parts)
    }
}
