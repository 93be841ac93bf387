import Configuration
import Foundation
import Testing

@Suite("A bad configuration is refused with file, line and key")
struct ErrorTests {
    private func errors(
        _ yaml: String, environment: [String: String] = [:], flags: [String: String] = [:]
    ) -> [String] {
        do throws(ConfigurationError) {
            _ = try ServerConfiguration.parse(yaml: yaml, file: "t.yaml", environment: environment, flags: flags)
            return []
        } catch {
            return error.diagnostics.map(\.description)
        }
    }

    /// Each is a file and the beginning of the one error that it must cause.
    static let wrongFiles: [(String, String)] = [
        // Unknown keys.
        ("s4:\n  address: 'a:1'", "t.yaml:1: s4: unknown key; did you mean 's3'?"),
        ("s3:\n  adress: 'a:1'", "t.yaml:2: s3.adress: unknown key; did you mean 'address'?"),
        ("metadata:\n  local:\n    kv_paht: x", "t.yaml:3: metadata.local.kv_paht: unknown key; did you mean 'kv_path'?"),
        (
            "s3:\n  users:\n    - {access_key: abc, secret_key: 12345678, canonical_id: a, display_name: b, rank: c}",
            "t.yaml:3: s3.users[0].rank: unknown key"
        ),
        ("<<: {data_dir: x}", "t.yaml:1: <<: unknown key"),
        ("colours: red", "t.yaml:1: colours: unknown key; known here: data_dir, s3, admin"),
        // Wrong types.
        ("s3: [1]", "t.yaml:1: s3: must hold keys and values, not a list"),
        ("s3: text", "t.yaml:1: s3: must hold keys and values, not a single value"),
        ("- a", "t.yaml:1: the file must consist of keys and values, not a list"),
        ("just text", "t.yaml:1: the file must consist of keys and values, not a single value"),
        ("data_dir: [a]", "t.yaml:1: data_dir: must be one value (path), not a list"),
        ("data_dir: {a: b}", "t.yaml:1: data_dir: must be one value (path), not a map of keys"),
        ("data_dir:", "t.yaml:1: data_dir: has no value; it must be path"),
        ("s3:\n  users: {a: b}", "t.yaml:2: s3.users: must be a list"),
        ("s3:\n  users: text", "t.yaml:2: s3.users: must be a list"),
        ("s3:\n  users: [text]", "t.yaml:2: s3.users[0]: must hold keys and values"),
        (
            "s3:\n  limits:\n    max_header_count: many",
            "t.yaml:3: s3.limits.max_header_count: is 'many'; it must be a whole number"
        ),
        (
            "s3:\n  limits:\n    max_header_count: 1.5",
            "t.yaml:3: s3.limits.max_header_count: is '1.5'; it must be a whole number"
        ),
        ("s3:\n  limits:\n    max_header_count: '100'", "t.yaml:3: s3.limits.max_header_count: is the text \"100\""),
        ("[a]: b", "t.yaml:1: a key must be a word"),
        // Impossible values.
        ("s3:\n  address: '127.0.0.1:70000'", "t.yaml:2: s3.address: is '127.0.0.1:70000', where the port is above 65535"),
        ("s3:\n  address: localhost", "t.yaml:2: s3.address: is 'localhost', which has no port"),
        ("s3:\n  access_key: a", "t.yaml:2: s3.access_key: has 1 characters; it must have 3 to 128"),
        ("s3:\n  access_key: a/b/c", "t.yaml:2: s3.access_key: must be visible ASCII characters other than"),
        ("s3:\n  secret_key: short", "t.yaml:2: s3.secret_key: has 5 characters; it must have 8 to 128"),
        ("s3:\n  secret_key: \"with\\ttab-inside\"", "t.yaml:2: s3.secret_key: contains a control character"),
        ("s3:\n  region: 'us east'", "t.yaml:2: s3.region: is 'us east'; a region is"),
        ("s3:\n  domains: text", "t.yaml:2: s3.domains: must be a list"),
        ("s3:\n  domains: {a: b}", "t.yaml:2: s3.domains: must be a list"),
        ("s3:\n  domains: [a.b, {c: d}]", "t.yaml:2: s3.domains[1]: must be one value (domain name), not a map"),
        ("s3:\n  domains:\n    - a.b\n    -\n", "t.yaml:4: s3.domains[1]: has no value"),
        ("s3:\n  domains: [a_b]", "t.yaml:2: s3.domains[0]: is 'a_b', which is no domain name"),
        ("s3:\n  domains: [10.0.0.1]", "t.yaml:2: s3.domains[0]: is '10.0.0.1', which is no domain name"),
        ("s3:\n  domains: ['a.b:9000']", "t.yaml:2: s3.domains[0]: is 'a.b:9000', which is no domain name"),
        ("s3:\n  domains: [.a.b]", "t.yaml:2: s3.domains[0]: is '.a.b', which is no domain name"),
        ("s3:\n  domains: [a-.b]", "t.yaml:2: s3.domains[0]: is 'a-.b', which is no domain name"),
        ("s3:\n  domains: [a.b, A.B]", "t.yaml:2: s3.domains[1]: the domain a.b is used twice, also by s3.domains[0]"),
        ("data_dir: ''", "t.yaml:1: data_dir: is empty"),
        ("data_dir: \"a\\0b\"", "t.yaml:1: data_dir: contains a control character"),
        ("storage:\n  block_cache_bytes: -1", "t.yaml:2: storage.block_cache_bytes: is -1; it must be between"),
        (
            "storage:\n  block_cache_bytes: 99999999999999999999",
            "t.yaml:2: storage.block_cache_bytes: is 99999999999999999999; it must be between"
        ),
        (
            "log:\n  level: warn",
            "t.yaml:2: log.level: is 'warn'; it must be one of trace, debug, info, notice, warning, error, critical."
        ),
        ("log:\n  format: jsno", "t.yaml:2: log.format: is 'jsno'; it must be one of logfmt, json. Did you mean 'json'?"),
        (
            "metadata:\n  engine_type: remote",
            "t.yaml:2: metadata.engine_type: is 'remote'; it must be one of local, replicated."
        ),
        ("metadata:\n  engine_type: replicated", "t.yaml:2: metadata.engine_type: is 'replicated', but there is no section"),
        ("admin:\n  token: short", "t.yaml:2: admin.token: has 5 characters; it must have 16 to 256"),
        ("admin:\n  token: 'sixteen characters with blanks'", "t.yaml:2: admin.token: must be visible ASCII characters"),
        ("admin:\n  token_file: /no/such/file", "t.yaml:2: admin.token_file: '/no/such/file' cannot be read"),
        ("admin:\n  tls:\n    certificate_file: /dev/null", "t.yaml:2: admin.tls.private_key_file: is missing"),
        (
            "admin:\n  tls: {certificate_file: /dev/null, private_key_file: /dev/null, client_ca_file: /no/such/file}",
            "t.yaml:2: admin.tls.client_ca_file: '/no/such/file' cannot be read"
        ),
        // Contradictions.
        (
            "admin:\n  token: a-token-of-sixteen\n  token_file: /dev/null",
            "t.yaml:3: admin.token_file: is given beside admin.token; one of the two is the token"
        ),
        (
            "admin:\n  address: '127.0.0.1:9000'",
            "t.yaml:2: admin.address: is 127.0.0.1:9000, which is the address of s3.address too"
        ),
        (
            "s3:\n  address: '127.0.0.1:9100'",
            "t.yaml:2: s3.address: is 127.0.0.1:9100, which is the address of admin.address too"
        ),
        (
            "metadata:\n  local:\n    kv_path: /x\n    mx_path: /x/../x/./",
            "t.yaml:4: metadata.local.mx_path: '/x/../x/./' is the path of metadata.local.kv_path's '/x'"
        ),
        (
            "metadata:\n  local:\n    kv_path: /x\n    mx_path: /x/y",
            "t.yaml:4: metadata.local.mx_path: '/x/y' lies inside metadata.local.kv_path's '/x'"
        ),
        (
            "metadata:\n  local:\n    kv_path: /x/y\n    mx_path: /x",
            "t.yaml:4: metadata.local.mx_path: '/x' contains metadata.local.kv_path's '/x/y'"
        ),
        (
            "data_dir: /x\nmetadata:\n  local:\n    kv_path: /x/metadata/mx",
            "t.yaml:4: metadata.local.kv_path: '/x/metadata/mx' is the path of metadata.local.mx_path's"
        ),
        (
            "s3:\n  users:\n    - {access_key: rustfsadmin, secret_key: 12345678, canonical_id: a, display_name: b}",
            "t.yaml:3: s3.users[0].access_key: the access key is used twice"
        ),
        (
            "s3:\n  users:\n    - {access_key: abc, secret_key: 12345678, canonical_id: a, display_name: b}\n    - {access_key: abd, secret_key: 12345678, canonical_id: a, display_name: c}",
            "t.yaml:4: s3.users[1].canonical_id: is the id of 'b' too"
        ),
        (
            "s3:\n  users:\n    - {access_key: abc, canonical_id: a, display_name: b}",
            "t.yaml:3: s3.users[0].secret_key: is missing"
        ),
        // Broken YAML.
        ("s3:\n  address: 'a\n", "t.yaml:3: broken YAML"),
        ("s3:\n\taddress: a", "t.yaml:2: broken YAML"),
        ("a: b: c", "t.yaml:1: broken YAML"),
        ("s3: *nowhere", "t.yaml:1: broken YAML"),
        ("s3: {}\n---\ns3: {}", "t.yaml:2: broken YAML"),
        ("data_dir: a\ns3: {}\ndata_dir: b", "t.yaml:1: data_dir: is given more than once"),
        ("s3:\n  region: a\n  region: b", "t.yaml:2: region: is given more than once"),
    ]

    @Test("One wrong thing is one error", arguments: wrongFiles)
    func wrongFile(yaml: String, expected: String) {
        let errors = errors(yaml)
        #expect(errors.count == 1)
        #expect(errors.first?.hasPrefix(expected) == true, "got: \(errors)")
    }

    /// Changes to a good replication section: text to replace, its replacement, and the error.
    static let wrongReplications: [(String, String, String)] = [
        ("node_id: 1", "node_id: 9", "t.yaml:8: metadata.replication.node_id: is 9, which is not among the nodes (1, 2, 3)"),
        ("node_id: 1", "node_id: 0", "t.yaml:8: metadata.replication.node_id: is 0; it must be at least 1"),
        ("node_id: 1", "node_id: one", "t.yaml:8: metadata.replication.node_id: is 'one'; it must be a whole number"),
        ("    node_id: 1\n", "", "t.yaml:3: metadata.replication.node_id: is missing"),
        (
            "node_id: 1", "node_id: 1\n    join: 'true'",
            "t.yaml:9: metadata.replication.join: is 'true'; it must be true or false"
        ),
        ("node_id: 1", "node_id: 1\n    join: yes", "t.yaml:9: metadata.replication.join: is 'yes'; it must be true or false"),
        (
            "id: 3", "id: 2",
            "t.yaml:7: metadata.replication.nodes[2].id: the id 2 is used twice, also by metadata.replication.nodes[1].id"
        ),
        ("c:7000", "b:7000", "t.yaml:7: metadata.replication.nodes[2].address: the address b:7000 is used twice"),
        ("c:7000", "c:0", "t.yaml:7: metadata.replication.nodes[2].address: is 'c:0'; other nodes need a port"),
        ("c:7000", ":7000", "t.yaml:7: metadata.replication.nodes[2].address: is ':7000', which has no host"),
        (", address: 'c:7000'", "", "t.yaml:7: metadata.replication.nodes[2].address: is missing"),
        (
            "election_timeout_ms: 1000", "election_timeout_ms: 299",
            "t.yaml:10: metadata.replication.raft.election_timeout_ms: the election timeout (299 ms) must be at least 3 heartbeat"
        ),
        (
            "election_timeout_ms: 1000", "heartbeat_interval_ms: 334",
            "t.yaml:10: metadata.replication.raft.heartbeat_interval_ms: the election timeout (1000 ms) must be"
        ),
        (
            "election_timeout_ms: 1000", "log_dir: /l\n      snapshot_dir: /l",
            "t.yaml:11: metadata.replication.raft.snapshot_dir: '/l' is the path of metadata.replication.raft.log_dir's"
        ),
        (
            "election_timeout_ms: 1000", "max_log_entries: 0",
            "t.yaml:10: metadata.replication.raft.max_log_entries: is 0; it must be between"
        ),
        (
            "election_timeout_ms: 1000", "election_timeout: 1000",
            "t.yaml:10: metadata.replication.raft.election_timeout: unknown key; did you mean 'election_timeout_ms'?"
        ),
        (
            "write_quorum: all", "write_quorum: none",
            "t.yaml:11: metadata.replication.write_quorum: is 'none'; it must be one of majority, all."
        ),
    ]

    @Test("One wrong thing in the replication section is one error", arguments: wrongReplications)
    func wrongReplication(old: String, new: String, expected: String) {
        let good = """
            metadata:
              engine_type: replicated
              replication:
                nodes:
                  - {id: 1, address: 'a:7000'}
                  - {id: 2, address: 'b:7000'}
                  - {id: 3, address: 'c:7000'}
                node_id: 1
                raft:
                  election_timeout_ms: 1000
                write_quorum: all
            """
        #expect(self.errors(good) == [])
        #expect(good.contains(old))
        let errors = errors(good.replacing(old, with: new))
        #expect(errors.count == 1)
        #expect(errors.first?.hasPrefix(expected) == true, "got: \(errors)")
    }

    @Test("An empty list of nodes is refused")
    func noNodes() {
        let errors = errors("metadata:\n  replication:\n    node_id: 1\n    nodes: []\n")
        #expect(errors == ["t.yaml:4: metadata.replication.nodes: is empty; list every node with its id and address"])
    }

    @Test("A missing list of nodes is refused at the section's line")
    func missingNodes() {
        let errors = errors("metadata:\n  replication:\n    node_id: 1\n")
        #expect(errors == ["t.yaml:2: metadata.replication.nodes: is missing; list every node with its id and address"])
    }

    @Test("All that is wrong is told at once, in the order of the file")
    func severalErrors() {
        let errors = errors(
            "admin:\n  address: x\ns3:\n  region: ''\n  colour: red\n", environment: ["RUSTFS_LOG_LEVEL": "loud"],
            flags: ["--s3-address": ":x"])
        #expect(errors.map { $0.prefix { $0 != " " } } == ["t.yaml:2:", "t.yaml:4:", "t.yaml:5:", "option", "environment"])
    }

    @Test(
        "An error names the variable or the flag that brought the value",
        arguments: [
            (["RUSTFS_S3_ADDRESS": "host:70000"], [:], "environment variable RUSTFS_S3_ADDRESS: s3.address: is 'host:70000'"),
            (["RUSTFS_SECRET_KEY": ""], [:], "environment variable RUSTFS_SECRET_KEY: s3.secret_key: is empty"),
            (
                ["RUSTFS_BLOCK_CACHE_BYTES": "lots"], [:],
                "environment variable RUSTFS_BLOCK_CACHE_BYTES: storage.block_cache_bytes: is 'lots'"
            ),
            ([:], ["--log-level": "loud"], "option --log-level: log.level: is 'loud'"),
            ([:], ["--data": ""], "option --data: data_dir: is empty"),
            ([:], ["--s3-domain": "a.b,c_d"], "option --s3-domain: s3.domains: is 'c_d'"),
            (["RUSTFS_S3_DOMAINS": "a..b"], [:], "environment variable RUSTFS_S3_DOMAINS: s3.domains: is 'a..b'"),
        ])
    func otherOrigins(environment: [String: String], flags: [String: String], expected: String) {
        let errors = errors("", environment: environment, flags: flags)
        #expect(errors.count == 1)
        #expect(errors.first?.hasPrefix(expected) == true, "got: \(errors)")
    }

    @Test("No message repeats a secret")
    func secretsStaySecret() {
        let secrets = ["hunter2", "with space in it", "naïve-secret-key"]
        for secret in secrets {
            let errors = errors("s3:\n  secret_key: '\(secret)'\n")
            #expect(errors.count == 1)
            #expect(errors.allSatisfy { !$0.contains(secret) })
        }
    }

    @Test("A certificate without its key, a key without its certificate and unreadable files are refused")
    func tls() throws {
        let readable = RepositoryFiles.path("Package.swift")
        #expect(
            errors("tls:\n  certificate_file: \(readable)") == [
                "t.yaml:2: tls.certificate_file: needs tls.private_key_file beside it"
            ])
        #expect(
            errors("tls:\n  private_key_file: \(readable)") == [
                "t.yaml:2: tls.private_key_file: needs tls.certificate_file beside it"
            ])
        let missing = errors("tls:\n  certificate_file: \(readable)\n  private_key_file: /nowhere/key.pem")
        #expect(missing == ["t.yaml:3: tls.private_key_file: '/nowhere/key.pem' cannot be read: No such file or directory"])
        let both = try ServerConfiguration.parse(
            yaml: "tls:\n  certificate_file: \(readable)\n  private_key_file: \(readable)", file: "t.yaml")
        #expect(both.configuration.tls?.certificateFile == readable)
    }
}

@Suite("A file that cannot be read is refused by its name")
struct UnreadableFileTests {
    private func error(loading file: String) -> String {
        do throws(ConfigurationError) {
            _ = try ServerConfiguration.load(file: file)
            return ""
        } catch {
            return error.description
        }
    }

    private func withFile(_ bytes: [UInt8], _ body: (String) -> Void) throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("configuration-\(UUID().uuidString).yaml")
        try Data(bytes).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        body(file.path)
    }

    @Test("A missing file")
    func missing() {
        #expect(error(loading: "/nowhere/x.yaml") == "/nowhere/x.yaml: cannot be opened: No such file or directory")
    }

    @Test("A directory")
    func directory() {
        #expect(error(loading: "/tmp") == "/tmp: cannot be read: Is a directory")
    }

    @Test("Bytes that are not UTF-8, with the line")
    func notText() throws {
        try withFile(Array("a: b\nc: ".utf8) + [0xFF]) { path in
            #expect(error(loading: path) == "\(path):2: is not UTF-8 text (in this line or below)")
        }
    }

    @Test("A zero byte, which YAML forbids")
    func zeroByte() throws {
        try withFile(Array("data_dir: a\0b\n".utf8)) { path in
            #expect(error(loading: path).hasPrefix("\(path):1: broken YAML"))
        }
    }

    @Test("A huge file")
    func huge() throws {
        try withFile([UInt8](repeating: 0x20, count: (1 << 20) + 1)) { path in
            #expect(error(loading: path).contains("is larger than"))
        }
    }

    @Test("An empty file is one that leaves every default")
    func empty() throws {
        try withFile([]) { path in
            #expect(error(loading: path) == "")
        }
    }
}
