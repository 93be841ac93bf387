package import Backup
import KeyValueStore
import Metadata
import ObjectDataStore
import Raft

extension ReplicatedMetadataEngine: BackedUpEngine {
    /// Of this replica: the file is written on the node that is asked, whoever leads.
    package var backupSource: BackupSource {
        let version = supportedVersion
        return BackupSource(
            keyValuePath: keyValuePath, fileSystem: fileSystem, bodies: bodies, fallback: keeper, lifetimes: lifetimes,
            store: { [weak node] () throws(MetadataError) in
                guard let node, !node.isClosed else { throw MetadataError(.unavailable, "the engine is closed") }
                return node.applier.store
            },
            cluster: { snapshot throws(MetadataStoreFailure) in
                let machine = try ReplicatedStateMachine(loading: snapshot, supporting: version)
                return BackupHeader.Cluster(of: machine.state)
            })
    }
}

extension BackupHeader.Cluster {
    /// - Returns: nil: the state belongs to none.
    init?(of state: ReplicatedState) {
        guard let genesis = state.genesis else { return nil }
        self.init(id: genesis.cluster.rawValue, version: state.version.rawValue, term: state.term.rawValue)
    }
}
