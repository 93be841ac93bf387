package import Metadata
package import NIOCore
package import ObjectDataStore
import Raft
import Synchronization

/// Writes one large body to this node's object-data store and to its peers' at the same time, once.
///
/// Content is gathered into batches that all stores share. `write` returns when a quorum has room for more, `finish` when a quorum holds
/// the body durably.
package final class ReplicatedObjectBodyWriter: ObjectBodyWriter {
    private let exchange: BodyExchange
    private let placements: BodyPlacements
    private let local: ObjectDataWriter
    private let stream: BodyMessage.Stream
    /// It writes a body that may be there already: what there was stays when it is aborted.
    private let isCopy: Bool
    private let state: Mutex<State>

    fileprivate struct State {
        var filling = ByteBuffer()
        /// Bytes of content, those in `filling` included.
        var length: UInt64 = 0
        var blockChecksums: [UInt32] = []
        var uncheckedByteCount = 0
        var hasLocalFailed = false
        var hasEnded = false
    }

    /// After so many bytes it is asked again what space this node has left.
    private static let spaceCheckByteCount = 4 << 20

    /// - Parameter id: of a body that was written before, with the same content; nil: a new one.
    /// - Throws: `.noSpace`, `.unavailable`, `.ioError`.
    init(
        _ exchange: BodyExchange, placements: BodyPlacements, requirement: BodyUpload.Requirement, copyOf id: BodyID? = nil
    ) async throws(MetadataError) {
        try await exchange.checkSpace()
        isCopy = id != nil
        let local: ObjectDataWriter
        do throws(ObjectDataStoreError) {
            local = if let id { try await exchange.store.makeWriter(for: id) } else { try await exchange.store.makeWriter() }
        } catch { throw MetadataError(error) }
        do throws(MetadataError) {
            stream = try await exchange.begin(local.id, requirement)
        } catch {
            await local.abort()
            throw error
        }
        self.exchange = exchange
        self.placements = placements
        self.local = local
        state = Mutex(State())
    }

    /// - Throws: `.noSpace`, `.unavailable`: too few nodes can take the body. It is given up with `abort` then.
    package func write(_ bytes: ByteBuffer) async throws(MetadataError) {
        var bytes = bytes
        while bytes.readableBytes > 0 {
            let batch: ByteBuffer? = state.withLock { state in
                if state.filling.capacity == 0 {
                    state.filling = ByteBufferAllocator().buffer(capacity: ObjectDataWriter.batchByteCount)
                }
                let room = ObjectDataWriter.batchByteCount - state.filling.readableBytes
                guard var slice = bytes.readSlice(length: min(room, bytes.readableBytes)) else { return nil }
                state.length += UInt64(slice.readableBytes)
                state.filling.writeBuffer(&slice)
                return state.filling.readableBytes == ObjectDataWriter.batchByteCount ? state.takeBatch(of: local.id) : nil
            }
            if let batch { try await send(batch) }
        }
    }

    private func send(_ batch: ByteBuffer) async throws(MetadataError) {
        exchange.send(batch, on: stream)
        if !state.withLock({ $0.hasLocalFailed }) {
            do throws(MetadataError) {
                let isCheckDue = state.withLock { state in
                    state.uncheckedByteCount += batch.readableBytes
                    guard state.uncheckedByteCount >= Self.spaceCheckByteCount else { return false }
                    state.uncheckedByteCount = 0
                    return true
                }
                if isCheckDue { try await exchange.checkSpace() }
                do throws(ObjectDataStoreError) { try await local.write(batch) } catch { throw MetadataError(error) }
                exchange.acceptedHere(stream)
            } catch {
                await localFailed(error)
            }
        }
        try await exchange.waitForRoom(stream)
    }

    /// The others go on without this node's disk, if they are enough.
    private func localFailed(_ error: MetadataError) async {
        state.withLock { $0.hasLocalFailed = true }
        exchange.failedHere(stream, error.code == .noSpace ? .noSpace : .storage)
        await local.abort()
    }

    package func finish() async throws(MetadataError) -> StoredBody {
        let last: ByteBuffer? = state.withLock { state in
            state.filling.readableBytes > 0 ? state.takeBatch(of: local.id) : nil
        }
        if let last { try await send(last) }
        let (length, tableChecksum) = state.withLock { ($0.length, BodyFormat.tableChecksum($0.blockChecksums)) }
        exchange.finish(stream, tableChecksum: tableChecksum)
        if !state.withLock({ $0.hasLocalFailed }) {
            do throws(ObjectDataStoreError) {
                _ = try await local.finish(expectingTableChecksum: tableChecksum)
                exchange.durableHere(stream)
            } catch {
                await localFailed(MetadataError(error))
            }
        }
        let holders = try await exchange.waitForQuorum(stream)
        let body = StoredBody(id: local.id, length: length)
        if !isCopy { placements.put(holders.map(\.rawValue), of: body.id) }
        state.withLock { $0.hasEnded = true }
        return body
    }

    package func abort() async {
        let isFirst = state.withLock { state in
            defer { state.hasEnded = true }
            return !state.hasEnded
        }
        guard isFirst else { return }
        exchange.abort(stream, local.id)
        await local.abort()
        // It may have been durable here before too few others were.
        if !isCopy { await exchange.store.delete([local.id]) }
    }
}

extension ReplicatedObjectBodyWriter.State {
    fileprivate mutating func takeBatch(of id: BodyID) -> ByteBuffer {
        let batch = filling
        filling = ByteBuffer()
        blockChecksums += BodyBytes.blockChecksums(batch, id, offset: length - UInt64(batch.readableBytes))
        return batch
    }
}

/// Which nodes hold a body that was just written, from its end until it is named.
final class BodyPlacements: Sendable {
    private let holders = Mutex<[BodyID: [UInt64]]>([:])

    func put(_ nodes: [UInt64], of id: BodyID) { holders.withLock { $0[id] = nodes } }

    func take(_ id: BodyID) -> [UInt64] { holders.withLock { $0.removeValue(forKey: id) } ?? [] }
}
