package import FileSystem
package import KeyValueStore
package import Metadata
package import NIOCore
package import NIOPosix
package import ObjectDataStore
import Raft
import Synchronization

/// How a `ReplicatedMetadataEngine` is opened.
package struct ReplicatedMetadataEngineConfiguration: Sendable {
    package var node: RaftNodeConfiguration
    /// The directory of the bodies of large objects (`mx_path`). Absolute.
    package var objectDataPath: String
    /// Threads that read the store where the disk may be needed.
    package var readThreadCount = 4
    package var bodyThreadCount = 8
    /// `write_quorum`: how far strong writes must have gone.
    package var writeLevel = WriteLevel.majority
    /// For as long a call waits for a quorum (`request_timeout_ms`).
    package var requestTimeoutMilliseconds: UInt64 = 10_000
    package var bodyExchange = BodyExchangeSettings()
    package var bodyKeeper = BodyKeeperSettings()
    /// Writes other than deletions are refused while the file system of the store has less than this free, in bytes.
    package var reservedByteCount: UInt64 = 256 << 20
    /// Milliseconds UTC.
    package var clock: @Sendable () -> UInt64 = LocalMetadataEngineConfiguration.systemClock

    package init(node: RaftNodeConfiguration, objectDataPath: String) {
        self.node = node
        self.objectDataPath = objectDataPath
    }
}

/// The engine of a node of a cluster (`engine_type: replicated`): every node takes every request, writes go through the Raft log, and
/// reads are as fresh as they ask to be.
///
/// A write returns when it is durable as `write_quorum` says *and* applied here, so that its caller reads it here whatever the
/// consistency. A write that a leader may have taken before it was lost is offered to the next one with the same session and number, and
/// takes effect once; only when no quorum is found in time does it throw: `.unavailable` if it was given to no leader, else
/// `.unknownOutcome`.
package final class ReplicatedMetadataEngine: CoordinatedEngine {
    package typealias BodyReader = LocalObjectBodyReader
    package typealias BodyWriter = ReplicatedObjectBodyWriter
    package typealias Snapshot = RocksDBSnapshot

    package let publication: EnginePublication<RocksDBSnapshot>
    package let bodies: ObjectDataStore
    package let lifetimes: BodyLifetimes
    package let readThreads: NIOThreadPool
    package let node: RaftNode

    /// What this replica lacks of the bodies, and what it has done about that.
    package let keeper: BodyKeeper
    /// Replaces the state of the cluster by that of a snapshot file.
    package let restorer: SnapshotRestorer
    private let bodyThreads: NIOThreadPool
    private let placements: BodyPlacements
    package let keyValuePath: String
    package let fileSystem: any FileSystem
    let supportedVersion: ClusterVersion
    private let writeLevel: WriteLevel
    private let timeout: UInt64
    private let stamp: SharedStamp
    private let space: SpaceWatch
    private let closing = Mutex<Task<Void, Never>?>(nil)

    /// Recovers the node's data. Blocks: not for event loops. `start` must follow, then `close`.
    ///
    /// - Throws: `RaftNodeError`, and `MetadataError` of the store of bodies.
    package init(_ configuration: ReplicatedMetadataEngineConfiguration) throws {
        let bodyThreads = NIOThreadPool(numberOfThreads: max(1, configuration.bodyThreadCount))
        bodyThreads.start()
        let bodies: ObjectDataStore
        do throws(ObjectDataStoreError) {
            bodies = try ObjectDataStore(
                root: configuration.objectDataPath, fileSystem: configuration.node.fileSystem,
                node: UInt16(truncatingIfNeeded: configuration.node.nodeID.rawValue), threads: bodyThreads,
                logger: configuration.node.logger)
        } catch {
            try? bodyThreads.syncShutdownGracefully()
            throw MetadataError(error)
        }
        let removals = BodyRemovals()
        let lifetimes = BodyLifetimes { released in removals.remove(released, from: bodies) }
        let ledger = BodyLedger()
        let (path, fileSystem) = (configuration.node.statePaths.keyValue, configuration.node.fileSystem)
        let reserve = SpaceReserve(reservedByteCount: configuration.reservedByteCount) {
            try? fileSystem.availableByteCount(at: path)
        }
        let readThreads = NIOThreadPool(numberOfThreads: max(1, configuration.readThreadCount))
        var published: EnginePublication<RocksDBSnapshot>?
        do {
            // Nothing is received yet: what is half written is of earlier starts.
            try bodies.removeTemporaryFiles()
            let nodeBodies = NodeBodies(
                store: bodies, ledger: ledger, lifetimes: lifetimes, hold: RestoreHold(lifetimes, removals),
                settings: configuration.bodyExchange,
                checkSpace: { () async throws(MetadataError) in try await reserve.checkBody(on: readThreads) })
            node = try RaftNode.open(configuration.node, bodies: nodeBodies) { view in
                let publication = EnginePublication(view)
                published = publication
                return publication
            }
        } catch {
            bodies.close()
            try? bodyThreads.syncShutdownGracefully()
            throw error
        }
        guard let published else { preconditionFailure("a node without a view") }
        publication = published
        self.bodies = bodies
        self.bodyThreads = bodyThreads
        self.lifetimes = lifetimes
        self.readThreads = readThreads
        keyValuePath = path
        self.fileSystem = fileSystem
        supportedVersion = configuration.node.replica.version
        writeLevel = configuration.writeLevel
        timeout = configuration.requestTimeoutMilliseconds
        let applied = (try? published.view().applied.index) ?? 0
        let stamp = SharedStamp(ProposalStamp(clock: configuration.clock, lastOperationID: applied))
        self.stamp = stamp
        space = SpaceWatch(reserve)
        let (node, timeout) = (node, configuration.requestTimeoutMilliseconds)
        keeper = BodyKeeper(
            node.bodies, ledger, publication: published, lifetimes: lifetimes, threads: readThreads,
            settings: configuration.bodyKeeper, logger: configuration.node.logger,
            onReport: { node.post(.event(.bodies($0))) }
        ) { ids in
            let operation = stamp.operation(.change(.abandonBodies(ids)))
            let outcome: ProposalOutcome = await withCheckedContinuation { caller in
                node.propose(operation.encoded, level: .majority, timeoutMilliseconds: timeout) { caller.resume(returning: $0) }
            }
            if case .committed(_, .change(.success)) = outcome { return true }
            return false
        }
        placements = BodyPlacements()
        restorer = SnapshotRestorer(
            node, placements: placements, keyValuePath: path, fileSystem: fileSystem, logger: configuration.node.logger)
        let files = ReplacementFiles(source: backupSource, threads: readThreads, logger: configuration.node.logger)
        node.applier.takeFiles { await files.write($0, to: $1) }
        readThreads.start()
    }

    /// Begins to talk to the peers. - Returns: the address where they reach this node.
    package func start() async throws -> SocketAddress {
        let address = try await node.start()
        space.start(on: node.loop, threads: readThreads)
        keeper.start(on: node.loop)
        return address
    }

    /// Hands leadership over, ends what waits and closes the stores. Idempotent; later calls throw `.unavailable`.
    package func close() async {
        let task = closing.withLock { closing in
            let task = closing ?? Task { await shutDown() }
            closing = task
            return task
        }
        await task.value
    }

    private func shutDown() async {
        space.stop()
        restorer.cancel()
        await keeper.close()
        await node.close()
        await restorer.close()
        publication.close()
        bodies.close()
        try? await readThreads.shutdownGracefully()
        try? await bodyThreads.shutdownGracefully()
    }

    /// The last entry of the log that reads on this node see; nil once it is closed.
    package var appliedIndex: UInt64? { publication.appliedIndex }

    // MARK: Writes

    package func write(
        _ payload: MetadataOperation.Payload, completion: @escaping @Sendable (WriteResult) -> Void
    ) {
        write(payload, at: writeLevel, completion: completion)
    }

    package func writeEventually(_ payload: MetadataOperation.Payload) async -> WriteResult {
        await withCheckedContinuation { caller in
            write(payload, at: .eventual) { caller.resume(returning: $0) }
        }
    }

    private func write(
        _ payload: MetadataOperation.Payload, at level: WriteLevel, completion: @escaping @Sendable (WriteResult) -> Void
    ) {
        do throws(MetadataError) { try space.admit(payload) } catch {
            completion(.notApplied(error))
            return
        }
        guard case .change(let change) = payload, let body = change.storedBody else {
            return propose(payload, level, milliseconds: timeout, completion: completion)
        }
        let deadline = BootClock.now.adding(milliseconds: timeout)
        propose(payload, level, holders: placements.take(body.id), milliseconds: timeout) { [self] result in
            guard result.lacksHolders else { return completion(result) }
            Task { completion(await offerAgain(payload, naming: body, level, until: deadline)) }
        }
    }

    func propose(
        _ payload: MetadataOperation.Payload, _ level: WriteLevel, holders: [UInt64] = [], milliseconds: UInt64,
        completion: @escaping @Sendable (WriteResult) -> Void
    ) {
        var operation = stamp.operation(payload)
        operation.bodyHolders = holders
        let begin = BootClock.now
        node.propose(operation.encoded, level: level, timeoutMilliseconds: milliseconds) { [metrics = node.metrics] outcome in
            metrics.wrote(nanoseconds: Int64(clamping: BootClock.now.nanoseconds - begin.nanoseconds))
            completion(WriteResult(outcome))
        }
    }

    // MARK: Bodies

    package var bodyFallback: (any BodyFallback)? { keeper }

    package func makeBodyWriter() async throws(MetadataError) -> ReplicatedObjectBodyWriter {
        try await ReplicatedObjectBodyWriter(
            node.bodies, placements: placements, requirement: writeLevel == .all ? .all : .majority)
    }

    package func deleteUnnamedBodies(_ ids: [BodyID]) async {
        for id in ids { _ = placements.take(id) }
        node.bodies.discardEverywhere(ids)
        await bodies.delete(ids)
    }

    // MARK: Reads

    package func mayRead(_ options: ReadOptions) -> Bool {
        guard case .eventual = options.consistency, !node.isRemoved else { return false }
        guard options.minimumIndex > 0 else { return true }
        return appliedIndex.map { $0 >= options.minimumIndex } ?? true
    }

    package func waitToRead(_ options: ReadOptions) async throws(MetadataError) {
        let begin = BootClock.now
        let outcome = await node.awaitRead(options, timeoutMilliseconds: timeout)
        node.metrics.confirmedRead(nanoseconds: Int64(clamping: BootClock.now.nanoseconds - begin.nanoseconds))
        if case .failed(let failure) = outcome { throw MetadataError(failure) }
    }
}

/// Gives each operation of this node its number and time.
private final class SharedStamp: Sendable {
    private let stamp: Mutex<ProposalStamp>

    init(_ stamp: ProposalStamp) { self.stamp = Mutex(stamp) }

    func operation(_ payload: MetadataOperation.Payload) -> MetadataOperation { stamp.withLock { $0.operation(payload) } }
}

extension WriteResult {
    init(_ outcome: ProposalOutcome) {
        switch outcome {
        case .committed(_, let outcome): self = .applied(outcome)
        case .accepted: self = .accepted
        case .refused(.stopped(.removed)): self = .notApplied(.removedNode)
        case .refused(let rejection):
            let code: MetadataError.Code =
                switch rejection {
                case .tooLarge: .limitExceeded
                case .overloaded, .timedOut, .notMember: .timeout
                case .stopped: .unavailable
                }
            self = .notApplied(MetadataError(code, "\(rejection)"))
        case .unknown(.timedOut): self = .notApplied(MetadataError(.unknownTimeout, "\(ProposalDoubt.timedOut)"))
        case .unknown(let doubt): self = .notApplied(MetadataError(.unknownOutcome, "\(doubt)"))
        }
    }
}

extension MetadataError {
    init(_ failure: ReadFailure) {
        if failure == .stopped(.removed) {
            self = .removedNode
            return
        }
        let code: MetadataError.Code =
            switch failure {
            case .tooStale, .behind: .staleRead
            case .overloaded, .timedOut, .notMember: .timeout
            case .stopped: .unavailable
            }
        self.init(code, "\(failure)")
    }
}
