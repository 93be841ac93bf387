import FileSystem
import KeyValueStore
import Logging
import Metadata
import NIOPosix
import ObjectDataStore
import Raft
import RaftStorage
import Synchronization

/// What recovery made of a data directory: everything that a node begins with.
struct OpenedNode {
    var configuration: RaftNodeConfiguration
    var identity: NodeIdentity
    var identityFile: NodeIdentityFile
    var storage: StateStorage
    var writer: LogWriter
    var applier: Applier
    var replica: Replica
    var metrics: ReplicationMetrics
    var bodies: NodeBodies
}

/// What a node is given to do with the bodies of large objects.
struct NodeBodies: Sendable {
    let store: ObjectDataStore
    let ledger: BodyLedger
    let lifetimes: BodyLifetimes
    let hold: RestoreHold
    let settings: BodyExchangeSettings
    /// Throws `.noSpace` where a body would take what is kept for the metadata.
    let checkSpace: @Sendable () async throws(MetadataError) -> Void
}

/// Where the threads of a node that is being opened leave what they have to say until there is a loop.
private final class Relay: Sendable {
    private struct State {
        weak var node: RaftNode?
        var early: [RaftNode.Input] = []
    }

    private let state = Mutex(State())

    func post(_ input: RaftNode.Input) {
        let node = state.withLock { state in
            if state.node == nil { state.early.append(input) }
            return state.node
        }
        node?.post(input)
    }

    func connect(_ node: RaftNode) {
        let early = state.withLock { state in
            state.node = node
            defer { state.early = [] }
            return state.early
        }
        for input in early { node.post(input) }
    }
}

extension RaftNode {
    /// Recovers what the data directory holds, and gets everything ready; `start` then begins. Blocks: not for event loops.
    ///
    /// - Parameter view: is published what readers see, from the recovered state on.
    /// - Throws: `RaftNodeError`.
    static func open(
        _ configuration: RaftNodeConfiguration, bodies: NodeBodies,
        publishing makePublication: (EngineView<RocksDBSnapshot>) -> EnginePublication<RocksDBSnapshot>
    ) throws -> RaftNode {
        let relay = Relay()
        let opened = try recover(configuration, bodies, makePublication, relay)
        let node = RaftNode(opened, group: MultiThreadedEventLoopGroup(numberOfThreads: 2))
        relay.connect(node)
        return node
    }

    private static func recover(
        _ configuration: RaftNodeConfiguration, _ bodies: NodeBodies,
        _ makePublication: (EngineView<RocksDBSnapshot>) -> EnginePublication<RocksDBSnapshot>, _ relay: Relay
    ) throws -> OpenedNode {
        var options = configuration.store
        if options.log == nil { options.log(to: configuration.logger) }
        let storage = try failing(RaftNodeError.state) { () throws(StateStorageError) in
            try StateStorage(paths: configuration.statePaths, options: options, fileSystem: configuration.fileSystem)
        }
        let store = try failing(RaftNodeError.state) { () throws(StateStorageError) in try storage.open() }
        do {
            let snapshot = store.makeSnapshot()
            let machine: ReplicatedStateMachine
            do throws(MetadataStoreFailure) {
                machine = try ReplicatedStateMachine(loading: snapshot, supporting: configuration.replica.version)
            } catch { throw RaftNodeError.damagedState("\(error)") }
            if configuration.joins, machine.state.cluster == nil, machine.appliedIndex > .zero {
                throw RaftNodeError.joinsWithData(directory: configuration.dataDirectory)
            }
            bodies.hold.apply(machine.state.restore)
            let view = try makeView(snapshot, machine)
            // A directory that was refused until here is nobody's yet, and `engine_type: local` may go on with it.
            let identityFile = NodeIdentityFile(
                dataDirectory: configuration.dataDirectory, fileSystem: configuration.fileSystem)
            let (contents, isKnown) = try identify(identityFile, configuration.nodeID)
            let (log, recovered) = try openLog(configuration, contents, machine, storage, isKnown: isKnown)
            let stored = recovered.stored(applied: machine.appliedIndex)
            let newest = try failing(RaftNodeError.state) { () throws(StateStorageError) in try storage.newestSnapshot() }
            let replica: Replica
            do throws(ReplicaStartError) {
                replica = try Replica(
                    ReplicaStart(
                        identity: contents.identity, start: contents.startCount, stored: stored, state: machine.state,
                        snapshot: newest, configured: configuration.configuredNodes, joined: contents.cluster,
                        logByteCount: log.byteCount, seed: .random(in: 0 ... .max), bodies: .unknown),
                    settings: configuration.replica)
            } catch { throw RaftNodeError.start(error) }
            configuration.logger.notice(
                "The node is open",
                metadata: [
                    "node": "\(contents.identity.node.rawValue)", "start": "\(contents.startCount)",
                    "cluster": "\(contents.cluster.map { "\($0)" } ?? "none")",
                    "applied": "\(machine.appliedIndex.rawValue)", "log": "\(recovered.lastIndex.rawValue)",
                ])
            return try startThreads(
                configuration, contents.identity, identityFile, storage, store, machine, log, replica,
                makePublication(view), bodies, relay)
        } catch {
            store.close()
            throw error
        }
    }

    private static func startThreads(
        _ configuration: RaftNodeConfiguration, _ identity: NodeIdentity, _ identityFile: NodeIdentityFile,
        _ storage: StateStorage, _ store: RocksDBStore, _ machine: ReplicatedStateMachine, _ log: sending SegmentedLog,
        _ replica: Replica, _ publication: EnginePublication<RocksDBSnapshot>, _ bodies: NodeBodies, _ relay: Relay
    ) throws -> OpenedNode {
        let metrics = ReplicationMetrics()
        let applier = Applier(
            store: store, machine: machine, storage: storage, configuration: configuration, publication: publication,
            bodies: bodies, metrics: metrics
        ) { relay.post(.applier($0)) }
        do throws(ThreadError) {
            let writer = try LogWriter(log, onRound: { metrics.wrote($0) }, onEvent: { relay.post(.log($0)) })
            do throws(ThreadError) {
                try applier.start()
            } catch {
                writer.close()
                throw error
            }
            return OpenedNode(
                configuration: configuration, identity: identity, identityFile: identityFile, storage: storage, writer: writer,
                applier: applier, replica: replica, metrics: metrics, bodies: bodies)
        } catch { throw RaftNodeError.noThread }
    }

    // MARK: Steps

    /// - Returns: who the directory is, and whether it was before.
    private static func identify(
        _ file: NodeIdentityFile, _ node: NodeID
    ) throws -> (contents: NodeIdentityFile.Contents, isKnown: Bool) {
        try failing(RaftNodeError.identity) { () throws(NodeIdentityError) in
            let isKnown = try file.load() != nil
            if !isKnown { _ = try file.create(node: node) }
            return (try file.countStart(of: node), isKnown)
        }
    }

    private static func makeView(
        _ snapshot: RocksDBSnapshot, _ machine: ReplicatedStateMachine
    ) throws -> EngineView<RocksDBSnapshot> {
        do throws(MetadataReadError) {
            return EngineView(
                snapshot: snapshot, applied: AppliedRecord(index: machine.appliedIndex.rawValue, digest: machine.digest),
                buckets: try BucketTable(MetadataReader(snapshot, tier: .all)))
        } catch { throw RaftNodeError.damagedState("\(error)") }
    }

    private static func openLog(
        _ configuration: RaftNodeConfiguration, _ contents: NodeIdentityFile.Contents, _ machine: ReplicatedStateMachine,
        _ storage: StateStorage, isKnown: Bool
    ) throws -> (log: SegmentedLog, recovered: RecoveredLog) {
        // A log belongs to a disk, whatever cluster that joins later.
        let identity = LogIdentity(
            clusterID: LogIdentity.ClusterID(high: 1, low: contents.identity.incarnation.rawValue), groupID: 0,
            nodeID: contents.identity.node.rawValue)
        let open = { () throws in
            try failing(RaftNodeError.log) { () throws(LogError) in
                try SegmentedLog.open(
                    directory: configuration.logDirectory, fileSystem: configuration.fileSystem, identity: identity,
                    settings: configuration.log, expecting: isKnown && contents.cluster != nil ? .existing : .any)
            }
        }
        let (log, recovered) = try open()
        for finding in recovered.report.findings {
            configuration.logger.notice(
                "The Raft log was recovered",
                metadata: ["finding": "\(finding.finding.rawValue)", "file": "\(finding.file)", "offset": "\(finding.offset)"])
        }
        let repair = try failing(RaftNodeError.start) { () throws(ReplicaStartError) in
            try ReplicaStart.repair(
                stored: recovered.stored(applied: machine.appliedIndex), state: machine.state,
                installed: storage.installedIndex)
        }
        guard case .restart(let mark) = repair else { return (log, recovered) }
        configuration.logger.notice(
            "An installation that was interrupted is completed", metadata: ["index": "\(mark.index.rawValue)"])
        try failing(RaftNodeError.log) { () throws(LogError) in
            let state = recovered.hardState
            let term = max(state.term, mark.term)
            let hardState = HardState(term: term, vote: term == state.term ? state.vote : nil, commit: state.commit)
            try log.append(LogBatch(snapshot: .installation(mark), hardState: hardState))
            try log.write()
            try log.synchronize()
        }
        return try open()
    }

    private static func failing<Value, Failure: Error>(
        _ wrap: (Failure) -> RaftNodeError, _ body: () throws(Failure) -> Value
    ) throws -> Value {
        do throws(Failure) { return try body() } catch { throw wrap(error) }
    }
}
