// The keys, section by section: each call names one, with its type, range and default.

extension ServerConfiguration {
    init(reading root: ConfigurationSection, reader: ConfigurationReader) {
        let data = root.value("data_dir", .path, default: "./data", environment: "RUSTFS_DATA_DIR", flag: "--data")
        let directory = data.value
        let s3 = root.section("s3") { S3Keys(reading: $0) }
        let admin = root.section("admin") { AdminKeys(reading: $0) }
        let tls = root.section("tls") { section in
            (
                certificate: section.optional("certificate_file", .path, environment: "RUSTFS_TLS_CERTIFICATE_FILE"),
                privateKey: section.optional("private_key_file", .path, environment: "RUSTFS_TLS_PRIVATE_KEY_FILE")
            )
        }
        let log = root.section("log") { section in
            Log(
                level: section.value("level", .choice(), default: .info, environment: "RUSTFS_LOG_LEVEL", flag: "--log-level")
                    .value,
                format: section.value("format", .choice(), default: .logfmt, environment: "RUSTFS_LOG_FORMAT").value
            )
        }
        let storage = root.section("storage") { section in
            Storage(
                blockCacheBytes: section.value(
                    "block_cache_bytes", .integer(1 << 20...1 << 40), default: 128 << 20,
                    environment: "RUSTFS_BLOCK_CACHE_BYTES"
                ).value,
                reservedBytes: section.value("reserved_bytes", .integer(0...1 << 40), default: 256 << 20).value
            )
        }
        let metadata = root.section("metadata") { MetadataKeys(reading: $0, dataDirectory: directory) }

        s3.check(reader)
        reader.checkDifferent(s3.address, admin.address)
        let validTLS = reader.checkTLS(certificate: tls.certificate, privateKey: tls.privateKey)
        metadata.check(reader)
        admin.check(reader)

        self.init(
            dataDirectory: directory, s3: s3.value, admin: admin.value, tls: validTLS, log: log,
            storage: storage,
            metadata: metadata.value)
    }
}

/// The `s3` section as read, before the checks that need several keys at once.
struct S3Keys {
    var address: Located<NetworkAddress>
    var region: String
    var domains: [Located<String>]
    var root: AccountKeys
    var users: [AccountKeys]
    var limits: ServerConfiguration.HTTPLimits

    init(reading section: ConfigurationSection) {
        address = section.value(
            "address", .listenAddress, default: NetworkAddress(host: "127.0.0.1", port: 9000), environment: "RUSTFS_S3_ADDRESS",
            flag: "--s3-address")
        region = section.value("region", .region, default: "us-east-1", environment: "RUSTFS_REGION").value
        domains = section.values("domains", .domain, environment: "RUSTFS_S3_DOMAINS", flag: "--s3-domain")
        root = AccountKeys(readingRoot: section)
        users = section.list("users") { AccountKeys(readingUser: $0) }?.elements ?? []
        limits = section.section("limits") { section in
            ServerConfiguration.HTTPLimits(
                requestLineBytesMax: section.value("max_request_line_bytes", .integer(1024...1 << 20), default: 16 << 10).value,
                headerBytesMax: section.value("max_header_bytes", .integer(1024...1 << 24), default: 64 << 10).value,
                headerCountMax: section.value("max_header_count", .integer(16...10_000), default: 200).value,
                connectionCountMax: section.value("max_connections", .integer(1...1_000_000), default: 4096).value,
                headTimeoutSeconds: section.value("head_timeout_seconds", .integer(1...3600), default: 30).value,
                idleTimeoutSeconds: section.value("idle_timeout_seconds", .integer(1...86_400), default: 75).value,
                shutdownTimeoutSeconds: section.value("shutdown_timeout_seconds", .integer(0...3600), default: 20).value
            )
        }
    }

    var value: ServerConfiguration.S3 {
        ServerConfiguration.S3(
            address: address.value, region: region, domains: domains.map(\.value), root: root.value, users: users.map(\.value),
            limits: limits)
    }
}

/// One account as read.
struct AccountKeys {
    var accessKey: Located<String>
    var secretKey: String
    var canonicalID: Located<String>
    var displayName: String

    init(readingRoot section: ConfigurationSection) {
        let defaultKey = ServerConfiguration.Account.defaultKey
        accessKey = section.value("access_key", .accessKey, default: defaultKey, environment: "RUSTFS_ACCESS_KEY")
        secretKey = section.value("secret_key", .secretKey, default: defaultKey, environment: "RUSTFS_SECRET_KEY").value
        canonicalID = section.value("canonical_id", .canonicalID, default: defaultKey)
        displayName = section.value("display_name", .text("text"), default: defaultKey).value
    }

    /// After a reported problem the fields are placeholders: the configuration is refused as a whole.
    init(readingUser section: ConfigurationSection) {
        let placeholder = { Located(value: "", key: "", origin: .builtIn) }
        accessKey = section.required("access_key", .accessKey) ?? placeholder()
        secretKey = section.required("secret_key", .secretKey)?.value ?? ""
        canonicalID = section.required("canonical_id", .canonicalID) ?? placeholder()
        displayName = section.required("display_name", .text("text"))?.value ?? ""
    }

    var value: ServerConfiguration.Account {
        ServerConfiguration.Account(
            accessKey: accessKey.value, secretKey: secretKey, canonicalID: canonicalID.value, displayName: displayName)
    }
}

extension ValueType<String> {
    static var accessKey: Self { key("access key", lengths: 3...128) }
    static var secretKey: Self { key("secret key", lengths: 8...128) }
    static var canonicalID: Self { key("id", lengths: 1...128) }
    /// Of DNS (RFC 1123, section 2.1), in lower case, without a port. Not an address: nothing lies below one.
    static var domain: Self {
        var type = text("domain name") { (text) throws(ValueProblem) in
            let labels = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
            let areValid = labels.allSatisfy { label in
                (1...63).contains(label.count) && label.first != UInt8(ascii: "-") && label.last != UInt8(ascii: "-")
                    && label.allSatisfy { isLetter($0) || isDigit($0) || $0 == UInt8(ascii: "-") }
            }
            guard areValid, text.utf8.count <= 253, labels.last?.allSatisfy(isDigit) == false else {
                throw ValueProblem("is '\(text)', which is no domain name (without a port)")
            }
        }
        let parse = type.parse
        type.parse = { (raw) throws(ValueProblem) in try parse(raw).lowercased() }
        return type
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
    private static func isLetter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }

    static var region: Self {
        text("region name") { (text) throws(ValueProblem) in
            guard text.utf8.count <= 64,
                text.unicodeScalars.allSatisfy({
                    $0.isASCII && ($0.properties.isAlphabetic || $0 == "-" || $0 == "_" || ("0"..."9").contains($0))
                })
            else { throw ValueProblem("is '\(text)'; a region is up to 64 letters, digits, '-' and '_'") }
        }
    }
}
