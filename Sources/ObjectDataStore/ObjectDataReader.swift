import FileSystem
package import NIOCore
import Synchronization

/// Reads one body by range. Holds one file descriptor, released with the reader. May be used from several tasks.
package final class ObjectDataReader: Sendable {
    private let frame: BodyFrame
    private let file: any File
    private let store: ObjectDataStore
    /// What the last read verified beyond what it was asked for, so that a reader in sequence verifies each block once.
    private let remainder = Mutex<Remainder?>(nil)

    private struct Remainder {
        let offset: UInt64
        var bytes: ByteBuffer
    }

    /// The most that one read returns, so that a caller's `maxByteCount` bounds no more memory than this.
    package static let byteCountMax = 8 * BodyFormat.blockByteCount

    package var body: StoredBody { frame.body }
    /// The CRC32C of the blocks' checksums, as in the trailer.
    package var tableChecksum: UInt32 { frame.tableChecksum }

    /// - Parameter length: nil for what the file's trailer says. Blocks.
    init(_ id: BodyID, length: UInt64?, store: ObjectDataStore) throws(ObjectDataStoreError) {
        file = try store.openBody(id, .read)
        if let length {
            frame = try BodyFrame(of: StoredBody(id: id, length: length), in: file)
        } else {
            frame = try BodyFrame(of: id, in: file)
        }
        self.store = store
    }

    /// Up to `maxByteCount` bytes from `offset`, at least one unless `offset` is at or behind the end (then an empty buffer).
    /// Every block that they lie in has been verified.
    /// - Throws: `.damaged`, `.failed`, `.closed`.
    package func read(at offset: UInt64, maxByteCount: Int) async throws(ObjectDataStoreError) -> ByteBuffer {
        precondition(maxByteCount > 0)
        guard offset < body.length else { return ByteBuffer() }
        if let bytes = takeRemainder(at: offset, maxByteCount: maxByteCount) { return bytes }
        let count = Int(min(UInt64(min(maxByteCount, Self.byteCountMax)), body.length - offset))
        return try await store.perform { [self] () throws(ObjectDataStoreError) in
            var bytes = try readBlocks(covering: offset, byteCount: count)
            guard let wanted = bytes.readSlice(length: count) else { preconditionFailure("blocks cover the range") }
            if bytes.readableBytes > 0 {
                let rest = Remainder(offset: offset + UInt64(count), bytes: bytes)
                remainder.withLock { $0 = rest }
            }
            return wanted
        }
    }

    private func takeRemainder(at offset: UInt64, maxByteCount: Int) -> ByteBuffer? {
        remainder.withLock { remainder in
            guard var rest = remainder, rest.offset == offset else { return nil }
            let count = min(maxByteCount, rest.bytes.readableBytes)
            guard let bytes = rest.bytes.readSlice(length: count) else { return nil }
            remainder =
                rest.bytes.readableBytes > 0 ? Remainder(offset: offset + UInt64(count), bytes: rest.bytes) : nil
            return bytes
        }
    }

    /// Reads whole blocks straight into one buffer and verifies each there; what is readable begins at `offset` and ends with
    /// the last block.
    private func readBlocks(covering offset: UInt64, byteCount: Int) throws(ObjectDataStoreError) -> ByteBuffer {
        let blockByteCount = UInt64(BodyFormat.blockByteCount)
        let firstBlock = offset / blockByteCount
        let start = firstBlock * blockByteCount
        let lastBlock = (offset + UInt64(byteCount) - 1) / blockByteCount
        let count = Int(min((lastBlock + 1) * blockByteCount, body.length) - start)
        var bytes = ByteBufferAllocator().buffer(capacity: count)
        var outcome: Result<Void, ObjectDataStoreError> = .success(())
        bytes.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { memory in
            let memory = UnsafeMutableRawBufferPointer(rebasing: memory[..<count])
            do throws(ObjectDataStoreError) {
                try fill(memory, fromBlock: firstBlock)
            } catch {
                outcome = .failure(error)
            }
            return count
        }
        try outcome.get()
        bytes.moveReaderIndex(forwardBy: Int(offset - start))
        return bytes
    }

    private func fill(_ memory: UnsafeMutableRawBufferPointer, fromBlock first: UInt64) throws(ObjectDataStoreError) {
        let start = UInt64(BodyFormat.headerByteCount) + first * UInt64(BodyFormat.blockByteCount)
        let count: Int
        do throws(FileSystemError) {
            count = try file.read(into: memory, at: start)
        } catch {
            throw ObjectDataStoreError(error)
        }
        guard count == memory.count else { throw damaged(nil, "it was cut short while it was read") }
        var block = first
        for offset in stride(from: 0, to: memory.count, by: BodyFormat.blockByteCount) {
            let end = min(offset + BodyFormat.blockByteCount, memory.count)
            let content = UnsafeRawBufferPointer(rebasing: memory[offset..<end])
            if let fault = frame.blockFault(content, block) { throw damaged(block, fault) }
            block += 1
        }
    }

    private func damaged(_ block: UInt64?, _ reason: String) -> ObjectDataStoreError {
        .damaged(file: file.path, block: block, reason: reason)
    }
}
