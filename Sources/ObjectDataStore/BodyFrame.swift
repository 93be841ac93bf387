import FileSystem
import NIOCore

/// What surrounds a body's content in its file, read and verified: header, blocks' checksums, trailer.
struct BodyFrame: Sendable {
    let body: StoredBody
    let blockChecksums: [UInt32]
    let tableChecksum: UInt32

    /// Of a body whose length is known. Blocks.
    /// - Throws: `.damaged` without a block, `.failed`, `.tooManyOpenFiles`.
    init(of body: StoredBody, in file: any File) throws(ObjectDataStoreError) {
        func damaged(_ reason: String) -> ObjectDataStoreError { .damaged(file: file.path, block: nil, reason: reason) }

        guard body.length <= BodyFormat.lengthMax else { throw damaged("no body has \(body.length) bytes") }
        let header: [UInt8]
        let ending: [UInt8]
        let expected = BodyFormat.fileByteCount(length: body.length)
        let found: UInt64
        do throws(FileSystemError) {
            found = try file.byteCount()
            let contentEnd = UInt64(BodyFormat.headerByteCount) + body.length
            header = try file.readBytes(at: 0, byteCount: BodyFormat.headerByteCount)
            ending = found == expected ? try file.readBytes(at: contentEnd, byteCount: Int(expected - contentEnd)) : []
        } catch {
            throw ObjectDataStoreError(error)
        }
        if let fault = BodyFormat.headerFault(header, body.id) { throw damaged(fault) }
        guard found == expected else { throw damaged("it has \(found) bytes instead of \(expected)") }
        do throws(BodyFormat.EndingFault) {
            blockChecksums = try BodyFormat.blockChecksums(ending, body)
        } catch {
            throw damaged(error.reason)
        }
        tableChecksum = BodyFormat.tableChecksum(blockChecksums)
        self.body = body
    }

    /// Of a body whose length the trailer tells. Blocks. - Throws: as above.
    init(of id: BodyID, in file: any File) throws(ObjectDataStoreError) {
        let trailer: [UInt8]
        do throws(FileSystemError) {
            let end = try file.byteCount()
            let start = end - min(end, UInt64(BodyFormat.trailerByteCount))
            trailer = try file.readBytes(at: start, byteCount: BodyFormat.trailerByteCount)
        } catch {
            throw ObjectDataStoreError(error)
        }
        let length: UInt64
        do throws(BodyFormat.EndingFault) {
            length = try BodyFormat.length(trailer)
        } catch {
            throw .damaged(file: file.path, block: nil, reason: error.reason)
        }
        try self.init(of: StoredBody(id: id, length: length), in: file)
    }

    /// Why `content` is not that block; nil if it is.
    func blockFault(_ content: UnsafeRawBufferPointer, _ block: UInt64) -> String? {
        guard block < UInt64(blockChecksums.count) else { return "the body has \(blockChecksums.count) blocks" }
        let start = block * UInt64(BodyFormat.blockByteCount)
        let byteCount = min(UInt64(BodyFormat.blockByteCount), body.length - start)
        guard UInt64(content.count) == byteCount else { return "the block has \(byteCount) bytes and not \(content.count)" }
        guard BodyFormat.blockChecksum(content, id: body.id, block: block) == blockChecksums[Int(block)] else {
            return "the block's checksum is wrong"
        }
        return nil
    }
}
