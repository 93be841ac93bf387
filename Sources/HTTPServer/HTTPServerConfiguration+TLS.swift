package import NIOSSL

extension HTTPServerConfiguration {
    /// The TLS configuration of a server with a PEM certificate chain (the server's own certificate first) and its PEM key.
    ///
    /// - Parameter clientAuthorityFile: PEM. Clients are asked for a certificate then; they need not show one, but one that they show must
    ///     be of one of these authorities.
    /// - Throws: `HTTPServerError.unusableTLSFile`, naming the file that could not be read or parsed, or the key that does not
    ///   belong to the certificate.
    package static func tls(
        certificateFile: String, keyFile: String, clientAuthorityFile: String? = nil
    ) throws(HTTPServerError) -> TLSConfiguration {
        let certificates = try Self.certificates(in: certificateFile)
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
        if let clientAuthorityFile {
            configuration.trustRoots = .certificates(try Self.certificates(in: clientAuthorityFile))
            configuration.certificateVerification = .optionalVerification
        }
        do {
            _ = try NIOSSLContext(configuration: configuration)
        } catch {
            throw .unusableTLSFile(path: keyFile, reason: "it does not fit the certificate in \(certificateFile) (\(error))")
        }
        return configuration
    }

    private static func certificates(in file: String) throws(HTTPServerError) -> [NIOSSLCertificate] {
        let certificates: [NIOSSLCertificate]
        do {
            certificates = try NIOSSLCertificate.fromPEMFile(file)
        } catch {
            throw .unusableTLSFile(path: file, reason: "no PEM certificates could be read from it (\(error))")
        }
        guard !certificates.isEmpty else { throw .unusableTLSFile(path: file, reason: "it holds no certificate") }
        return certificates
    }
}
