import KeyValueStore
import Logging
package import Metadata
package import NIOCore
import NIOPosix
package import ObjectDataStore
import Raft
import Synchronization

/// Sees to it that this replica has the bodies that the state names, whole, and no others: fetches what it lacks, repairs what is
/// damaged, has abandoned what nothing will ever name.
///
/// One task acts upon the ledger; reads that meet a lack are served from a peer meanwhile.
package final class BodyKeeper: BodyFallback {
    let exchange: BodyExchange
    let ledger: BodyLedger
    let store: ObjectDataStore
    let publication: EnginePublication<RocksDBSnapshot>
    let lifetimes: BodyLifetimes
    let threads: NIOThreadPool
    let settings: BodyKeeperSettings
    let logger: Logger
    let counts = Mutex(BodyCounts())
    let scrubProgress = Mutex<BodyKeeperStatus.Scrub?>(nil)
    /// Is told what is lacking when that changes.
    private let onReport: @Sendable (BodyReport) -> Void
    private let reported = Mutex(BodyReport.unknown)
    /// Said once for each time that it is so.
    private let lacksSpace = Mutex(false)
    /// Puts an operation into the log. - Returns: whether it was applied.
    let abandon: @Sendable ([BodyID]) async -> Bool
    private let work = Mutex<(tasks: [Task<Void, Never>], timer: RepeatedTask)?>(nil)

    init(
        _ exchange: BodyExchange, _ ledger: BodyLedger, publication: EnginePublication<RocksDBSnapshot>,
        lifetimes: BodyLifetimes, threads: NIOThreadPool, settings: BodyKeeperSettings, logger: Logger,
        onReport: @escaping @Sendable (BodyReport) -> Void, abandon: @escaping @Sendable ([BodyID]) async -> Bool
    ) {
        self.exchange = exchange
        self.ledger = ledger
        store = exchange.store
        self.publication = publication
        self.lifetimes = lifetimes
        self.threads = threads
        self.settings = settings
        self.logger = logger
        self.onReport = onReport
        self.abandon = abandon
    }

    func start(on loop: any EventLoop) {
        let tasks = [Task { await keep() }, Task { await scrub() }]
        let timer = loop.scheduleRepeatedTask(
            initialDelay: .milliseconds(settings.tickMilliseconds), delay: .milliseconds(settings.tickMilliseconds)
        ) { [ledger] _ in ledger.wakeUp() }
        work.withLock { $0 = (tasks, timer) }
    }

    /// Returns when the task has ended.
    func close() async {
        let running = work.withLock { work in
            defer { work = nil }
            return work
        }
        ledger.close()
        guard let running else { return }
        running.timer.cancel()
        for task in running.tasks { task.cancel() }
        // Whoever waits for a peer does not wait any longer.
        await exchange.close()
        for task in running.tasks { await task.value }
    }

    package var status: BodyKeeperStatus {
        let (lackingCount, lackingByteCount, unnamedCount) = ledger.withState {
            ($0.lacks.count, $0.lackingByteCount, $0.unnamedCount)
        }
        return BodyKeeperStatus(
            lackingCount: lackingCount, lackingByteCount: lackingByteCount, unnamedCount: unnamedCount,
            counts: counts.withLock { $0 }, scrub: scrubProgress.withLock { $0 })
    }

    // MARK: The task

    private func keep() async {
        var lastPass: ClockReading?
        for await _ in ledger.wakeUps {
            if Task.isCancelled { return }
            // Where a pass is due, nothing is known until its end.
            report()
            await lookForNamed()
            await deleteDiscarded()
            await verifySuspects()
            let isDue = ledger.withState { $0.takePassDue() }
            let age = lastPass.map { BootClock.now.milliseconds(since: $0) }
            if isDue || age.map({ $0 >= settings.passMilliseconds }) ?? true {
                lastPass = BootClock.now
                await pass()
            }
            report()
            await fetchLacking()
            report()
        }
    }

    private func report() {
        let report = ledger.withState { $0.report }
        let isNews = reported.withLock { reported in
            defer { reported = report }
            return reported != report
        }
        if isNews { onReport(report) }
    }

    /// Whether the files of what was named are there.
    private func lookForNamed() async {
        let bodies = ledger.withState { $0.takeUnchecked() }
        guard !bodies.isEmpty, let present = try? await store.contains(bodies.map(\.id)) else { return }
        ledger.withState { state in
            for (body, isPresent) in zip(bodies, present) where !isPresent { state.lack(body) }
        }
    }

    /// Files that a read of a peer has found damaged.
    private func verifySuspects() async {
        for id in ledger.withState({ $0.takeSuspects() }) {
            guard let names = try? await named([id]), let length = names[0] else { continue }
            var pacer = Pacer(bytesPerSecond: nil)
            await verify(StoredBody(id: id, length: length), &pacer)
        }
    }

    // MARK: Names

    /// How long each body is that the newest view names, or needs for a replica that is behind; nil for one that it does not.
    ///
    /// - Throws: what the store throws; `CancellationError` when the node is stopping.
    func named(_ ids: [BodyID]) async throws -> [UInt64?] {
        try await reading { view in
            let files = try RestoreState(of: view.snapshot).unsettled.map(\.file)
            return try ids.map { id in
                let reference = try StoredRecords.read(
                    view.snapshot, KeySchema.body(id), in: KeySchema.bodies, BodyReference.decode)
                return reference?.length ?? files.first { $0.id == id }?.length
            }
        }
    }

    /// Reads the newest view where that may block.
    func reading<Value: Sendable>(
        _ read: @escaping @Sendable (EngineView<RocksDBSnapshot>) throws -> Value
    ) async throws -> Value {
        let publication = publication
        let result: Result<Value, any Error>? = await threads.runBlocking { Result { try read(try publication.view()) } }
        guard let result else { throw CancellationError() }
        return try result.get()
    }

    /// Deletes files that nothing names, nor will.
    private func deleteDiscarded() async {
        let ids = ledger.withState { $0.takeDiscarded() }
        guard !ids.isEmpty, let names = try? await named(ids) else { return }
        lifetimes.release(zip(ids, names).filter { $0.1 == nil }.map(\.0))
    }

    // MARK: Fetching

    /// While many bodies are fetched their number is told so often.
    private static let reportMilliseconds: UInt64 = 500

    private func fetchLacking() async {
        // A full disk is no failure of a body's: all of them are fetched as soon as there is room, however long that takes.
        var reportedAt = BootClock.now
        while !Task.isCancelled, await hasSpace(), let body = ledger.withState({ $0.nextFetch(at: BootClock.now) }) {
            // What a reader waits for and what came meanwhile goes first: so one at a time.
            let isFetched = await fetch(body)
            ledger.withState { state in
                if isFetched { state.fetched(body.id) } else { state.fetchFailed(body.id, at: BootClock.now) }
            }
            if BootClock.now.milliseconds(since: reportedAt) >= Self.reportMilliseconds {
                reportedAt = BootClock.now
                report()
            }
            await lookForNamed()
        }
    }

    private func hasSpace() async -> Bool {
        if ledger.withState({ $0.lacks.isEmpty }) { return true }
        do throws(MetadataError) {
            try await exchange.checkSpace()
            lacksSpace.withLock { $0 = false }
            return true
        } catch {
            let isNew = lacksSpace.withLock { lacksSpace in
                defer { lacksSpace = true }
                return !lacksSpace
            }
            if isNew {
                logger.warning(
                    "bodies are missing here and there is no room for them", metadata: ["error": "\(error)"])
            }
            return false
        }
    }

    private func fetch(_ body: StoredBody) async -> Bool {
        do {
            guard try await named([body.id])[0] != nil else { return true }
            try await exchange.checkSpace()
            let writer = try await store.makeWriter(for: body.id)
            do {
                try await fetch(body, into: writer)
            } catch {
                await writer.abort()
                throw error
            }
            counts.withLock { counts in
                counts.repairedBodies += 1
                counts.repairedBytes += body.length
            }
            // The last name may have gone while it came.
            if try await named([body.id])[0] == nil { lifetimes.release([body.id]) }
            return true
        } catch is CancellationError {
            return false
        } catch {
            let names = try? await named([body.id])
            let isGone = names.map { $0[0] == nil } ?? false
            if !isGone {
                logger.warning("a body cannot be fetched", metadata: ["body": "\(body.id)", "error": "\(error)"])
            }
            return isGone
        }
    }

    private func fetch(_ body: StoredBody, into writer: ObjectDataWriter) async throws {
        var pacer = Pacer(bytesPerSecond: settings.repairBytesPerSecond)
        var offset: UInt64 = 0
        var peer: NodeID?
        var tableChecksum: UInt32 = 0
        while offset < body.length {
            try Task.checkCancellation()
            let count = Int(min(UInt64(BodyMessage.readByteCountMax), body.length - offset))
            let (answer, from) = try await exchange.fetch(body.id, at: offset, byteCount: count, preferring: peer)
            guard answer.length == body.length, offset == 0 || answer.tableChecksum == tableChecksum else {
                throw BodyFailure.damaged
            }
            tableChecksum = answer.tableChecksum
            peer = from
            try await writer.write(answer.bytes)
            offset += UInt64(answer.bytes.readableBytes)
            try await pacer.spend(answer.bytes.readableBytes)
        }
        _ = try await writer.finish(expectingTableChecksum: tableChecksum)
    }

    // MARK: Reading what is not here

    package func read(
        _ body: StoredBody, at offset: UInt64, maxByteCount: Int, after error: ObjectDataStoreError
    ) async throws(MetadataError) -> ByteBuffer {
        let start = offset / UInt64(BodyFormat.blockByteCount) * UInt64(BodyFormat.blockByteCount)
        var count = Int(min(UInt64(BodyMessage.readByteCountMax), body.length - start))
        let damagedBlock: UInt64? = if case .damaged(_, let block, _) = error { block } else { nil }
        if let damagedBlock, damagedBlock >= start / UInt64(BodyFormat.blockByteCount) {
            // Not beyond it: what follows is read here, so that other damage is met, too.
            let end = (damagedBlock + 1) * UInt64(BodyFormat.blockByteCount)
            count = Int(min(UInt64(count), end - start))
        }
        if damagedBlock == nil {
            // Before the peers are asked: the whole body may have come when they answer.
            ledger.lack(body, isUrgent: true)
        } else {
            counts.withLock { $0.damagedBlocks += 1 }
        }
        let answer: BodyBytes
        do throws(BodyFailure) {
            answer = try await exchange.fetch(body.id, at: start, byteCount: count).bytes
            guard answer.length == body.length else { throw .damaged }
        } catch let failure {
            ledger.lack(body, isUrgent: false)
            // A reader's view may be older than the deletion on every other node.
            if case .missing = error, failure == .missing || failure == .unreachable {
                throw MetadataError(.unavailable, "no node has the body \(body.id) now")
            }
            throw MetadataError(error)
        }
        counts.withLock { $0.remoteReads += 1 }
        if let damagedBlock { await repair(body, block: damagedBlock, from: answer) }
        var bytes = answer.bytes
        bytes.moveReaderIndex(forwardBy: Int(offset - start))
        return bytes.readSlice(length: min(maxByteCount, bytes.readableBytes)) ?? ByteBuffer()
    }

    /// Writes a damaged block anew; where that does not help, the whole body is fetched.
    func repair(_ body: StoredBody, block: UInt64, from answer: BodyBytes) async {
        let first = answer.offset / UInt64(BodyFormat.blockByteCount)
        guard block >= first else { return }
        var bytes = answer.bytes
        let skipped = Int(block - first) * BodyFormat.blockByteCount
        // The reader goes on from the end of the answer, and meets the block again.
        guard skipped < bytes.readableBytes else { return }
        bytes.moveReaderIndex(forwardBy: skipped)
        guard let content = bytes.readSlice(length: min(BodyFormat.blockByteCount, bytes.readableBytes)) else { return }
        do throws(ObjectDataStoreError) {
            try await store.repairBlock(body, block: block, content: content)
            counts.withLock { $0.repairedBlocks += 1 }
            logger.notice("a damaged block was repaired", metadata: ["body": "\(body.id)", "block": "\(block)"])
        } catch {
            logger.warning(
                "a damaged block cannot be repaired: the body is fetched anew",
                metadata: ["body": "\(body.id)", "block": "\(block)", "error": "\(error)"])
            ledger.lack(body, isUrgent: true)
        }
    }

    // MARK: Verifying

    /// Reads all of a body and repairs what is damaged, or has the body fetched anew.
    func verify(_ body: StoredBody, _ pacer: inout Pacer) async {
        var offset: UInt64 = 0
        do throws(ObjectDataStoreError) {
            let reader = try await store.openReader(body)
            while offset < body.length {
                if Task.isCancelled { return }
                do throws(ObjectDataStoreError) {
                    let bytes = try await reader.read(at: offset, maxByteCount: BodyMessage.readByteCountMax)
                    offset += UInt64(bytes.readableBytes)
                    counts.withLock { $0.verifiedBytes += UInt64(bytes.readableBytes) }
                    try? await pacer.spend(bytes.readableBytes)
                } catch {
                    guard case .damaged(_, let block?, _) = error else { throw error }
                    counts.withLock { $0.damagedBlocks += 1 }
                    logger.warning("a block is damaged", metadata: ["body": "\(body.id)", "error": "\(error)"])
                    let start = block * UInt64(BodyFormat.blockByteCount)
                    let count = Int(min(UInt64(BodyFormat.blockByteCount), body.length - start))
                    guard let answer = try? await exchange.fetch(body.id, at: start, byteCount: count).bytes else {
                        ledger.lack(body, isUrgent: false)
                        return
                    }
                    await repair(body, block: block, from: answer)
                    // Each damaged block is met once: those before it are well, and it is, or the whole body comes anew.
                    offset = start + UInt64(count)
                }
            }
        } catch {
            switch error {
            case .missing, .damaged, .failed: ledger.lack(body, isUrgent: false)
            case .noSpace, .tooManyOpenFiles, .closed, .writerEnded: break
            }
        }
    }
}

/// What a keeper has done since its start.
package struct BodyCounts: Sendable {
    package var repairedBodies: UInt64 = 0
    package var repairedBytes: UInt64 = 0
    package var repairedBlocks: UInt64 = 0
    package var damagedBlocks: UInt64 = 0
    package var verifiedBytes: UInt64 = 0
    package var remoteReads: UInt64 = 0
    package var abandonedBodies: UInt64 = 0
}

/// What a replica has and lacks of the bodies.
package struct BodyKeeperStatus: Sendable {
    package struct Scrub: Sendable {
        package var verifiedByteCount: UInt64
        /// Of the round.
        package var totalByteCount: UInt64
    }

    package var lackingCount: Int
    package var lackingByteCount: UInt64
    /// Files that nothing named when the last pass looked.
    package var unnamedCount: Int
    package var counts: BodyCounts
    /// Nil before the first round.
    package var scrub: Scrub?
}

/// How a keeper behaves.
package struct BodyKeeperSettings: Sendable {
    package var tickMilliseconds: Int64 = 200
    /// Between two passes over all names and files.
    package var passMilliseconds: UInt64 = 900_000
    /// For so long a file that nothing names is kept: its upload may not be over.
    package var graceMilliseconds: UInt64 = 3_600_000
    /// Bytes fetched in a second, at most; nil: as many as come.
    package var repairBytesPerSecond: UInt64? = 64 << 20
    /// In which every block is verified once; nil: never.
    package var scrubPeriodMilliseconds: UInt64? = 604_800_000

    package init() {}
}

/// Keeps work at a rate.
struct Pacer {
    let bytesPerSecond: UInt64?
    private var spent: UInt64 = 0
    private let begin = BootClock.now

    init(bytesPerSecond: UInt64?) { self.bytesPerSecond = bytesPerSecond }

    /// Returns when so many more bytes are within the rate. - Throws: `CancellationError`.
    mutating func spend(_ byteCount: Int) async throws {
        guard let bytesPerSecond, bytesPerSecond > 0 else { return }
        spent += UInt64(byteCount)
        let due = spent.multipliedFullWidth(by: 1000)
        let dueMilliseconds = due.high >= bytesPerSecond ? .max : bytesPerSecond.dividingFullWidth(due).quotient
        let elapsed = BootClock.now.milliseconds(since: begin)
        if dueMilliseconds > elapsed { try await Task.sleep(for: .milliseconds(dueMilliseconds - elapsed)) }
    }
}
