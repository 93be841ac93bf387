import Testing

/// The drawing in ARCHITECTURE.md as a table: arrows point down only.
@Suite("Modules know only what lies below them")
struct ModuleTests {
    /// The modules of ours that a module may import.
    static let allowed: [String: Set<String>] = [
        "CChecksum": [],
        "CMalloc": [],
        "CRocksDB": [],
        "CRocksDBLogger": [],
        "Checksum": ["CChecksum"],
        "FileSystem": [],
        "Raft": [],
        "Telemetry": [],
        "Configuration": [],
        "HTTPServer": [],
        "KeyValueStore": ["CRocksDB", "CRocksDBLogger"],
        "ObjectDataStore": ["Checksum", "FileSystem"],
        "Metadata": ["Checksum", "FileSystem", "KeyValueStore", "ObjectDataStore"],
        // Of ObjectDataStore only the value `StoredBody`, which the engine's protocol names.
        "S3API": ["Checksum", "HTTPServer", "Metadata", "ObjectDataStore"],
        "AdminDocuments": [],
        // Of Metadata only the digest, which replication compares.
        "AdminAPI": ["AdminDocuments", "HTTPServer", "Metadata", "Raft", "Replication", "Telemetry"],
        "rustfs-admin": ["AdminDocuments", "Backup"],
        "RaftStorage": ["Checksum", "FileSystem", "Raft"],
        "PeerTransport": ["Checksum"],
        "Backup": ["Checksum", "FileSystem", "KeyValueStore", "Metadata", "ObjectDataStore"],
        "Replication": [
            "Backup", "Checksum", "FileSystem", "KeyValueStore", "Metadata", "ObjectDataStore", "PeerTransport", "Raft",
            "RaftStorage",
        ],
        "SimulationKit": [
            "Checksum", "FileSystem", "KeyValueStore", "Metadata", "ObjectDataStore", "Raft", "RaftStorage", "Replication",
        ],
        "rustfs-simulate": ["SimulationKit"],
        "rustfs-metadata": [
            "AdminAPI", "AdminDocuments", "Backup", "CMalloc", "Configuration", "FileSystem", "HTTPServer", "KeyValueStore",
            "Metadata",
            "ObjectDataStore",
            "PeerTransport", "Raft", "Replication", "S3API", "Telemetry",
        ],
    ]

    /// The module that an import line names.
    private func imported(_ line: Substring) -> String? {
        let words = line.split(separator: " ").map(String.init)
        guard let position = words.firstIndex(of: "import"), position <= 2, !line.isComment, line.first != " " else {
            return nil
        }
        return words.last.map { String($0.split(separator: ".")[0]) }
    }

    @Test("The table names every module, and every module has a target and a place in ARCHITECTURE.md")
    func everyModule() throws {
        #expect(Repository.modules == Self.allowed.keys.sorted())
        let manifest = try Repository.text("Package.swift")
        let architecture = try Repository.text("ARCHITECTURE.md")
        for module in Repository.modules {
            #expect(manifest.contains("name: \"\(module)\""), "\(module)")
            #expect(architecture.contains("`\(module)`"), "\(module)")
        }
    }

    @Test("No import points up or sideways")
    func imports() throws {
        let ours = Set(Repository.modules)
        for file in Repository.sources {
            let module = String(file.split(separator: "/")[1])
            let allowed = Self.allowed[module] ?? []
            for line in try Repository.lines(file) {
                guard let name = imported(line), ours.contains(name) else { continue }
                #expect(allowed.contains(name), "\(file) imports \(name)")
            }
        }
    }

    @Test("The table itself has no circle")
    func noCircle() {
        var rest = Self.allowed
        while let leaf = rest.first(where: { $0.value.isDisjoint(with: rest.keys) }) { rest[leaf.key] = nil }
        #expect(rest.isEmpty)
    }

    @Test("Every module of Swift has tests beside it, in a folder of its name")
    func tests() {
        let untested: Set = [
            "CChecksum", "CMalloc", "CRocksDB", "CRocksDBLogger", "rustfs-admin", "rustfs-metadata", "rustfs-simulate",
        ]
        let folders = Set(Repository.files(in: ["Tests"], extensions: ["swift"]).map { $0.split(separator: "/")[1] })
        for module in Repository.modules where !untested.contains(module) {
            #expect(folders.contains("\(module)Tests"), "\(module)")
        }
    }
}
