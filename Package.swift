// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "rustfs-metadata",
    products: [
        .executable(name: "rustfs-metadata", targets: ["rustfs-metadata"]),
        .executable(name: "rustfs-admin", targets: ["rustfs-admin"]),
        .library(name: "Metadata", targets: ["Metadata"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        // Ground floor: each is one sentence, none knows S3 or Raft.
        .target(name: "CChecksum"),
        .systemLibrary(name: "CMalloc"),
        .systemLibrary(name: "CRocksDB", providers: [.apt(["librocksdb-dev"])]),
        .target(name: "CRocksDBLogger"),
        .target(name: "Checksum", dependencies: ["CChecksum"]),
        .target(name: "FileSystem"),
        .target(name: "Raft"),
        .target(
            name: "Telemetry",
            dependencies: [
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "CoreMetrics", package: "swift-metrics"),
                .product(name: "Logging", package: "swift-log"),
            ]
        ),
        .target(name: "Configuration", dependencies: [.product(name: "Yams", package: "Yams")]),
        .target(
            name: "HTTPServer",
            dependencies: [
                nioCore,
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "NIOExtras", package: "swift-nio-extras"),
                .product(name: "Logging", package: "swift-log"),
            ]
        ),

        // Layer 1: storage backends.
        .target(name: "KeyValueStore", dependencies: ["CRocksDB", "CRocksDBLogger"]),
        .target(
            name: "ObjectDataStore",
            dependencies: [
                "Checksum", "FileSystem", nioCore, .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "Logging", package: "swift-log"),
            ]
        ),
        .target(name: "RaftStorage", dependencies: ["Checksum", "FileSystem", "Raft"]),

        // Layer 2: the metadata engine.
        .target(
            name: "Metadata",
            dependencies: [
                "Checksum", "FileSystem", "KeyValueStore", "ObjectDataStore", nioCore,
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
            ]
        ),

        // Snapshots of the engine's state as files.
        .target(
            name: "Backup",
            dependencies: [
                "Checksum", "FileSystem", "KeyValueStore", "Metadata", "ObjectDataStore", nioCore,
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "Logging", package: "swift-log"),
            ]
        ),

        // Layer 3: replication.
        .target(
            name: "PeerTransport",
            dependencies: [
                "Checksum", nioCore,
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "Logging", package: "swift-log"),
            ]
        ),
        .target(
            name: "Replication",
            dependencies: [
                "Backup", "Checksum", "FileSystem", "KeyValueStore", "Metadata", "ObjectDataStore", "PeerTransport", "Raft",
                "RaftStorage",
                nioCore, .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
            ]
        ),

        // The proof: clusters in one thread and virtual time.
        .target(
            name: "SimulationKit",
            dependencies: [
                "Checksum", "FileSystem", "KeyValueStore", "Metadata", "ObjectDataStore", "Raft", "RaftStorage", "Replication",
                nioCore, .product(name: "Crypto", package: "swift-crypto"),
            ]
        ),
        .executableTarget(
            name: "rustfs-simulate",
            dependencies: ["SimulationKit", .product(name: "ArgumentParser", package: "swift-argument-parser")]
        ),

        // Layer 4: what clients speak.
        .target(
            name: "S3API",
            dependencies: [
                "Checksum", "HTTPServer", "Metadata", "ObjectDataStore", nioCore,
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
            ]
        ),
        .target(name: "AdminDocuments"),
        .target(
            name: "AdminAPI",
            dependencies: [
                "AdminDocuments", "HTTPServer", "Metadata", "Raft", "Replication", "Telemetry", nioCore,
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "Logging", package: "swift-log"),
            ]
        ),
        .executableTarget(
            name: "rustfs-admin",
            dependencies: [
                "AdminDocuments", "Backup", nioCore,
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOTLS", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]
        ),
        .executableTarget(
            name: "rustfs-metadata",
            dependencies: [
                "AdminAPI", "AdminDocuments", "Backup", "CMalloc", "Configuration", "FileSystem", "HTTPServer", "KeyValueStore",
                "Metadata",
                "ObjectDataStore", "PeerTransport", "Raft", "Replication", "S3API", "Telemetry", nioCore,
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ]
        ),

        // Load generators and what they are compared with; here, and not in a package of their own, so that they share the build.
        .executableTarget(
            name: "http-baseline",
            dependencies: [
                nioCore, .product(name: "NIOPosix", package: "swift-nio"), .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Benchmarks/http-baseline"
        ),
        .executableTarget(
            name: "http-constant",
            dependencies: [
                "HTTPServer", nioCore, .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"), .product(name: "Logging", package: "swift-log"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Benchmarks/http-constant"
        ),
        .executableTarget(
            name: "raft-log",
            dependencies: [
                "FileSystem", "Raft", "RaftStorage", .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Benchmarks/raft-log"
        ),
        .executableTarget(
            name: "s3-load",
            dependencies: [
                nioCore, .product(name: "NIOPosix", package: "swift-nio"), .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Benchmarks/s3-load"
        ),
        .executableTarget(
            name: "raft-core",
            dependencies: ["Raft", .product(name: "ArgumentParser", package: "swift-argument-parser")],
            path: "Benchmarks/raft-core"
        ),

        // Suites that several targets share.
        .target(
            name: "LogTestKit", dependencies: [.product(name: "Logging", package: "swift-log")], path: "Tests/LogTestKit"),
        .target(name: "FileSystemTestKit", dependencies: ["FileSystem"], path: "Tests/FileSystemTestKit"),
        .target(name: "KeyValueStoreTestKit", dependencies: ["KeyValueStore"], path: "Tests/KeyValueStoreTestKit"),

        .testTarget(name: "ChecksumTests", dependencies: ["Checksum"]),
        .testTarget(name: "FileSystemTests", dependencies: ["FileSystem"]),
        .testTarget(name: "RaftTests", dependencies: ["Raft"]),
        .testTarget(name: "RaftStorageTests", dependencies: ["Checksum", "FileSystem", "Raft", "RaftStorage"]),
        .testTarget(name: "SimulationKitTests", dependencies: ["Raft", "SimulationKit"], exclude: ["Tables", "Transcripts"]),
        .testTarget(
            name: "ReplicationTests",
            dependencies: [
                "Backup", "Checksum", "FileSystem", "FileSystemTestKit", "KeyValueStore", "LogTestKit", "Metadata",
                "ObjectDataStore",
                "PeerTransport", "Raft",
                "RaftStorage",
                "Replication", nioCore,
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "Logging", package: "swift-log"),
            ]
        ),
        .testTarget(
            name: "BackupTests",
            dependencies: [
                "Backup", "Checksum", "FileSystem", "FileSystemTestKit", "KeyValueStore", "Metadata", "ObjectDataStore", "Raft",
                "RaftStorage", "Replication", nioCore,
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "Logging", package: "swift-log"),
            ]
        ),
        .testTarget(name: "KeyValueStoreTests", dependencies: ["KeyValueStore", "KeyValueStoreTestKit"]),
        .testTarget(
            name: "ObjectDataStoreTests",
            dependencies: [
                "Checksum", "FileSystem", "ObjectDataStore", nioCore,
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "Logging", package: "swift-log"),
            ]
        ),
        .testTarget(
            name: "MetadataTests",
            dependencies: [
                "Checksum", "FileSystem", "KeyValueStore", "LogTestKit", "Metadata", "ObjectDataStore", nioCore,
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
            ]
        ),
        .testTarget(
            name: "HTTPServerTests",
            dependencies: [
                "HTTPServer", nioCore,
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "Logging", package: "swift-log"),
            ]
        ),
        .testTarget(
            name: "PeerTransportTests",
            dependencies: [
                "LogTestKit", "PeerTransport", nioCore,
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "Logging", package: "swift-log"),
            ]
        ),
        .testTarget(
            name: "S3APITests",
            dependencies: [
                "Checksum", "FileSystem", "HTTPServer", "KeyValueStore", "Metadata", "ObjectDataStore", "S3API", nioCore,
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
            ]
        ),
        .testTarget(name: "ConfigurationTests", dependencies: ["Configuration"]),
        .testTarget(
            name: "TelemetryTests",
            dependencies: [
                "Telemetry", .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "Logging", package: "swift-log"),
            ]
        ),
        .testTarget(
            name: "AdminAPITests",
            dependencies: [
                "AdminAPI", "AdminDocuments", "HTTPServer", "LogTestKit", "Metadata", "Raft", "Replication", "Telemetry",
                nioCore,
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "Yams", package: "Yams"),
            ]
        ),
        .testTarget(name: "AdminDocumentsTests", dependencies: ["AdminDocuments"]),
        .testTarget(name: "TidyTests", dependencies: []),
    ],
    swiftLanguageModes: [.v6],
    cxxLanguageStandard: .cxx17
)

var nioCore: Target.Dependency { .product(name: "NIOCore", package: "swift-nio") }

// One loop, so that no target can differ: Swift 6 mode, the upcoming features, and warnings as errors.
for target in package.targets where target.type != .system && !["CChecksum", "CRocksDBLogger"].contains(target.name) {
    target.swiftSettings =
        (target.swiftSettings ?? []) + [
            .enableUpcomingFeature("ExistentialAny"),
            .enableUpcomingFeature("InternalImportsByDefault"),
            .enableUpcomingFeature("MemberImportVisibility"),
            .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
            .enableUpcomingFeature("InferIsolatedConformances"),
            .enableUpcomingFeature("ImmutableWeakCaptures"),
            .treatAllWarnings(as: .error),
        ]
}
