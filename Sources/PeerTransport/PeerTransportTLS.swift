import NIOCore
import NIOSSL

/// Mutual TLS between peers: each end shows the node's certificate and verifies the other's. A dialler verifies besides that the
/// certificate is for the name or the address that it dialled.
package struct PeerTransportTLS: Sendable {
    private let client: NIOSSLContext
    private let server: NIOSSLContext

    /// - Parameters:
    ///   - certificateFile: PEM, the node's own certificate first.
    ///   - keyFile: its PEM key.
    ///   - trustRootsFile: PEM, the authorities whose certificates are accepted.
    /// - Throws: `PeerTransportError.unusableTLSFile`, naming the file that could not be read or does not fit.
    package init(certificateFile: String, keyFile: String, trustRootsFile: String) throws(PeerTransportError) {
        let chain = try Self.certificates(in: certificateFile).map { NIOSSLCertificateSource.certificate($0) }
        let roots = NIOSSLTrustRoots.certificates(try Self.certificates(in: trustRootsFile))
        let key: NIOSSLPrivateKey
        do {
            key = try NIOSSLPrivateKey(file: keyFile, format: .pem)
        } catch {
            throw .unusableTLSFile(path: keyFile, reason: "no PEM private key could be read from it (\(error))")
        }
        var client = TLSConfiguration.makeClientConfiguration()
        client.certificateChain = chain
        client.privateKey = .privateKey(key)
        client.trustRoots = roots
        client.minimumTLSVersion = .tlsv13
        var server = TLSConfiguration.makeServerConfiguration(certificateChain: chain, privateKey: .privateKey(key))
        server.trustRoots = roots
        server.minimumTLSVersion = .tlsv13
        // Who dials may come from any address; that its certificate is of one of the authorities is required.
        server.certificateVerification = .noHostnameVerification
        do {
            self.client = try NIOSSLContext(configuration: client)
            self.server = try NIOSSLContext(configuration: server)
        } catch {
            throw .unusableTLSFile(path: keyFile, reason: "it does not fit the certificate in \(certificateFile) (\(error))")
        }
    }

    private static func certificates(in file: String) throws(PeerTransportError) -> [NIOSSLCertificate] {
        let certificates: [NIOSSLCertificate]
        do {
            certificates = try NIOSSLCertificate.fromPEMFile(file)
        } catch {
            throw .unusableTLSFile(path: file, reason: "no PEM certificates could be read from it (\(error))")
        }
        guard !certificates.isEmpty else { throw .unusableTLSFile(path: file, reason: "it holds no certificate") }
        return certificates
    }

    /// - Parameter host: a name, or an address: that is no server name (RFC 6066), and is compared with the certificate's addresses.
    func clientHandler(host: String) throws -> NIOSSLClientHandler {
        let isAddress = (try? SocketAddress(ipAddress: host, port: 0)) != nil
        return try NIOSSLClientHandler(context: client, serverHostname: isAddress ? nil : host)
    }

    func serverHandler() -> NIOSSLServerHandler { NIOSSLServerHandler(context: server) }
}
