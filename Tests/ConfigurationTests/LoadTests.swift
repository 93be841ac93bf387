import Configuration
import Testing

@Suite("A configuration is loaded")
struct LoadTests {
    private func parse(
        _ yaml: String, environment: [String: String] = [:], flags: [String: String] = [:]
    ) throws -> LoadedConfiguration {
        try ServerConfiguration.parse(yaml: yaml, file: "test.yaml", environment: environment, flags: flags)
    }

    @Test(
        "Nothing, an empty file, comments alone and empty sections leave every default",
        arguments: [
            "", "\n", "# nothing\n", "---\n", "s3:\nadmin:\nmetadata:\n  local:\n", "{}",
        ])
    func defaults(yaml: String) throws {
        let loaded = try parse(yaml)
        let configuration = loaded.configuration
        #expect(loaded.remarks == [])
        #expect(configuration.dataDirectory == "./data")
        #expect(configuration.s3.address == NetworkAddress(host: "127.0.0.1", port: 9000))
        #expect(configuration.s3.region == "us-east-1")
        #expect(configuration.s3.root.accessKey == "rustfsadmin")
        #expect(configuration.s3.root.secretKey == "rustfsadmin")
        #expect(configuration.s3.root.usesDefaultCredentials)
        #expect(configuration.s3.users == [])
        #expect(configuration.s3.domains == [])
        #expect(configuration.admin.address == NetworkAddress(host: "127.0.0.1", port: 9100))
        #expect(configuration.tls == nil)
        #expect(configuration.log.level == .info)
        #expect(configuration.log.format == .logfmt)
        #expect(configuration.metadata.engineType == .local)
        #expect(configuration.metadata.replication == nil)
        #expect(configuration.metadata.local.kvPath == "./data/metadata/kv")
        #expect(configuration.metadata.local.mxPath == "./data/metadata/mx")
    }

    @Test("The specification's file is accepted as it stands, and the unused index_path is noted with its line")
    func specification() throws {
        let loaded = try ServerConfiguration.load(file: RepositoryFiles.path("ops/examples/three-nodes.yaml"))
        let replication = try #require(loaded.configuration.metadata.replication)
        #expect(loaded.configuration.metadata.engineType == .replicated)
        #expect(replication.nodes.map(\.id) == [1, 2, 3])
        #expect(
            replication.nodes.map(\.address.description) == ["192.168.1.101:7000", "192.168.1.102:7000", "192.168.1.103:7000"])
        #expect(replication.nodeID == 1)
        #expect(replication.raft.electionTimeoutMilliseconds == 1000)
        #expect(replication.raft.heartbeatIntervalMilliseconds == 100)
        #expect(replication.raft.snapshotIntervalSeconds == 3600)
        #expect(replication.raft.logEntriesMax == 10_000)
        #expect(replication.raft.logDirectory == "/data/rustfs/raft/log")
        #expect(replication.raft.snapshotDirectory == "/data/rustfs/raft/snapshot")
        #expect(replication.readConsistency == .linearizable)
        #expect(replication.writeQuorum == .majority)
        #expect(replication.batchSizeMax == 100)
        #expect(replication.batchTimeoutMilliseconds == 10)
        #expect(loaded.configuration.metadata.local.kvPath == "/data/rustfs/metadata/kv")
        #expect(loaded.configuration.metadata.local.indexPath == "/data/rustfs/metadata/index")
        #expect(loaded.configuration.metadata.local.mxPath == "/data/rustfs/metadata/mx")
        #expect(loaded.remarks.map(\.severity) == [.note])
        #expect(
            loaded.remarks.first?.description.contains("three-nodes.yaml:25: metadata.local.index_path: has no effect") == true)
    }

    @Test("The single-node example sets what it shows")
    func singleNodeExample() throws {
        let loaded = try ServerConfiguration.load(file: RepositoryFiles.path("ops/examples/single-node.yaml"))
        #expect(loaded.remarks == [])
        #expect(loaded.configuration.s3.users.map(\.displayName) == ["Example Reader"])
        #expect(loaded.configuration.metadata.local.kvPath == "/var/lib/rustfs-metadata/metadata/kv")
        #expect(!loaded.configuration.s3.root.usesDefaultCredentials)
    }

    @Test("Domains are a list in the file, and words between commas elsewhere")
    func domains() throws {
        let yaml = "s3:\n  domains:\n    - S3.Example.com\n    - localhost\n"
        let environment = ["RUSTFS_S3_DOMAINS": "one.example, two.example,"]
        #expect(try parse(yaml).configuration.s3.domains == ["s3.example.com", "localhost"])
        #expect(try parse("s3: {domains: [a.b, 1.c]}").configuration.s3.domains == ["a.b", "1.c"])
        #expect(try parse("s3:\n  domains:\n").configuration.s3.domains == [])
        #expect(try parse("s3: {domains: []}").configuration.s3.domains == [])
        #expect(try parse(yaml, environment: environment).configuration.s3.domains == ["one.example", "two.example"])
        #expect(
            try parse(yaml, environment: environment, flags: ["--s3-domain": "three.example"]).configuration.s3.domains
                == ["three.example"])
        #expect(try parse(yaml, environment: ["RUSTFS_S3_DOMAINS": ""]).configuration.s3.domains == [])
    }

    @Test("A flag wins over the environment, the environment over the file, the file over the default")
    func precedence() throws {
        let yaml = "s3:\n  address: 'file:1'\n"
        let environment = ["RUSTFS_S3_ADDRESS": "environment:2"]
        let flags = ["--s3-address": "flag:3"]
        #expect(try parse(yaml).configuration.s3.address.host == "file")
        #expect(try parse(yaml, environment: environment).configuration.s3.address.host == "environment")
        #expect(try parse(yaml, environment: environment, flags: flags).configuration.s3.address.host == "flag")
        #expect(try parse(yaml, flags: flags).configuration.s3.address.host == "flag")
    }

    @Test("Paths without a value of their own follow data_dir, wherever that came from")
    func dataDirectory() throws {
        let loaded = try parse("data_dir: /file", flags: ["--data": "/flag"])
        #expect(loaded.configuration.dataDirectory == "/flag")
        #expect(loaded.configuration.metadata.local.kvPath == "/flag/metadata/kv")
        #expect(loaded.configuration.metadata.local.mxPath == "/flag/metadata/mx")
    }

    @Test("Each environment variable reaches its field")
    func environment() throws {
        let configuration = try parse(
            "",
            environment: [
                "RUSTFS_ACCESS_KEY": "operator", "RUSTFS_SECRET_KEY": "a-long-secret", "RUSTFS_S3_ADDRESS": ":0",
                "RUSTFS_ADMIN_ADDRESS": "[::1]:9101", "RUSTFS_DATA_DIR": "/srv/data", "RUSTFS_REGION": "eu-west-1",
                "RUSTFS_LOG_LEVEL": "debug", "RUSTFS_LOG_FORMAT": "json", "RUSTFS_BLOCK_CACHE_BYTES": "2097152",
                "HOME": "/root",
            ]
        ).configuration
        #expect(configuration.s3.root.accessKey == "operator")
        #expect(configuration.s3.root.secretKey == "a-long-secret")
        #expect(!configuration.s3.root.usesDefaultCredentials)
        #expect(configuration.s3.address == NetworkAddress(host: "0.0.0.0", port: 0))
        #expect(configuration.admin.address == NetworkAddress(host: "::1", port: 9101))
        #expect(configuration.dataDirectory == "/srv/data")
        #expect(configuration.s3.region == "eu-west-1")
        #expect(configuration.log.level == .debug)
        #expect(configuration.log.format == .json)
        #expect(configuration.storage.blockCacheBytes == 2_097_152)
    }

    @Test(
        "Text is taken as it is written, also where YAML would see a number or a truth value",
        arguments: [
            ("access_key: 0123", "0123"), ("access_key: yes", "yes"), ("access_key: '  quoted'", nil),
            ("access_key: 1e5", "1e5"),
        ])
    func textIsLiteral(line: String, expected: String?) throws {
        let accessKey = try? parse("s3:\n  \(line)\n").configuration.s3.root.accessKey
        #expect(accessKey == expected)
    }

    @Test("Administrators have a token, in the configuration, a variable or a file, and certificates of an authority")
    func administrators() throws {
        #expect(try parse("").configuration.admin.token == nil)
        #expect(try parse("admin:\n  token: a-token-of-sixteen").configuration.admin.token == .text("a-token-of-sixteen"))
        let variables = ["RUSTFS_ADMIN_TOKEN": "another-token-of-sixteen"]
        #expect(try parse("", environment: variables).configuration.admin.token == .text("another-token-of-sixteen"))
        #expect(try parse("admin:\n  token_file: /dev/null").configuration.admin.token == .file("/dev/null"))
        let tls = "admin:\n  tls: {certificate_file: /dev/null, private_key_file: /dev/zero, client_ca_file: /dev/null}"
        let files = try #require(try parse(tls).configuration.admin.tls)
        #expect(files.certificateFile == "/dev/null" && files.privateKeyFile == "/dev/zero")
        #expect(files.clientAuthorityFile == "/dev/null")
    }

    @Test(
        "A token that would cross the network in the clear brings a warning",
        arguments: [("127.0.0.1:9100", 0), ("[::1]:9100", 0), ("localhost:9100", 0), (":9100", 1), ("10.0.0.1:9100", 1)])
    func tokenInTheClear(address: String, count: Int) throws {
        let loaded = try parse("admin:\n  address: '\(address)'\n  token: a-token-of-sixteen")
        #expect(loaded.remarks.count == count)
        #expect(loaded.remarks.allSatisfy { $0.severity == .warning && $0.message.contains("in the clear") })
        #expect(loaded.remarks.allSatisfy { !"\($0)".contains("a-token-of-sixteen") })
    }

    @Test("A node that joins needs a member to answer, however many others there are")
    func joining() throws {
        let text = "metadata:\n  replication:\n    node_id: 4\n    join: true\n    nodes:\n      - {id: 4, address: 'd:7000'}\n"
        #expect(throws: ConfigurationError.self) { try parse(text) }
        let loaded = try parse(text + "      - {id: 1, address: 'a:7000'}\n")
        #expect(loaded.configuration.metadata.replication?.joins == true)
        #expect(loaded.remarks == [])
    }

    @Test("Several access keys may share an owner")
    func sharedOwner() throws {
        let user = { (key: String) in
            "    - {access_key: \(key), secret_key: 12345678, canonical_id: owner, display_name: Owner}\n"
        }
        let configuration = try parse("s3:\n  users:\n" + user("first") + user("second")).configuration
        #expect(configuration.s3.users.map(\.accessKey) == ["first", "second"])
    }

    @Test("A replicated engine needs its whole section, a local one may have it beside")
    func localWithReplication() throws {
        let yaml =
            "metadata:\n  replication:\n    node_id: 1\n    nodes:\n      - {id: 1, address: 'a:1'}\n      - {id: 2, address: 'b:1'}\n      - {id: 3, address: 'c:1'}\n"
        let loaded = try parse(yaml)
        #expect(loaded.configuration.metadata.engineType == .local)
        #expect(loaded.configuration.metadata.replication?.nodes.count == 3)
        #expect(loaded.remarks == [])
    }

    @Test(
        "What deserves a warning starts all the same",
        arguments: [
            (2, "an even number survives no more failures than 1"), (4, "an even number survives no more failures than 3"),
            (1, "clusters are built for 3 to 5"), (7, "clusters are built for 3 to 5"),
        ])
    func nodeCounts(count: Int, message: String) throws {
        let nodes = (1...count).map { "      - {id: \($0), address: 'host\($0):7000'}\n" }.joined()
        let loaded = try parse("metadata:\n  replication:\n    node_id: 1\n    nodes:\n" + nodes)
        #expect(loaded.remarks.map(\.severity) == [.warning])
        #expect(
            loaded.remarks.first?.description.contains("test.yaml:4: metadata.replication.nodes: has \(count) node") == true)
        #expect(loaded.remarks.first?.message.contains(message) == true)
    }

    @Test("A misspelled variable of ours is pointed out, others are nobody's business")
    func misspelledVariable() throws {
        let remarks = try parse("", environment: ["RUSTFS_ACESS_KEY": "x", "RUSTFS_SOMETHING_ELSE": "y", "PATH": "z"]).remarks
        #expect(
            remarks.map(\.description) == [
                "environment variable RUSTFS_ACESS_KEY: unknown variable; did you mean RUSTFS_ACCESS_KEY?"
            ])
    }
}

@Suite("An address is read")
struct NetworkAddressTests {
    @Test(
        "Hosts, IPv4, IPv6 and every interface",
        arguments: [
            ("localhost:80", "localhost", 80, "localhost:80"), ("127.0.0.1:0", "127.0.0.1", 0, "127.0.0.1:0"),
            ("[::1]:9000", "::1", 9000, "[::1]:9000"), (":9000", "any", 9000, "any:9000"),
            ("a-b.c_d:65535", "a-b.c_d", 65_535, "a-b.c_d:65535"),
        ])
    func good(text: String, host: String, port: Int, written: String) throws {
        let address = try NetworkAddress(parsing: text, emptyHost: "any")
        #expect(address == NetworkAddress(host: host, port: port))
        #expect(address.description == written)
    }

    @Test(
        "Anything else is refused with a reason",
        arguments: [
            ("", "no port"), ("localhost", "no port"), ("localhost:", "no port number"), ("localhost:http", "no port number"),
            ("localhost:-1", "no port number"), ("localhost:65536", "above 65535"), ("::1:9000", "needs brackets"),
            ("[::1:9000", "not closed"),
            ("[]:1", "not closed"), ("[host]:1", "no IPv6 address"), ("a b:1", "no host name"),
            ("http://a:1", "needs brackets"),
            ("host:99999999999999999999", "no port number"), ("a/b:1", "no host name"), ("héllo:1", "no host name"),
        ])
    func bad(text: String, reason: String) {
        do throws(ValueProblem) {
            let address = try NetworkAddress(parsing: text, emptyHost: "any")
            Issue.record("\(text) became \(address)")
        } catch {
            #expect(error.message.contains(reason))
        }
    }

    @Test("An empty host is refused where it has no meaning")
    func emptyHost() {
        #expect(throws: ValueProblem.self) { try NetworkAddress(parsing: ":7000", emptyHost: nil) }
    }
}
