import FileSystem
package import NIOCore
import Synchronization

/// Writes one body: any number of `write`, then `finish` or `abort`. Used by one task at a time.
///
/// Content is gathered into batches, and a batch is checksummed and written on the store's pool while the next one fills, one
/// after the other. What comes as whole batches is taken as it is. A writer that is released without `finish` removes its temporary file.
package final class ObjectDataWriter: Sendable {
    /// Content of one write to the file; a multiple of the block. Large enough that hopping to the pool costs little.
    package static let batchByteCount = 2 * BodyFormat.blockByteCount
    /// Batches handed over and not yet written: one at the disk, one to follow. With the one that fills, what an upload holds
    /// in memory.
    static let outstandingBatchesMax = 2
    /// The disk is asked to begin writing after so much, so that `finish` waits for no more than that, and what else is written
    /// meanwhile (the log) for hardly more.
    static let writebackByteCount: UInt64 = 1 << 20

    package let id: BodyID
    /// The file until it is published: this writer's alone, also if another one writes the same body.
    private let path: String
    private let store: ObjectDataStore
    private let file: any File
    private let state = Mutex(State())

    private struct State {
        enum Phase { case writing, finishing, finished, ended }

        struct Batch {
            let offset: UInt64
            var bytes: ByteBuffer
            /// Whether the buffer was the caller's: those are not filled again, because they may be parts of larger ones.
            var isGiven = false
        }

        var phase = Phase.writing
        var filling = ByteBuffer()
        /// Content bytes taken, those in `filling` included.
        var length: UInt64 = 0
        var queue: [Batch] = []
        /// A batch is at the disk. Only then does anything but the writer's task touch the file.
        var isBusy = false
        /// A buffer already written, to be filled again.
        var spare: ByteBuffer?
        var blockChecksums: [UInt32] = []
        /// Set by `finish`.
        var tableChecksum: UInt32?
        var failure: ObjectDataStoreError?
        /// The writer's task, when it waits for the disk to take or to have taken batches.
        var waiter: CheckedContinuation<Void, Never>?

        var outstandingBatchCount: Int { queue.count + (isBusy ? 1 : 0) }
    }

    /// Creates the temporary file. Blocks.
    init(_ name: TemporaryName, store: ObjectDataStore) throws(ObjectDataStoreError) {
        id = name.body
        path = store.layout.temporary(name)
        self.store = store
        do throws(FileSystemError) {
            file = try store.fileSystem.open(path, .createNew)
        } catch {
            throw ObjectDataStoreError(error)
        }
        do throws(FileSystemError) {
            try file.write(BodyFormat.header(id))
        } catch {
            state.withLock { $0.phase = .ended }
            store.removeLogged(path)
            throw ObjectDataStoreError(error)
        }
    }

    deinit {
        let phase = state.withLock { $0.phase }
        guard phase == .writing || phase == .finishing else { return }
        let (store, path) = (store, path)
        // If the pool has stopped, the next start's sweep finds the file.
        store.submit { isActive in
            if isActive { store.removeLogged(path) }
        }
    }

    /// Takes all of `bytes`; returns when there is room for more. They are not durable yet.
    /// - Throws: `.noSpace`, `.failed` (of an earlier batch, too; the temporary file is gone then), `.closed`, `.writerEnded`.
    package func write(_ bytes: ByteBuffer) async throws(ObjectDataStoreError) {
        var bytes = bytes
        while bytes.readableBytes > 0 {
            let (hasBatch, failure) = state.withLock { state in
                (Self.fill(&state, from: &bytes), Self.failure(of: state))
            }
            if let failure { throw await giveUp(failure) }
            if hasBatch { startNextBatch() }
            await wait { $0.outstandingBatchCount < Self.outstandingBatchesMax }
        }
    }

    /// The CRC32C of the blocks' checksums, as in the file's trailer. Only after `finish` has returned.
    package var tableChecksum: UInt32 {
        guard let checksum = state.withLock({ $0.tableChecksum }) else {
            preconditionFailure("a body has its checksum when it is finished")
        }
        return checksum
    }

    /// Makes the body durable under its own name. A file that has this name already is replaced as a whole: whatever happens, it is the
    /// old one or the new one.
    /// - Throws: as `write`. Nothing of the body is left then, or what there was before.
    package func finish() async throws(ObjectDataStoreError) -> StoredBody {
        try await finish(expecting: nil)
    }

    /// As `finish`, if the body turned out to be the one that was announced.
    /// - Throws: as `finish`, and `.damaged` if its `tableChecksum` is another.
    package func finish(expectingTableChecksum expected: UInt32) async throws(ObjectDataStoreError) -> StoredBody {
        try await finish(expecting: expected)
    }

    private func finish(expecting expected: UInt32?) async throws(ObjectDataStoreError) -> StoredBody {
        let failure = state.withLock { state in
            let failure = Self.failure(of: state)
            if failure == nil {
                state.phase = .finishing
                if state.filling.readableBytes > 0 { Self.enqueueFilling(&state) }
            }
            return failure
        }
        if let failure { throw await giveUp(failure) }
        startNextBatch()
        await wait { $0.outstandingBatchCount == 0 }
        let (length, checksums, late) = state.withLock { ($0.length, $0.blockChecksums, $0.failure) }
        if let late { throw await giveUp(late) }
        let body = StoredBody(id: id, length: length)
        let tableChecksum = BodyFormat.tableChecksum(checksums)
        if let expected, expected != tableChecksum {
            throw await giveUp(.damaged(file: path, block: nil, reason: "the content is not the one that was announced"))
        }
        do throws(ObjectDataStoreError) {
            try await store.perform { [self] () throws(ObjectDataStoreError) in try publish(body, checksums) }
        } catch {
            throw await giveUp(error)
        }
        state.withLock { state in
            state.phase = .finished
            state.tableChecksum = tableChecksum
        }
        return body
    }

    /// Removes what was written. Does nothing after `finish` or `abort` or a failure.
    package func abort() async {
        _ = await giveUp(.writerEnded)
    }

    // MARK: Batches

    /// Moves bytes into the filling batch; true if that made it full and queued it. Exactly a batch is not moved but queued.
    private static func fill(_ state: inout State, from bytes: inout ByteBuffer) -> Bool {
        guard failure(of: state) == nil else { return false }
        if bytes.readableBytes == batchByteCount, state.filling.readableBytes == 0 {
            state.queue.append(State.Batch(offset: state.length, bytes: bytes, isGiven: true))
            state.length += UInt64(batchByteCount)
            bytes = ByteBuffer()
            return true
        }
        if state.filling.capacity == 0 {
            state.filling = state.spare.take() ?? ByteBufferAllocator().buffer(capacity: batchByteCount)
            state.filling.clear()
        }
        let room = batchByteCount - state.filling.readableBytes
        guard var slice = bytes.readSlice(length: min(room, bytes.readableBytes)) else { return false }
        state.length += UInt64(slice.readableBytes)
        state.filling.writeBuffer(&slice)
        guard state.filling.readableBytes == batchByteCount else { return false }
        enqueueFilling(&state)
        return true
    }

    private static func enqueueFilling(_ state: inout State) {
        let bytes = state.filling
        state.filling = ByteBuffer()
        state.queue.append(State.Batch(offset: state.length - UInt64(bytes.readableBytes), bytes: bytes))
    }

    private static func failure(of state: State) -> ObjectDataStoreError? {
        switch state.phase {
        case .writing: state.failure
        case .finishing, .finished, .ended: state.failure ?? .writerEnded
        }
    }

    /// Hands the next batch to the pool, unless one is at the disk: then its end does.
    private func startNextBatch() {
        let batch: State.Batch? = state.withLock { state in
            guard !state.isBusy, !state.queue.isEmpty else { return nil }
            state.isBusy = true
            return state.queue.removeFirst()
        }
        guard let batch else { return }
        store.submit { [self] isActive in
            var outcome: Result<[UInt32], ObjectDataStoreError> = .failure(.closed)
            if isActive {
                do throws(FileSystemError) {
                    outcome = .success(try writeBatch(batch))
                } catch {
                    outcome = .failure(ObjectDataStoreError(error))
                }
            }
            batchEnded(outcome, batch)
        }
    }

    /// Returns its blocks' checksums. Blocks.
    private func writeBatch(_ batch: State.Batch) throws(FileSystemError) -> [UInt32] {
        var outcome: Result<[UInt32], FileSystemError> = .success([])
        batch.bytes.withUnsafeReadableBytes { content in
            var checksums: [UInt32] = []
            for start in stride(from: 0, to: content.count, by: BodyFormat.blockByteCount) {
                let end = min(start + BodyFormat.blockByteCount, content.count)
                let block = (batch.offset + UInt64(start)) / UInt64(BodyFormat.blockByteCount)
                let bytes = UnsafeRawBufferPointer(rebasing: content[start..<end])
                checksums.append(BodyFormat.blockChecksum(bytes, id: id, block: block))
            }
            do throws(FileSystemError) {
                try file.write(content, at: UInt64(BodyFormat.headerByteCount) + batch.offset)
                outcome = .success(checksums)
            } catch {
                outcome = .failure(error)
            }
        }
        let checksums = try outcome.get()
        let end = batch.offset + UInt64(batch.bytes.readableBytes)
        if end % Self.writebackByteCount == 0 {
            file.startWriteback(from: end - Self.writebackByteCount, byteCount: Self.writebackByteCount)
        }
        return checksums
    }

    private func batchEnded(_ outcome: Result<[UInt32], ObjectDataStoreError>, _ batch: State.Batch) {
        let waiter = state.withLock { state in
            state.isBusy = false
            if !batch.isGiven { state.spare = batch.bytes }
            switch outcome {
            case .success(let checksums):
                state.blockChecksums.append(contentsOf: checksums)
            case .failure(let error):
                state.failure = error
                state.queue = []
            }
            defer { state.waiter = nil }
            return state.waiter
        }
        startNextBatch()
        waiter?.resume()
    }

    // MARK: The writer's task

    /// Waits until batches have ended so far that the condition holds.
    private func wait(until condition: @Sendable (borrowing State) -> Bool) async {
        var isMet = false
        while !isMet {
            await withCheckedContinuation { continuation in
                isMet = state.withLock { state in
                    precondition(state.waiter == nil, "a writer is used by one task at a time")
                    let isMet = condition(state)
                    if !isMet { state.waiter = continuation }
                    return isMet
                }
                if isMet { continuation.resume() }
            }
        }
    }

    /// Ends the writer and removes its file, once. Returns why, for the caller to throw.
    private func giveUp(_ error: ObjectDataStoreError) async -> ObjectDataStoreError {
        let isFirst = state.withLock { state in
            guard state.phase == .writing || state.phase == .finishing else { return false }
            state.phase = .ended
            state.queue = []
            state.filling = ByteBuffer()
            return true
        }
        guard isFirst else { return error }
        await wait { $0.outstandingBatchCount == 0 }
        _ = await store.attempt { [self] () throws(ObjectDataStoreError) in
            store.removeLogged(path)
        }
        return error
    }

    /// The last bytes, the disk's promise, the name. Blocks.
    private func publish(_ body: StoredBody, _ blockChecksums: [UInt32]) throws(ObjectDataStoreError) {
        // Written once per block and once per body: two counts of the same thing.
        precondition(UInt64(blockChecksums.count) == BodyFormat.blockCount(length: body.length))
        do throws(FileSystemError) {
            let contentEnd = UInt64(BodyFormat.headerByteCount) + body.length
            try file.write(BodyFormat.ending(body, blockChecksums: blockChecksums), at: contentEnd)
            try file.synchronize()
            try store.publish(path, as: id)
        } catch {
            throw ObjectDataStoreError(error)
        }
    }
}
