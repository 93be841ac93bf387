import HTTPServer
import NIOHTTP1

extension AdminCredentials {
    /// Lets the request in, or says why not (RFC 6750, section 3: `Bearer`).
    func check(_ request: HTTPRequest) async throws(AdminError) -> AdminCaller {
        if acceptsCertificates, let subject = request.peerCertificate { return .certificate(subject) }
        guard token != nil || acceptsCertificates else { return try checkLocal(request) }
        let fields = request.headers["Authorization"]
        guard let token, fields.count == 1, let given = Self.bearer(fields[0]) else { throw unauthorized(nil) }
        switch await token() {
        case .success(let expected) where Self.isEqual(given, expected): return .token
        case .success: throw unauthorized("error=\"invalid_token\"")
        case .failure:
            throw AdminError(
                .serviceUnavailable, "CredentialsUnavailable",
                "The token of this node cannot be read, so that nobody is let in. Its log says why; admin.token_file names the file."
            )
        }
    }

    private func unauthorized(_ detail: String?) -> AdminError {
        let ways = [
            token != nil ? "the token of admin.token or admin.token_file (Authorization: Bearer …)" : nil,
            acceptsCertificates ? "a client certificate of admin.tls.client_ca_file" : nil,
        ]
        let challenge = "Bearer realm=\"rustfs-metadata\"" + (detail.map { ", \($0)" } ?? "")
        let what = detail == nil ? "This needs" : "That token is not, or not any more, the one of this node; it needs"
        return AdminError(
            .unauthorized, "Unauthorized", "\(what) \(ways.compactMap { $0 }.joined(separator: ", or ")).",
            headers: ["WWW-Authenticate": challenge])
    }

    /// Whoever reaches a loopback address is on this machine. But a web page in its browser, too, may send requests there: not with a host
    /// of its own, though.
    private func checkLocal(_ request: HTTPRequest) throws(AdminError) -> AdminCaller {
        guard isLoopback else {
            throw AdminError(
                .forbidden, "AccessDisabled",
                "This is switched off, as no credentials are configured and others than this machine reach the address: set admin.token_file (or admin.token), or admin.tls.client_ca_file."
            )
        }
        guard let host = request.headers.first(name: "Host"), Self.isLocal(host: host) else {
            throw AdminError(
                .forbidden, "AccessDisabled",
                "Without credentials only requests for a local host (127.0.0.1, [::1], localhost) are taken: set admin.token_file to allow others."
            )
        }
        return .local
    }

    /// `host` or `host:port`.
    private static func isLocal(host: String) -> Bool {
        if host.hasPrefix("[") { return host.hasPrefix("[::1]") }
        let name = host.split(separator: ":", omittingEmptySubsequences: false)[0].lowercased()
        if name == "localhost" { return true }
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }

    /// The scheme's name is in any case (RFC 9110, section 11.1).
    private static func bearer(_ field: String) -> [UInt8]? {
        let parts = field.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "bearer" else { return nil }
        return Array(parts[1].utf8)
    }

    /// Takes as long whatever the tokens have in common; only the length of the given one shows.
    private static func isEqual(_ given: [UInt8], _ expected: [UInt8]) -> Bool {
        guard !expected.isEmpty else { return false }
        var difference = given.count ^ expected.count
        for place in given.indices { difference |= Int(given[place] ^ expected[place % expected.count]) }
        return difference == 0
    }
}
