// swift-tools-version: 6.2
import PackageDescription

// Fuzz targets for what reads bytes from disks and networks. A package of its own, because everything in it is compiled with libFuzzer's
// instrumentation (`swift build --sanitize=fuzzer`): the modules are links to the sources of the package above, of `Backup`,
// `KeyValueStore`, `Metadata`, `ObjectDataStore`, `PeerTransport` and `Replication` only to those that decoders need, so that little else has
// to be compiled. `script/fuzz` builds and runs it.
let package = Package(
    name: "fuzz",
    dependencies: [.package(url: "https://github.com/apple/swift-nio", from: "2.101.2")],
    targets: [
        .target(name: "CChecksum"),
        .target(name: "Checksum", dependencies: ["CChecksum"]),
        .target(name: "FileSystem"),
        .target(name: "Raft"),
        .target(name: "RaftStorage", dependencies: ["Checksum", "FileSystem", "Raft"]),
        .target(name: "KeyValueStore"),
        .target(name: "ObjectDataStore", dependencies: ["Checksum", "FileSystem"]),
        .target(name: "Metadata", dependencies: ["KeyValueStore", "ObjectDataStore"]),
        .target(name: "Backup", dependencies: ["Checksum", "FileSystem", "KeyValueStore", "Metadata", "ObjectDataStore"]),
        .target(name: "Replication", dependencies: ["Checksum", "Metadata", "Raft"]),
        .target(name: "PeerTransport", dependencies: ["Checksum", .product(name: "NIOCore", package: "swift-nio")]),
        .executableTarget(name: "fuzz-log-reader", dependencies: ["FileSystem", "Raft", "RaftStorage"]),
        .executableTarget(name: "fuzz-record", dependencies: ["Raft", "RaftStorage"]),
        .executableTarget(name: "fuzz-configuration-change", dependencies: ["Raft"]),
        .executableTarget(name: "fuzz-peer-message", dependencies: ["Replication"]),
        .executableTarget(name: "fuzz-command", dependencies: ["Replication"]),
        .executableTarget(name: "fuzz-replication-record", dependencies: ["Replication"]),
        .executableTarget(
            name: "fuzz-backup-file", dependencies: ["Backup", "Checksum", "FileSystem", "Metadata", "ObjectDataStore"]),
        .executableTarget(
            name: "fuzz-peer-frames", dependencies: ["PeerTransport", .product(name: "NIOCore", package: "swift-nio")]),
    ],
    swiftLanguageModes: [.v6]
)

for target in package.targets where target.name != "C" + "Checksum" {
    target.swiftSettings = [
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("MemberImportVisibility"),
        .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
        .enableUpcomingFeature("InferIsolatedConformances"),
        .enableUpcomingFeature("ImmutableWeakCaptures"),
        .treatAllWarnings(as: .error),
    ]
}
