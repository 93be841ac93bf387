import FileSystem
package import NIOCore

extension ObjectDataStore {
    /// Writes a block of a body again, in place and durably, from another copy of it. Readers that have the file open see it from then on;
    /// one that reads the block meanwhile may find it damaged once more.
    ///
    /// The file itself says what belongs there, so its frame must be whole; of a file whose frame is not, the body is written anew.
    /// - Throws: `.missing`; `.damaged` with the block if `content` is not this block of this body, without one if the file's frame
    ///   is damaged (nothing is written then); `.noSpace`, `.tooManyOpenFiles`, `.failed`, `.closed`.
    package func repairBlock(
        _ body: StoredBody, block: UInt64, content: ByteBuffer
    ) async throws(ObjectDataStoreError) {
        try await perform { [self] () throws(ObjectDataStoreError) in
            let file = try openBody(body.id, .update)
            let frame = try BodyFrame(of: body, in: file)
            var outcome: Result<Void, ObjectDataStoreError> = .success(())
            content.withUnsafeReadableBytes { bytes in
                do throws(ObjectDataStoreError) {
                    if let fault = frame.blockFault(bytes, block) {
                        throw .damaged(file: file.path, block: block, reason: "what was to replace it is wrong: \(fault)")
                    }
                    do throws(FileSystemError) {
                        try file.write(
                            bytes, at: UInt64(BodyFormat.headerByteCount) + block * UInt64(BodyFormat.blockByteCount))
                    } catch {
                        throw ObjectDataStoreError(error)
                    }
                } catch {
                    outcome = .failure(error)
                }
            }
            try outcome.get()
            do throws(FileSystemError) {
                try file.synchronize()
            } catch {
                throw ObjectDataStoreError(error)
            }
        }
    }
}
