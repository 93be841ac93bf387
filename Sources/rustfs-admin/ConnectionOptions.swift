import ArgumentParser
import Foundation
import NIOSSL

/// Whom to ask and as whom, and how answers are shown.
struct ConnectionOptions: ParsableArguments {
    enum Output: String, ExpressibleByArgument, CaseIterable { case table, json }

    private static let endpointDefault = "http://127.0.0.1:9100"

    @Option(
        help: ArgumentHelp(
            "Administration address of a node, may be given several times: the first that answers is asked. (environment: RUSTFS_ADMIN_ENDPOINT, separated by commas; default: \(endpointDefault))",
            valueName: "url"))
    var endpoint: [String] = []

    @Option(
        help: ArgumentHelp(
            "File with the token. Without it the token is that of the environment variable RUSTFS_ADMIN_TOKEN, if there is one.",
            valueName: "file"))
    var tokenFile: String?

    @Option(help: ArgumentHelp("Authorities of the nodes' certificates (PEM); default: the system's.", valueName: "file"))
    var caCert: String?

    @Option(help: ArgumentHelp("Certificate to show (PEM), in the place of a token.", valueName: "file"))
    var clientCert: String?

    @Option(help: ArgumentHelp("Its private key (PEM).", valueName: "file"))
    var clientKey: String?

    @Option(help: ArgumentHelp("How the answer is shown: table or json.", valueName: "form"))
    var output = Output.table

    @Option(
        help: ArgumentHelp("Seconds to wait at most; default 60, for adding and replacing nodes 3600.", valueName: "seconds"))
    var timeout: Int?

    mutating func validate() throws {
        if let timeout, !(1...86_400).contains(timeout) {
            throw ValidationError("--timeout must be between 1 and 86400 seconds.")
        }
        if (clientCert == nil) != (clientKey == nil) {
            throw ValidationError("--client-cert and --client-key belong together.")
        }
    }

    /// - Throws: `AdminFailure`.
    func client() throws(AdminFailure) -> AdminClient {
        var texts = endpoint
        if texts.isEmpty, let variable = ProcessInfo.processInfo.environment["RUSTFS_ADMIN_ENDPOINT"] {
            texts = variable.split(separator: ",").map(String.init)
        }
        if texts.isEmpty { texts = [Self.endpointDefault] }
        var endpoints: [Endpoint] = []
        for text in texts { endpoints.append(try Endpoint(text)) }
        return AdminClient(
            endpoints: endpoints, token: try token(), tls: endpoints.contains(where: \.isSecure) ? try tlsContext() : nil)
    }

    private func token() throws(AdminFailure) -> String? {
        let text: String?
        if let tokenFile {
            do { text = try String(contentsOfFile: tokenFile, encoding: .utf8) } catch {
                throw .unreadableFile("The token file '\(tokenFile)' cannot be read: \(error.localizedDescription)")
            }
        } else {
            text = ProcessInfo.processInfo.environment["RUSTFS_ADMIN_TOKEN"]
        }
        guard let token = text?.trimmingCharacters(in: .whitespacesAndNewlines) else { return nil }
        // Anything else could not stand in a header field.
        guard !token.isEmpty, token.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw .usage("The token is empty, or has characters that no token has.")
        }
        return token
    }

    private func tlsContext() throws(AdminFailure) -> NIOSSLContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        do {
            if let caCert { configuration.trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(caCert)) }
            if let clientCert, let clientKey {
                configuration.certificateChain = try NIOSSLCertificate.fromPEMFile(clientCert).map { .certificate($0) }
                configuration.privateKey = .privateKey(try NIOSSLPrivateKey(file: clientKey, format: .pem))
            }
            return try NIOSSLContext(configuration: configuration)
        } catch {
            let files = [caCert, clientCert, clientKey].compactMap { $0 }.joined(separator: ", ")
            throw .unreadableFile("The certificates or the key cannot be used (\(files)): \(error)")
        }
    }
}

/// The administration address of a node.
struct Endpoint: Sendable, CustomStringConvertible {
    let isSecure: Bool
    let host: String
    let port: Int

    /// `http://host:port`, `https://host:port`, or `host:port`.
    init(_ text: String) throws(AdminFailure) {
        var text = text.trimmingCharacters(in: .whitespaces)
        if !text.contains("://") { text = "http://\(text)" }
        guard let url = URLComponents(string: text), let scheme = url.scheme?.lowercased(), ["http", "https"].contains(scheme),
            var host = url.host, !host.isEmpty, url.path.isEmpty || url.path == "/", url.query == nil, url.user == nil
        else { throw .usage("'\(text)' is no endpoint; write http://host:port or https://host:port.") }
        // An IPv6 address stands in brackets.
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        let port = url.port ?? 9100
        guard (1...65_535).contains(port) else { throw .usage("'\(text)' has no port from 1 to 65535.") }
        isSecure = scheme == "https"
        self.host = host
        self.port = port
    }

    var authority: String { (host.contains(":") ? "[\(host)]" : host) + ":\(port)" }
    var description: String { "\(isSecure ? "https" : "http")://\(authority)" }
}
