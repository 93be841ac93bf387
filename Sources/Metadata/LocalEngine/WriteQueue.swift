import NIOCore

/// Writes that wait for their turn, with the callers who wait for them, as a value: no thread, no lock.
///
/// One drainer takes batches until the queue is empty. What arrives while a batch is at the disk goes into the next one, and
/// nothing waits for company: the first write to an idle queue starts the drainer.
package struct WriteQueue<Element> {
    /// The most that wait. Each waiting caller holds its request in memory anyway, so this bounds what a burst may cost
    /// before callers are told to come again.
    package static var countMax: Int { 16_384 }
    package static var byteCountMax: Int { 256 << 20 }
    /// One batch, so that its callers need not wait for a long one and the store's batch stays small.
    package static var batchCountMax: Int { 1_024 }
    package static var batchByteCountMax: Int { 8 << 20 }

    private enum Phase {
        case open
        /// Takes nothing more; what waits is still written.
        case closing
        /// The store failed, and why.
        case failed(MetadataError)
    }

    package enum Admission {
        case queued
        /// As the first of an idle queue: the caller starts the drainer.
        case queuedAsFirst
        case refused(MetadataError)
    }

    private var phase = Phase.open
    private var waiting: CircularBuffer<(element: Element, byteCount: Int)> = []
    private var byteCount = 0
    private var isDraining = false

    package init() {}

    package var count: Int { waiting.count }
    package var failure: MetadataError? {
        if case .failed(let error) = phase { error } else { nil }
    }

    package mutating func add(_ byteCount: Int, _ makeElement: () -> Element) -> Admission {
        switch phase {
        case .open: break
        case .closing: return .refused(MetadataError(.unavailable, "the engine is stopping"))
        case .failed(let error): return .refused(error)
        }
        guard waiting.count < Self.countMax, self.byteCount + byteCount <= Self.byteCountMax || waiting.isEmpty else {
            return .refused(MetadataError(.unavailable, "too many writes are waiting"))
        }
        waiting.append((makeElement(), byteCount))
        self.byteCount += byteCount
        if isDraining { return .queued }
        isDraining = true
        return .queuedAsFirst
    }

    /// The next writes in the order they came, at least one; empty: the drainer's work is done and it must stop.
    package mutating func takeBatch() -> [Element] {
        precondition(isDraining, "a batch was taken by somebody who is not the drainer")
        var batch: [Element] = []
        batch.reserveCapacity(min(waiting.count, Self.batchCountMax))
        var batchByteCount = 0
        while batch.count < Self.batchCountMax, let first = waiting.first {
            guard batch.isEmpty || batchByteCount + first.byteCount <= Self.batchByteCountMax else { break }
            batchByteCount += first.byteCount
            batch.append(waiting.removeFirst().element)
        }
        byteCount -= batchByteCount
        if batch.isEmpty { isDraining = false }
        return batch
    }

    /// Refuses further writes.
    package mutating func close() {
        if case .open = phase { phase = .closing }
    }

    /// Refuses further writes and gives up those that wait.
    /// - Returns: them, to be answered with the same error.
    package mutating func fail(_ error: MetadataError) -> [Element] {
        phase = .failed(error)
        defer {
            waiting.removeAll()
            byteCount = 0
        }
        return waiting.map(\.element)
    }
}
