package import FileSystem
package import KeyValueStore
package import Logging
package import PeerTransport
package import Raft
package import RaftStorage

/// What a node of a cluster is opened with.
package struct RaftNodeConfiguration: Sendable {
    package struct Node: Sendable, Hashable {
        package var id: NodeID
        /// `host:port`, where its peers reach it.
        package var address: String

        package init(id: NodeID, address: String) {
            self.id = id
            self.address = address
        }
    }

    /// Of the node that is opened; one of `nodes`.
    package var nodeID: NodeID
    /// The configured nodes, this one among them.
    package var nodes: [Node]
    /// An empty directory founds no cluster: the node waits until a leader adds it. The other nodes of `nodes` are whom it then answers.
    package var joins = false
    /// Where this node listens for its peers; port 0 takes a free one.
    package var listenHost: String
    package var listenPort: Int

    /// `IDENTITY` is kept here. The caller holds its lock.
    package var dataDirectory: String
    package var logDirectory: String
    package var statePaths: StateStorage.Paths

    package var replica = ReplicaSettings()
    package var log = LogSettings()
    package var store = RocksDBOptions()
    package var transport = PeerTransportSettings()
    package var tls: PeerTransportTLS?
    /// Of one tick of the replica, in milliseconds.
    package var tickMilliseconds: Int64 = 10
    /// Entries that the applier commits to the store at a time, at most, and their bytes.
    package var applyCountMax = 4096
    package var applyByteCountMax = 4 << 20
    package var fileSystem: any FileSystem = POSIXFileSystem()
    package var logger: Logger

    package init(
        nodeID: NodeID, nodes: [Node], listenHost: String, listenPort: Int, dataDirectory: String, logDirectory: String,
        statePaths: StateStorage.Paths, logger: Logger
    ) {
        self.nodeID = nodeID
        self.nodes = nodes
        self.listenHost = listenHost
        self.listenPort = listenPort
        self.dataDirectory = dataDirectory
        self.logDirectory = logDirectory
        self.statePaths = statePaths
        self.logger = logger
    }

    /// Whom an empty node founds a cluster with, itself among them; without itself it founds none.
    var configuredNodes: [ConfiguredNode] {
        nodes.filter { !joins || $0.id != nodeID }.sorted { $0.id < $1.id }.map {
            ConfiguredNode($0.id, address: Array($0.address.utf8))
        }
    }
}

/// Why a node cannot be opened, for the operator.
package enum RaftNodeError: Error, Sendable, CustomStringConvertible {
    case identity(NodeIdentityError)
    case state(StateStorageError)
    case log(LogError)
    case start(ReplicaStartError)
    /// The state cannot be read.
    case damagedState(String)
    case transport(PeerTransportError)
    case noThread
    /// It is to join a cluster, and has data of its own.
    case joinsWithData(directory: String)

    package var description: String {
        switch self {
        case .identity(let error): error.description
        case .state(let error): error.description
        case .log(let error): "the Raft log cannot be opened: \(error)"
        case .start(let error):
            if case .unknownVersion = error {
                "\(error): start a build that does"
            } else {
                "log and state do not belong together: \(error)"
            }
        case .damagedState(let detail): "the state is damaged: \(detail)"
        case .transport(let error): "the peers' port: \(error)"
        case .noThread: "the system has no thread left"
        case .joinsWithData(let directory):
            "\(directory) holds data of a single node, and metadata.replication.join says that it is to join a cluster: what it holds would be lost. Join with an empty data directory, or found a cluster with it (without join)"
        }
    }
}
