package import FileSystem
package import KeyValueStore
import Logging
package import NIOPosix
package import ObjectDataStore
import Synchronization

/// The local engine over any store: `LocalMetadataEngine` is this over RocksDB, tests also run it in memory.
///
/// Writes go through one `GroupWriter`; reads take the newest `EngineView` and run where their caller is, as long as the store
/// can answer from memory. Since a write is answered after its view is published, each read is linearizable: consistency
/// levels make no difference here.
package final class MetadataEngineCore<Store: KeyValueStore>: CoordinatedEngine {
    package typealias BodyWriter = LocalObjectBodyWriter
    package typealias BodyReader = LocalObjectBodyReader

    let store: Store
    package let bodies: ObjectDataStore
    package let lifetimes: BodyLifetimes
    package let publication: EnginePublication<Store.Snapshot>
    package let readThreads: NIOThreadPool
    let writer: GroupWriter<Store>
    let space: SpaceReserve
    private let bodyThreads: NIOThreadPool
    private let sweep: Task<Void, Never>
    private let closing = Mutex<Task<Void, Never>?>(nil)

    /// Loads the state from `store`, counts this start in the object-data store and starts the threads. Blocks.
    ///
    /// On success the engine owns `store` and closes it; `close` must be called before the engine is released.
    /// - Parameter fileSystem: of the bodies and for asking what space is left at the configuration's paths.
    /// - Throws: `.corruption` (also for a store of an unknown schema), `.ioError`, `.noSpace`.
    package init(
        store: Store, fileSystem: any FileSystem, configuration: LocalMetadataEngineConfiguration
    ) throws(MetadataError) {
        let logger = configuration.logger
        let loaded = try Self.load(store)
        let bodyThreads = NIOThreadPool(numberOfThreads: max(1, configuration.bodyThreadCount))
        bodyThreads.start()
        let bodies: ObjectDataStore
        do throws(ObjectDataStoreError) {
            bodies = try ObjectDataStore(
                root: configuration.objectDataPath, fileSystem: fileSystem, node: configuration.nodeID, threads: bodyThreads,
                logger: logger)
        } catch {
            try? bodyThreads.syncShutdownGracefully()
            throw MetadataError(error)
        }
        let readThreads = NIOThreadPool(numberOfThreads: max(1, configuration.readThreadCount))
        readThreads.start()
        let lifetimes = BodyLifetimes { released in Task { await bodies.delete(released) } }
        let publication = EnginePublication(loaded.view)
        let path = configuration.keyValuePath
        let space = SpaceReserve(reservedByteCount: configuration.reservedByteCount) {
            try? fileSystem.availableByteCount(at: path)
        }
        self.store = store
        self.bodies = bodies
        self.bodyThreads = bodyThreads
        self.readThreads = readThreads
        self.space = space
        self.lifetimes = lifetimes
        self.publication = publication
        writer = GroupWriter(
            store: store, machine: loaded.machine, publication: publication, lifetimes: lifetimes, space: space,
            clock: configuration.clock, logger: logger)
        sweep = Self.startSweep(bodies, loaded.view.snapshot, logger)
        logger.info(
            "the metadata engine is open",
            metadata: ["applied": "\(loaded.machine.appliedIndex)", "digest": "\(loaded.machine.digest.hexadecimal)"])
    }

    private static func load(
        _ store: Store
    ) throws(MetadataError) -> (machine: MetadataStateMachine, view: EngineView<Store.Snapshot>) {
        let snapshot = store.makeSnapshot()
        let machine: MetadataStateMachine
        do throws(MetadataStoreFailure) {
            machine = try MetadataStateMachine(loading: snapshot)
        } catch { throw error.metadataError }
        do throws(MetadataReadError) {
            let buckets = try BucketTable(MetadataReader(snapshot, tier: .all))
            let applied = AppliedRecord(index: machine.appliedIndex, digest: machine.digest)
            return (machine, EngineView(snapshot: snapshot, applied: applied, buckets: buckets))
        } catch { throw error.onDisk }
    }

    // MARK: Coordination

    package func write(_ payload: MetadataOperation.Payload, completion: @escaping @Sendable (WriteResult) -> Void) {
        writer.write(payload, completion: completion)
    }

    /// Nothing is gained by answering before the disk has it, which is when it is applied, too.
    package func writeEventually(_ payload: MetadataOperation.Payload) async -> WriteResult { await write(payload) }

    package func mayRead(_ options: ReadOptions) -> Bool { true }

    package func waitToRead(_ options: ReadOptions) async throws(MetadataError) {}

    // MARK: Stopping

    /// Refuses new work, finishes the writes that wait, and closes the stores. May be called again and by several at once: each
    /// returns when the engine is closed. Calls that come later throw `.unavailable`.
    package func close() async {
        let task = closing.withLock { closing in
            let task = closing ?? Task { await shutDown() }
            closing = task
            return task
        }
        await task.value
    }

    private func shutDown() async {
        await writer.close()
        publication.close()
        bodies.close()
        await sweep.value
        // Reads that have begun hold their view; a store on disk keeps its lock until they end.
        try? await readThreads.shutdownGracefully()
        try? await bodyThreads.shutdownGracefully()
        store.close()
    }

    // MARK: Sweeping

    /// Deletes what earlier starts left, in the background.
    ///
    /// It asks the state as it was at the start: a body of an earlier start that a record named then is either named still, or
    /// was released since and is the engine's own to delete, after its last reader. No earlier body can become named later.
    private static func startSweep(_ bodies: ObjectDataStore, _ snapshot: Store.Snapshot, _ logger: Logger) -> Task<Void, Never>
    {
        Task {
            do {
                let report = try await bodies.sweep { ids in
                    try ids.map { try snapshot.withValue(KeySchema.body($0), in: KeySchema.bodies, tier: .all) { _ in } != nil }
                }
                logger.info(
                    "bodies left by earlier starts were swept",
                    metadata: [
                        "examined": "\(report.examinedCount)", "deleted": "\(report.deletedCount)",
                        "bytes": "\(report.deletedByteCount)", "foreign": "\(report.foreignNameCount)",
                    ])
            } catch ObjectDataStoreError.closed {
                logger.info("the sweep of bodies was cut short: the engine is stopping")
            } catch {
                logger.error("the sweep of bodies failed", metadata: ["error": "\(error)"])
            }
        }
    }
}
