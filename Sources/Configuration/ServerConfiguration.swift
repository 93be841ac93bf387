/// Everything that a server is told before it starts; each field has a working default.
///
/// The fields carry the names of the YAML keys in `docs/configuration.md`, which gives the reasons and the ranges.
/// A value of this type was validated by `load`: its addresses parse, its paths differ, its credentials are usable.
package struct ServerConfiguration: Sendable, Equatable {
    /// Everything that the server keeps lies below it, unless `metadata` moves a part elsewhere.
    package var dataDirectory: String
    package var s3: S3
    package var admin: Admin
    /// `nil`: the S3 endpoint speaks plain HTTP.
    package var tls: TLS?
    package var log: Log
    package var storage: Storage
    package var metadata: Metadata
}

extension ServerConfiguration {
    /// The S3 endpoint and who may use it.
    package struct S3: Sendable, Equatable {
        package var address: NetworkAddress
        package var region: String
        /// Lower-case names below which hosts name buckets.
        package var domains: [String]
        /// The account of the operator. Its credentials are `Account.defaultKey` until something sets them.
        package var root: Account
        /// Accounts besides the root one; access keys are unique over all of them and the root one.
        package var users: [Account]
        package var limits: HTTPLimits
    }

    /// Whose requests are accepted, and who owns what they create.
    package struct Account: Sendable, Equatable {
        /// The access key and the secret key of a server that was told neither.
        package static let defaultKey = "rustfsadmin"

        package var accessKey: String
        package var secretKey: String
        /// The owner that buckets and objects are stored with; several access keys may share one.
        package var canonicalID: String
        package var displayName: String

        /// One of the two keys is what everybody knows.
        package var usesDefaultCredentials: Bool { accessKey == Self.defaultKey || secretKey == Self.defaultKey }
    }

    /// What one connection may take from the S3 endpoint.
    package struct HTTPLimits: Sendable, Equatable {
        package var requestLineBytesMax: Int
        package var headerBytesMax: Int
        package var headerCountMax: Int
        package var connectionCountMax: Int
        /// From the first byte of a request (or of the connection) to the end of its head.
        package var headTimeoutSeconds: Int
        /// Between a response and the first byte of the next request.
        package var idleTimeoutSeconds: Int
        /// From the signal to stop until connections with requests in flight are cut.
        package var shutdownTimeoutSeconds: Int
    }

    /// Metrics, health and version for everybody who reaches the address, and the operations of administrators.
    package struct Admin: Sendable, Equatable {
        /// Where the token of administrators is.
        package enum Token: Sendable, Equatable {
            case text(String)
            /// A file that was readable when the configuration was loaded; what it holds may change.
            case file(String)
        }
        package struct TLS: Sendable, Equatable {
            package var certificateFile: String
            package var privateKeyFile: String
            /// Whose signature makes a client's certificate that of an administrator.
            package var clientAuthorityFile: String?
        }

        package var address: NetworkAddress
        package var token: Token?
        /// `nil`: the address speaks plain HTTP.
        package var tls: TLS?
    }

    /// PEM files, both readable when the configuration was loaded.
    package struct TLS: Sendable, Equatable {
        package var certificateFile: String
        package var privateKeyFile: String
    }

    package struct Log: Sendable, Equatable {
        package enum Level: String, Sendable, CaseIterable { case trace, debug, info, notice, warning, error, critical }
        package enum Format: String, Sendable, CaseIterable { case logfmt, json }

        package var level: Level
        package var format: Format
    }

    package struct Storage: Sendable, Equatable {
        /// The key-value store's cache of uncompressed blocks.
        package var blockCacheBytes: Int
        /// Free space of the disk below which writes other than deletions are refused.
        package var reservedBytes: Int
    }

    /// The metadata engine: section 7 of the specification.
    package struct Metadata: Sendable, Equatable {
        package enum EngineType: String, Sendable, CaseIterable { case local, replicated }

        package var engineType: EngineType
        /// Present whenever the file has it; needed by `engineType == .replicated`.
        package var replication: Replication?
        package var local: Local
    }

    package struct Local: Sendable, Equatable {
        /// The key-value store.
        package var kvPath: String
        /// Accepted for the sake of existing files: the index lives inside the key-value store.
        package var indexPath: String?
        /// Bodies of large objects.
        package var mxPath: String
    }

    package struct Replication: Sendable, Equatable {
        package struct Node: Sendable, Equatable {
            package var id: UInt64
            package var address: NetworkAddress
        }
        package enum ReadConsistency: String, Sendable, CaseIterable {
            case linearizable
            case boundedStaleness = "bounded_staleness"
            case eventual
        }
        package enum WriteQuorum: String, Sendable, CaseIterable { case majority, all }
        /// Mutual TLS between the nodes: PEM files, readable when the configuration was loaded.
        package struct TLS: Sendable, Equatable {
            package var certificateFile: String
            package var privateKeyFile: String
            /// Whose signature a peer's certificate must have.
            package var authorityFile: String
        }

        package var nodes: [Node]
        /// This server's own entry in `nodes`.
        package var nodeID: UInt64
        /// An empty data directory waits to be added to a cluster.
        package var joins: Bool
        package var raft: Raft
        package var readConsistency: ReadConsistency
        /// The bound that `.boundedStaleness` promises.
        package var stalenessMillisecondsMax: Int
        package var writeQuorum: WriteQuorum
        package var batchSizeMax: Int
        package var batchTimeoutMilliseconds: Int
        /// For as long a request waits for a quorum.
        package var requestTimeoutMilliseconds: Int
        /// Where this node listens for its peers.
        package var listenAddress: NetworkAddress
        /// The newest rules that this node says it knows; nil: all that it does know.
        package var clusterVersionMax: Int?
        package var bodies: Bodies
        package var tls: TLS?
    }

    /// How the bodies of large objects are kept whole on every node.
    package struct Bodies: Sendable, Equatable {
        /// MiB fetched from peers in a second, at most.
        package var repairRateMebibytes: Int
        /// For so long a body is kept that nothing names.
        package var orphanGraceSeconds: Int
        /// In which every block is verified once; 0: never.
        package var scrubPeriodSeconds: Int
    }

    package struct Raft: Sendable, Equatable {
        package var electionTimeoutMilliseconds: Int
        package var heartbeatIntervalMilliseconds: Int
        package var snapshotIntervalSeconds: Int
        package var logEntriesMax: Int
        package var logDirectory: String
        package var snapshotDirectory: String
    }
}
