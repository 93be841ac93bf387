import Backup
import FileSystem
import Logging
import Metadata
import NIOCore
import NIOPosix
import ObjectDataStore
import Raft
import Synchronization

/// Replaces the state of the running cluster by that of a snapshot file on this node, one at a time.
///
/// ```
///   verify ─► begin (nothing is deleted from here on) ─► who has which bodies? ─► send what is missing, and the state ─► replace
///                └── any failure: cancel; nothing has changed
/// ```
///
/// What blocks runs on a thread of its own.
package final class SnapshotRestorer: Sendable {
    private struct State {
        var progress: RestoreProgress?
        var task: Task<Result<RestoredSnapshot, RestoreError>, Never>?
        var isClosed = false
    }

    /// Bytes that are read at once.
    private static let chunkByteCount = ObjectDataWriter.batchByteCount
    /// For so long a member may take to say what it has; it may be behind by so much.
    private static let memberMilliseconds: UInt64 = 15_000
    /// For the beginning and the end.
    private static let stepMilliseconds: UInt64 = 30_000
    private static let cancelRetrySeconds = 1
    /// Each replica makes a store of the file, and this one before it knows that it was done.
    private static let replaceMilliseconds: UInt64 = 3_600_000

    private let node: RaftNode
    private let placements: BodyPlacements
    private let keyValuePath: String
    private let fileSystem: any FileSystem
    private let logger: Logger
    private let state = Mutex(State())

    init(_ node: RaftNode, placements: BodyPlacements, keyValuePath: String, fileSystem: any FileSystem, logger: Logger) {
        self.node = node
        self.placements = placements
        self.keyValuePath = keyValuePath
        self.fileSystem = fileSystem
        self.logger = logger
    }

    /// Of the one that began last; nil: none has.
    package var progress: RestoreProgress? { state.withLock { $0.progress } }

    /// Begins. - Throws: `.busy`, `.stopped`.
    @discardableResult
    package func start(_ path: String) throws(RestoreError) -> Task<Result<RestoredSnapshot, RestoreError>, Never> {
        try state.withLock { state throws(RestoreError) in
            if state.isClosed { throw .stopped }
            if let progress = state.progress, case .running = progress.state { throw .busy(path: progress.path) }
            state.progress = RestoreProgress(path: path)
            let task = Task { await run(path) }
            state.task = task
            return task
        }
    }

    /// Gives up what is under way, if it can be, and refuses others.
    func cancel() {
        state.withLock { state in
            state.isClosed = true
            return state.task
        }?.cancel()
    }

    /// Returns when nothing is under way. What has been proposed has its outcome when the node is closed.
    func close() async {
        cancel()
        _ = await state.withLock { $0.task }?.value
    }

    private func change(_ body: (inout RestoreProgress) -> Void) {
        state.withLock { state in
            if var progress = state.progress {
                body(&progress)
                state.progress = progress
            }
        }
    }

    private func enter(_ phase: RestoreProgress.Phase, byteCount: UInt64 = 0) {
        change { progress in
            progress.state = .running(phase)
            (progress.doneByteCount, progress.byteCount) = (0, byteCount)
        }
    }

    private func did(_ byteCount: Int) { change { $0.doneByteCount += UInt64(byteCount) } }

    // MARK: One restore

    private func run(_ path: String) async -> Result<RestoredSnapshot, RestoreError> {
        logger.notice("A snapshot is to be restored", metadata: ["path": "\(path)"])
        let threads = NIOThreadPool(numberOfThreads: 1)
        threads.start()
        let result: Result<RestoredSnapshot, RestoreError>
        do throws(RestoreError) {
            result = .success(try await verify(path, on: threads))
        } catch { result = .failure(error) }
        try? await threads.shutdownGracefully()
        switch result {
        case .success(let restored):
            change { $0.state = .done(entry: restored.entry) }
            logger.notice(
                "A snapshot was restored",
                metadata: ["path": "\(path)", "id": "\(restored.file.end.id)", "entry": "\(restored.entry)"])
        case .failure(let error):
            change { $0.state = .failed(error) }
            logger.error("No snapshot was restored", metadata: ["path": "\(path)", "error": "\(error)"])
        }
        return result
    }

    private func verify(_ path: String, on threads: NIOThreadPool) async throws(RestoreError) -> RestoredSnapshot {
        let (fileSystem, keyValuePath) = (fileSystem, keyValuePath)
        let file = try await blocking(threads) { () throws(BackupError) in
            try OpenedBackup(opening: path, fileSystem: fileSystem)
        }
        change { progress in
            progress.id = file.end.id
            progress.byteCount = file.header.fileByteCount
        }
        let status = await node.status()
        guard ClusterVersion(status.version) >= .restores else { throw .version(status.version) }
        guard file.header.index <= status.appliedIndex else {
            throw .younger(path: path, index: file.header.index, applied: status.appliedIndex)
        }
        let state = try await blocking(threads) { [self] () throws(BackupError) in
            try file.verify { did($0) }
            try checkSpace(file)
            return try ExportedState(of: file, besideStoreAt: keyValuePath, fileSystem: fileSystem)
        }
        let result: Result<RestoredSnapshot, RestoreError>
        do throws(RestoreError) {
            result = .success(try await restore(file, state, on: threads))
        } catch { result = .failure(error) }
        _ = await threads.runBlocking { state.remove() }
        return try result.get()
    }

    /// Twice: beside the state, and as the next one.
    private func checkSpace(_ file: OpenedBackup) throws(BackupError) {
        let needed = 2 * file.header.storeByteCount
        let available: UInt64
        do throws(FileSystemError) { available = try fileSystem.availableByteCount(at: keyValuePath) } catch {
            throw .fileSystem(error)
        }
        guard needed <= available else { throw .spaceMissing(path: keyValuePath, needed: needed, available: available) }
    }

    private func restore(
        _ file: OpenedBackup, _ state: ExportedState, on threads: NIOThreadPool
    ) async throws(RestoreError) -> RestoredSnapshot {
        var attempt = Attempt(id: .random(), configuration: await node.bodies.members())
        do throws(RestoreError) {
            _ = try await propose(.begin(attempt.id), milliseconds: Self.stepMilliseconds)
            try await compare(state, with: file, &attempt, on: threads)
            let body = try await send(file, &attempt, on: threads)
            if Task.isCancelled { throw .stopped }
            enter(.applying)
            let replacement = StateReplacement(
                restore: attempt.id, file: body, holders: attempt.holders.sorted { $0.lexicographicallyPrecedes($1) },
                snapshot: file.end.digest, index: LogIndex(file.header.index), digest: file.header.digest)
            let entry = try await propose(.replace(replacement), milliseconds: Self.replaceMilliseconds)
            return RestoredSnapshot(file: file.summary, entry: entry)
        } catch {
            let isCancelled = await cancel(attempt.id)
            // One in doubt may be in effect, on replicas that do not know it yet: what it needs is left. If nothing needs it, a pass finds it.
            if case .unknown = error { throw error }
            if isCancelled { giveUp(attempt) }
            throw error
        }
    }

    /// Ends the preparation, as often as it takes: one that stays open keeps every replica from deleting anything, and every node from restoring,
    /// until this one starts again. If the replacement is in the log before, this does nothing; else it will be refused.
    ///
    /// - Returns: false: the server is stopping, and its next start ends the preparation.
    private func cancel(_ id: RestoreID) async -> Bool {
        // The task may be cancelled, which must not hurry this.
        await Task { [self] in
            while true {
                do throws(RestoreError) {
                    _ = try await propose(.cancel(id), milliseconds: Self.stepMilliseconds)
                    return true
                } catch {
                    if state.withLock({ $0.isClosed }) { return false }
                    logger.warning("The end of a restore is not in the log yet", metadata: ["error": "\(error)"])
                }
                try? await Task.sleep(for: .seconds(Self.cancelRetrySeconds))
            }
        }.value
    }

    /// One replacement that is prepared.
    private struct Attempt {
        let id: RestoreID
        let configuration: Configuration
        /// Members that do not say what they have.
        var silent: Set<NodeID> = []
        /// Distinct lists of members that are a quorum: each body is on one of them.
        var holders: Set<[NodeID]> = []
        /// Bodies that no quorum has.
        var missing: [BodyID: UInt64] = [:]
        /// Bodies that were sent, the file of the state among them.
        var sent: [BodyID] = []

        var members: [NodeID] { configuration.members.filter { !silent.contains($0) } }

        func isQuorum(_ nodes: [NodeID]) -> Bool { configuration.quorum.vote { nodes.contains($0) } == .won }
    }

    /// - Returns: the entry of the log that it was.
    private func propose(_ step: RestoreStep, milliseconds: UInt64) async throws(RestoreError) -> UInt64 {
        let node = node
        let outcome: ProposalOutcome = await withCheckedContinuation { caller in
            node.propose(step.encoded(), kind: .restore, level: .majority, timeoutMilliseconds: milliseconds) {
                caller.resume(returning: $0)
            }
        }
        switch (outcome, WriteResult(outcome)) {
        case (.committed(let index, .change(.success)), _): return index.rawValue
        case (.committed(_, .change(.failure(let error))), _): throw .refused(error)
        case (.refused, .notApplied(let error)): throw .refused(error)
        case (.unknown, .notApplied(let error)): throw .unknown(error)
        case (.committed, _), (.accepted, _), (.refused, _), (.unknown, _):
            preconditionFailure("a step of a restore is one change, committed or not")
        }
    }

    // MARK: Bodies

    /// Finds out which bodies no quorum has. - Throws: `.absent`, if those are not in the file.
    private func compare(
        _ state: ExportedState, with file: OpenedBackup, _ attempt: inout Attempt, on threads: NIOThreadPool
    ) async throws(RestoreError) {
        enter(.comparing, byteCount: file.header.figures.bodyBytes)
        var last: BodyID?
        while true {
            let after = last
            let page = try await blocking(threads) { () throws(BackupError) in try state.bodies(after: after) }
            guard let end = page.last else { break }
            for (body, nodes) in zip(page, await holders(of: page.map(\.id), &attempt)) {
                if attempt.isQuorum(nodes) {
                    try note(nodes, &attempt)
                } else {
                    attempt.missing[body.id] = body.length
                }
                did(Int(clamping: body.length))
            }
            last = end.id
            if Task.isCancelled { throw .stopped }
        }
        guard attempt.missing.isEmpty || file.header.hasBodies else {
            throw .absent(
                path: file.path, bodies: UInt64(attempt.missing.count), bytes: attempt.missing.values.reduce(0, +))
        }
    }

    private func holders(of ids: [BodyID], _ attempt: inout Attempt) async -> [[NodeID]] {
        let asked = attempt.members
        let answers = await node.bodies.holdings(ids, of: asked, for: attempt.id, within: Self.memberMilliseconds)
        attempt.silent.formUnion(asked.filter { member in !answers.contains { $0.node == member } })
        return ids.indices.map { place in answers.filter { $0.holds[place] }.map(\.node) }
    }

    private func note(_ nodes: [NodeID], _ attempt: inout Attempt) throws(RestoreError) {
        attempt.holders.insert(nodes)
        guard attempt.holders.count <= StateReplacement.holderListCountMax else {
            throw .refused(
                MetadataError(.unavailable, "the bodies are on too many different sets of members; wait for repairs"))
        }
    }

    /// Sends the bodies that are missing, then the state. - Returns: the body that the state is.
    private func send(
        _ file: OpenedBackup, _ attempt: inout Attempt, on threads: NIOThreadPool
    ) async throws(RestoreError) -> StoredBody {
        enter(.sending, byteCount: attempt.missing.values.reduce(0, +) + file.stateByteCount)
        if !attempt.missing.isEmpty { try await sendBodies(of: file, &attempt, on: threads) }
        let body = try await sendState(of: file, &attempt, on: threads)
        // What was sent counts where nothing is deleted any more.
        for start in stride(from: 0, to: attempt.sent.count, by: BodyMessage.holdsCountMax) {
            let ids = Array(attempt.sent[start..<min(start + BodyMessage.holdsCountMax, attempt.sent.count)])
            for nodes in await holders(of: ids, &attempt) {
                guard attempt.isQuorum(nodes) else {
                    throw .refused(MetadataError(.unavailable, "too few of the members have taken what the snapshot needs"))
                }
                try note(nodes, &attempt)
            }
        }
        return body
    }

    /// Reads a file's sections on a thread.
    private final class Sections: Sendable {
        private let sections: Mutex<BackupSections>

        init(of file: OpenedBackup) { sections = Mutex(BackupSections(of: file)) }

        func next() throws(BackupError) -> BackupSections.Section? {
            try sections.withLock { sections throws(BackupError) in try sections.next() }
        }

        func read() throws(BackupError) -> [UInt8]? {
            try sections.withLock { sections throws(BackupError) in try sections.read() }
        }
    }

    private func sendBodies(
        of file: OpenedBackup, _ attempt: inout Attempt, on threads: NIOThreadPool
    ) async throws(RestoreError) {
        let sections = Sections(of: file)
        while let section = try await blocking(threads, { () throws(BackupError) in try sections.next() }) {
            let read = { [self] () async throws(RestoreError) -> [UInt8]? in
                try await blocking(threads) { () throws(BackupError) in try sections.read() }
            }
            guard case .body(let body) = section, attempt.missing[body.id] == body.length else {
                while try await read() != nil {}
                continue
            }
            attempt.sent.append(body.id)
            _ = try await send(copyOf: body.id, read)
        }
        guard attempt.sent.count == attempt.missing.count else {
            throw .file(.damaged(path: file.path, reason: "it lacks bodies that the state in it names"))
        }
    }

    private func sendState(
        of file: OpenedBackup, _ attempt: inout Attempt, on threads: NIOThreadPool
    ) async throws(RestoreError) -> StoredBody {
        var offset: UInt64 = 0
        let body = try await send(copyOf: nil) { [self] () async throws(RestoreError) in
            let (place, count) = (offset, Int(min(UInt64(Self.chunkByteCount), file.stateByteCount - offset)))
            guard count > 0 else { return nil }
            let bytes = try await blocking(threads) { () throws(BackupError) in try file.bytes(at: place, byteCount: count) }
            guard bytes.count == count else {
                throw .file(.cutShort(path: file.path, byteCount: place, expected: file.header.fileByteCount))
            }
            offset += UInt64(count)
            return bytes
        }
        attempt.sent.append(body.id)
        return body
    }

    /// - Parameter id: nil: a new body.
    private func send(
        copyOf id: BodyID?, _ read: () async throws(RestoreError) -> [UInt8]?
    ) async throws(RestoreError) -> StoredBody {
        let writer: ReplicatedObjectBodyWriter
        do throws(MetadataError) {
            writer = try await ReplicatedObjectBodyWriter(
                node.bodies, placements: placements, requirement: .majority, copyOf: id)
        } catch { throw .refused(error) }
        do throws(RestoreError) {
            while let bytes = try await read() {
                if Task.isCancelled { throw .stopped }
                do throws(MetadataError) { try await writer.write(ByteBuffer(bytes: bytes)) } catch { throw .refused(error) }
                did(bytes.count)
            }
            do throws(MetadataError) {
                let body = try await writer.finish()
                _ = placements.take(body.id)
                return body
            } catch { throw .refused(error) }
        } catch {
            await writer.abort()
            throw error
        }
    }

    /// What nothing names of what was sent is deleted, as soon as that is known everywhere.
    private func giveUp(_ attempt: Attempt) {
        guard !attempt.sent.isEmpty else { return }
        node.bodies.discardEverywhere(attempt.sent)
        node.bodies.ledger.discarded(attempt.sent)
    }

    private func blocking<Value: Sendable>(
        _ threads: NIOThreadPool, _ work: @escaping @Sendable () throws(BackupError) -> Value
    ) async throws(RestoreError) -> Value {
        do throws(BackupError) { return try await BackupError.blocking(on: threads, work) } catch {
            if case .stopped = error { throw .stopped }
            throw .file(error)
        }
    }
}
