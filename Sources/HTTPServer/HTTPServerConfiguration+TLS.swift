package import NIOSSL

extension HTTPServerConfiguration {
    /// The TLS configuration of a server with a PEM certificate chain (the server's own certificate first) and its PEM key.
    ///
    /// - Throws: `HTTPServerError.unusableTLSFile`, naming the file that could not be read or parsed, or the key that does not
    ///   belong to the certificate.
    package static func tls(certificateFile: String, keyFile: String) throws(HTTPServerError) -> TLSConfiguration {
        let certificates: [NIOSSLCertificate]
        do {
            certificates = try NIOSSLCertificate.fromPEMFile(certificateFile)
        } catch {
            throw .unusableTLSFile(path: certificateFile, reason: "no PEM certificates could be read from it (\(error))")
        }
        guard !certificates.isEmpty else {
            throw .unusableTLSFile(path: certificateFile, reason: "it holds no certificate")
        }
        let key: NIOSSLPrivateKey
        do {
            key = try NIOSSLPrivateKey(file: keyFile, format: .pem)
        } catch {
            throw .unusableTLSFile(path: keyFile, reason: "no PEM private key could be read from it (\(error))")
        }
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: certificates.map { .certificate($0) }, privateKey: .privateKey(key))
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = ["http/1.1"]
        do {
            _ = try NIOSSLContext(configuration: configuration)
        } catch {
            throw .unusableTLSFile(path: keyFile, reason: "it does not fit the certificate in \(certificateFile) (\(error))")
        }
        return configuration
    }
}
