/// The `admin` section as read, before the checks that need several keys at once.
struct AdminKeys {
    typealias Admin = ServerConfiguration.Admin

    var address: Located<NetworkAddress>
    var token: Located<String>?
    var tokenFile: Located<String>?
    var tls: (certificate: Located<String>?, key: Located<String>?, clientAuthority: Located<String>?)?

    init(reading section: ConfigurationSection) {
        address = section.value(
            "address", .listenAddress, default: NetworkAddress(host: "127.0.0.1", port: 9100),
            environment: "RUSTFS_ADMIN_ADDRESS", flag: "--admin-address")
        token = section.optional("token", .adminToken, environment: "RUSTFS_ADMIN_TOKEN")
        tokenFile = section.optional("token_file", .path, environment: "RUSTFS_ADMIN_TOKEN_FILE")
        tls = section.optionalSection("tls") { tls in
            (
                tls.required("certificate_file", .path), tls.required("private_key_file", .path),
                tls.optional("client_ca_file", .path)
            )
        }
    }

    var value: Admin {
        Admin(
            address: address.value, token: tokenFile.map { .file($0.value) } ?? token.map { .text($0.value) },
            tls: tls.flatMap { files in
                guard let certificate = files.certificate, let key = files.key else { return nil }
                return Admin.TLS(
                    certificateFile: certificate.value, privateKeyFile: key.value,
                    clientAuthorityFile: files.clientAuthority?.value)
            })
    }

    func check(_ reader: ConfigurationReader) {
        for file in [tokenFile, tls?.certificate, tls?.key, tls?.clientAuthority].compactMap({ $0 }) {
            reader.checkReadable(file)
        }
        if let token, let tokenFile {
            reader.report(at: tokenFile.origin, key: tokenFile.key, "is given beside \(token.key); one of the two is the token")
        }
        if (token ?? tokenFile) != nil, tls == nil, !address.value.isLoopback {
            reader.report(
                .warning, at: address.origin, key: address.key,
                "is \(address.value), where others than this machine connect: without admin.tls the token crosses the network in the clear"
            )
        }
    }
}

extension NetworkAddress {
    /// Only this machine reaches it.
    package var isLoopback: Bool {
        if host == "localhost" || host == "::1" { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }
}

extension ValueType<String> {
    static var adminToken: Self { key("token", lengths: 16...256) }
}

extension ValueType<Bool> {
    static var truth: Self {
        Self(
            name: "true / false",
            parse: { (raw) throws(ValueProblem) in
                switch raw.text {
                case "true" where raw.isPlain: return true
                case "false" where raw.isPlain: return false
                default: throw ValueProblem("is '\(raw.text)'; it must be true or false (without quotes)")
                }
            },
            write: { "\($0)" })
    }
}
