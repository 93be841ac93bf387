internal import FileSystem
package import Raft
internal import Synchronization

/// Drives a `SegmentedLog` from a thread of its own: group commit.
///
/// Whatever was submitted while the last synchronization ran is written and synchronized together; on an idle log nothing waits. A second
/// thread makes segments ahead of use and deletes old ones, so that no commit waits for that.
///
/// Events come on the log's thread, in order, without a lock held. An error of the disk is final: there is one `failed`, and every later
/// call gets `LogError.failed`.
package final class LogWriter: Sendable {
    package enum Event: Sendable {
        /// All batches up to the one with this token are durable.
        case durable(token: UInt64)
        /// The disk is full and the log has used up its reserves: what is submitted waits until there is room, or no longer does.
        case waitsForSpace(Bool)
        /// The log is over. What was submitted and not reported durable may be durable or not.
        case failed(LogError)
    }

    /// One round of writing and synchronizing.
    package struct Round: Sendable {
        package var batchCount: Int
        /// As `LogBatch.byteCount` counts.
        package var byteCount: Int
        /// What it took until all was durable.
        package var duration: Duration
    }

    package struct Limits: Sendable {
        /// Batches that may wait to be written.
        package var queuedCountMax = 65_536
        /// Their bytes, as `LogBatch.byteCount` counts.
        package var queuedByteCountMax = 64 << 20
        /// What one write takes at most, unless a single batch is larger; bounds how long a synchronization lasts.
        package var writeByteCountMax = 8 << 20
        /// After this long without a batch the newest one is sealed: damage to it is then told from a torn write.
        package var sealAfterMilliseconds = 20
        /// How often a full disk is asked again.
        package var spaceRetryMilliseconds = 100

        package init() {}
    }

    private struct Item {
        var token: UInt64
        var batch: LogBatch
        var byteCount: Int
    }

    private struct Queue {
        var items: [Item] = []
        var byteCount = 0
        var isClosed = false
        /// The other thread has found that the log has failed.
        var isInterrupted = false
        var failure: LogError?
    }

    /// What the second thread is asked.
    private struct Maintenance {
        var isWanted = false
        var isClosed = false
    }

    private let log: Mutex<SegmentedLog>
    private let limits: Limits
    private let onEvent: @Sendable (Event) -> Void
    private let onRound: @Sendable (Round) -> Void
    private let queue = Monitor(Queue())
    private let maintenance = Monitor(Maintenance())
    /// Counts what the second thread has done, for a log thread that waits for space.
    private let reserveChanges = Monitor(0)
    private let threads = Mutex<[PlainThread]>([])

    /// - Parameters:
    ///   - log: opened; nobody else uses it from now on.
    ///   - onRound: is told of each round, on the log's thread, before its event.
    /// - Throws: `ThreadError` if the system has no thread left.
    package init(
        _ log: sending SegmentedLog, limits: Limits = Limits(), onRound: @escaping @Sendable (Round) -> Void = { _ in },
        onEvent: @escaping @Sendable (Event) -> Void
    ) throws(ThreadError) {
        self.log = Mutex(log)
        self.limits = limits
        self.onEvent = onEvent
        self.onRound = onRound
        // Owned by the threads until `close`, which is what ends them.
        let writing = try PlainThread { [self] in write() }
        let maintaining: PlainThread
        do {
            maintaining = try PlainThread { [self] in maintain() }
        } catch {
            queue.change { $0.isClosed = true }
            writing.join()
            throw error
        }
        threads.withLock { $0 = [writing, maintaining] }
    }

    // MARK: From any thread

    /// Queues a batch; `Event.durable` with this token or a later one says when it is durable. Does not block on the disk.
    ///
    /// - Parameter token: greater than the last one.
    /// - Throws: `.queueFull`, after which the batch may be submitted again later; `.closed`; `.failed` or what it failed with.
    package func submit(_ batch: LogBatch, token: UInt64) throws(LogError) {
        let item = Item(token: token, batch: batch, byteCount: batch.byteCount)
        try queue.change { queue throws(LogError) in
            if let failure = queue.failure { throw failure }
            guard !queue.isClosed else { throw .closed }
            // One batch is always taken, however large.
            guard
                queue.items.isEmpty
                    || (queue.items.count < limits.queuedCountMax
                        && queue.byteCount + item.byteCount <= limits.queuedByteCountMax)
            else { throw .queueFull }
            queue.items.append(item)
            queue.byteCount += item.byteCount
        }
    }

    /// As `SegmentedLog.entries`. Blocks on the disk for entries that are not cached, while the log goes on.
    package func entries(from first: LogIndex, through last: LogIndex, byteCountMax: Int) throws(LogError) -> [Entry] {
        let read = try log.withLock { log throws(LogError) in
            try log.plan(from: first, through: last, byteCountMax: byteCountMax)
        }
        do throws(LogError) {
            return try read.perform()
        } catch {
            // A segment that was given up meanwhile is reused, and then reads as damage.
            let base = log.withLock { $0.contents.baseIndex }
            if first <= base { throw .compacted(firstIndex: base.next) }
            throw error
        }
    }

    /// Keeps the entries behind an index, for a follower that needs them; nil keeps none in particular.
    package func setRetentionFloor(_ floor: LogIndex?) { log.withLock { $0.retentionFloor = floor } }

    /// Writes what was submitted, seals the log and ends the threads. Blocks; not to be called from an event.
    package func close() {
        queue.change { $0.isClosed = true }
        let ending = threads.withLock { threads in
            defer { threads = [] }
            return threads
        }
        ending.first?.join()
        maintenance.change { $0.isClosed = true }
        ending.last?.join()
    }

    // MARK: The log's thread

    private func write() {
        var isSealed = true
        var isRunning = true
        while isRunning {
            let (items, isClosed) = queue.wait(
                milliseconds: isSealed ? nil : limits.sealAfterMilliseconds,
                until: { !$0.items.isEmpty || $0.isClosed || $0.isInterrupted },
                then: { queue in (take(&queue), queue.isClosed) })
            do throws(LogError) {
                if items.isEmpty {
                    try log.withLock { log throws(LogError) in try log.seal() }
                    try commit()
                    isSealed = true
                    isRunning = !isClosed
                } else {
                    try write(items)
                    isSealed = false
                }
            } catch {
                fail(error)
                return
            }
        }
    }

    /// As many of the queue's items as one write may have.
    private func take(_ queue: inout Queue) -> [Item] {
        var count = 0
        var byteCount = 0
        while count < queue.items.count, count == 0 || byteCount + queue.items[count].byteCount <= limits.writeByteCountMax {
            byteCount += queue.items[count].byteCount
            count += 1
        }
        queue.byteCount -= byteCount
        if count == queue.items.count {
            defer { queue.items = [] }
            return queue.items
        }
        defer { queue.items.removeFirst(count) }
        return Array(queue.items[..<count])
    }

    /// Writes items, in several rounds if the segments in reserve do not suffice for one.
    private func write(_ items: [Item]) throws(LogError) {
        var rest = items[...]
        var isWaiting = false
        while !rest.isEmpty {
            let before = reserveChanges.change { $0 }
            let begin = ContinuousClock.now
            let count = try append(rest)
            if count > 0 {
                let token = rest[rest.startIndex + count - 1].token
                let byteCount = rest.prefix(count).reduce(0) { $0 + $1.byteCount }
                rest = rest.dropFirst(count)
                try commit()
                onRound(Round(batchCount: count, byteCount: byteCount, duration: ContinuousClock.now - begin))
                if isWaiting {
                    isWaiting = false
                    onEvent(.waitsForSpace(false))
                }
                onEvent(.durable(token: token))
            } else {
                if !isWaiting {
                    isWaiting = true
                    onEvent(.waitsForSpace(true))
                }
                guard !queue.change({ $0.isClosed }) else { throw .noSpace }
                wantMaintenance()
                reserveChanges.wait(milliseconds: limits.spaceRetryMilliseconds, until: { $0 != before }, then: { _ in })
            }
        }
    }

    /// Appends as many items as there is room for.
    private func append(_ items: ArraySlice<Item>) throws(LogError) -> Int {
        try log.withLock { log throws(LogError) in
            var count = 0
            for item in items {
                do throws(LogError) {
                    try log.append(item.batch)
                } catch {
                    guard case .noSpace = error else { throw error }
                    break
                }
                count += 1
            }
            return count
        }
    }

    /// Makes durable what was appended, and gives up what is not needed any more.
    private func commit() throws(LogError) {
        let write = try log.withLock { log throws(LogError) in try log.beginWrite() }
        if let write {
            let failure = write.failure
            try log.withLock { log throws(LogError) in try log.end(write, failure: failure) }
        }
        let synchronization = try log.withLock { log throws(LogError) in try log.beginSynchronization() }
        if let synchronization {
            let failure = synchronization.failure
            try log.withLock { log throws(LogError) in try log.end(synchronization, failure: failure) }
        }
        let isWanted = try log.withLock { log throws(LogError) in
            try log.release()
            return log.needsMaintenance
        }
        if isWanted { wantMaintenance() }
    }

    private func fail(_ error: LogError) {
        let final = log.withLock { $0.failure }
        queue.change { queue in
            queue.items = []
            queue.byteCount = 0
            queue.failure = final.map { .failed($0) } ?? error
        }
        onEvent(.failed(error))
    }

    // MARK: The files' thread

    private func wantMaintenance() { maintenance.change { $0.isWanted = true } }

    private func maintain() {
        wantMaintenance()
        var isFull = false
        while true {
            let isClosed = maintenance.wait(
                milliseconds: isFull ? limits.spaceRetryMilliseconds : nil, until: { $0.isWanted || $0.isClosed },
                then: { maintenance in
                    maintenance.isWanted = false
                    return maintenance.isClosed
                })
            guard !isClosed else { return }
            isFull = false
            while !isFull, let plan = log.withLock({ $0.nextReservePlan() }) {
                let outcome = plan.outcome
                do throws(LogError) {
                    isFull = try !log.withLock { log throws(LogError) in try log.end(plan, outcome) }
                } catch {
                    // The log has failed: its own thread says so.
                    queue.change { $0.isInterrupted = true }
                    return
                }
                reserveChanges.change { $0 += 1 }
            }
        }
    }
}

extension LogWrite {
    /// Performs it; what the disk said if it refused.
    fileprivate var failure: FileSystemError? {
        do throws(FileSystemError) {
            try perform()
            return nil
        } catch {
            return error
        }
    }
}

extension LogSynchronization {
    /// Performs it; what the disk said if it refused.
    fileprivate var failure: FileSystemError? {
        do throws(FileSystemError) {
            try perform()
            return nil
        } catch {
            return error
        }
    }
}

extension ReservePlan {
    /// Performs it.
    var outcome: Result<PreparedSegment?, FileSystemError> {
        do throws(FileSystemError) {
            return .success(try perform())
        } catch {
            return .failure(error)
        }
    }
}
