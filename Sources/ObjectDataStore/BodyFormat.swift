import Checksum

/// The layout of a body's file, version 1. Drawn and argued in docs/formats/body.md, which a test compares with this.
///
///     header (4,096) │ content, cut into blocks of 131,072 │ a CRC32C for each block │ trailer (44)
package enum BodyFormat {
    package static let version: UInt32 = 1
    package static let headerMagic = Array("RFSMBODY".utf8)
    package static let trailerMagic = Array("RFSMBEND".utf8)
    /// One page, so that blocks begin at page borders.
    package static let headerByteCount = 4_096
    /// What Linux reads ahead by default: a smaller block would not spare the disk anything.
    package static let blockByteCount = 131_072
    package static let blockChecksumByteCount = 4
    package static let trailerByteCount = 44

    package static func blockCount(length: UInt64) -> UInt64 {
        length / UInt64(blockByteCount) + (length % UInt64(blockByteCount) == 0 ? 0 : 1)
    }

    package static func fileByteCount(length: UInt64) -> UInt64 {
        UInt64(headerByteCount) + length + blockCount(length: length) * UInt64(blockChecksumByteCount)
            + UInt64(trailerByteCount)
    }

    /// Bound to the body and the block's number, so that a block that lies in the wrong place does not verify.
    package static func blockChecksum(_ content: UnsafeRawBufferPointer, id: BodyID, block: UInt64) -> UInt32 {
        let place = (id.origin.littleEndian, id.sequence.littleEndian, block.littleEndian)
        let seed = Swift.withUnsafeBytes(of: place) { CRC32C.checksum($0) }
        return CRC32C.checksum(content, seed: seed)
    }

    /// The checksums of blocks that follow one another.
    ///
    /// - Parameter content: begins with a block; all of its blocks are whole, but for the last of a body.
    package static func blockChecksums(_ content: [UInt8], id: BodyID, firstBlock: UInt64) -> [UInt32] {
        content.withUnsafeBytes { bytes in
            stride(from: 0, to: bytes.count, by: blockByteCount).enumerated().map { number, start in
                let block = UnsafeRawBufferPointer(rebasing: bytes[start..<min(start + blockByteCount, bytes.count)])
                return blockChecksum(block, id: id, block: firstBlock + UInt64(number))
            }
        }
    }

    /// No body is longer, so that sizes cannot overflow whatever a damaged record says.
    package static let lengthMax: UInt64 = 1 << 50

    static func header(_ id: BodyID) -> [UInt8] {
        var bytes = headerMagic
        bytes.append(littleEndian: version)
        bytes.append(littleEndian: UInt32(blockByteCount))
        bytes.append(littleEndian: id.origin)
        bytes.append(littleEndian: id.sequence)
        bytes.append(contentsOf: repeatElement(0, count: headerByteCount - 4 - bytes.count))
        bytes.append(littleEndian: checksum(bytes[...]))
        return bytes
    }

    /// The checksum of the blocks' checksums: one number for the whole content, bound to the body's id.
    package static func tableChecksum(_ blockChecksums: [UInt32]) -> UInt32 {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(blockChecksums.count * blockChecksumByteCount)
        for checksum in blockChecksums { bytes.append(littleEndian: checksum) }
        return checksum(bytes[...])
    }

    /// What follows the content: the blocks' checksums, and the trailer.
    static func ending(_ body: StoredBody, blockChecksums: [UInt32]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(blockChecksums.count * blockChecksumByteCount + trailerByteCount)
        for checksum in blockChecksums { bytes.append(littleEndian: checksum) }
        // The same as `tableChecksum` of them, without another copy.
        let tableChecksum = checksum(bytes[...])
        let trailerStart = bytes.count
        bytes.append(contentsOf: trailerMagic)
        bytes.append(littleEndian: body.id.origin)
        bytes.append(littleEndian: body.id.sequence)
        bytes.append(littleEndian: body.length)
        bytes.append(littleEndian: UInt32(blockChecksums.count))
        bytes.append(littleEndian: tableChecksum)
        bytes.append(littleEndian: checksum(bytes[trailerStart...]))
        return bytes
    }

    /// Why a file's beginning is not this body's header; nil if it is.
    static func headerFault(_ bytes: [UInt8], _ id: BodyID) -> String? {
        guard bytes.count == headerByteCount else { return "the header is cut short" }
        guard bytes.prefix(8).elementsEqual(headerMagic) else { return "it does not begin as a body does" }
        guard checksum(bytes.dropLast(4)) == bytes.uint32(at: headerByteCount - 4) else {
            return "the header's checksum is wrong"
        }
        let found = bytes.uint32(at: 8)
        guard found == version else { return "its format version is \(found), this program knows \(version)" }
        guard bytes == header(id) else { return "it is another body's file" }
        return nil
    }

    /// The length that a file's last bytes say its content has, or why they are no trailer. Whose trailer, and whether the length is
    /// the file's, is for `blockChecksums` to say.
    static func length(_ trailer: [UInt8]) throws(EndingFault) -> UInt64 {
        guard trailer.count == trailerByteCount else { throw EndingFault(reason: "it is cut short") }
        guard trailer.starts(with: trailerMagic) else { throw EndingFault(reason: "it does not end as a body does") }
        guard checksum(trailer.dropLast(4)) == trailer.uint32(at: trailerByteCount - 4) else {
            throw EndingFault(reason: "the trailer's checksum is wrong")
        }
        return trailer.uint64(at: 24)
    }

    /// The blocks' checksums, or why a file's ending is not this body's.
    static func blockChecksums(_ ending: [UInt8], _ body: StoredBody) throws(EndingFault) -> [UInt32] {
        let tableByteCount = Int(blockCount(length: body.length)) * blockChecksumByteCount
        guard ending.count == tableByteCount + trailerByteCount else { throw EndingFault(reason: "it is cut short") }
        let (table, trailer) = (ending[..<tableByteCount], ending[tableByteCount...])
        guard trailer.prefix(8).elementsEqual(trailerMagic) else {
            throw EndingFault(reason: "it does not end as a body of \(body.length) bytes does")
        }
        guard checksum(trailer.dropLast(4)) == ending.uint32(at: ending.count - 4) else {
            throw EndingFault(reason: "the trailer's checksum is wrong")
        }
        guard checksum(table) == ending.uint32(at: tableByteCount + 36) else {
            throw EndingFault(reason: "the checksum of its blocks' checksums is wrong")
        }
        let checksums = (0..<tableByteCount / blockChecksumByteCount).map { ending.uint32(at: $0 * blockChecksumByteCount) }
        guard ending == Self.ending(body, blockChecksums: checksums) else {
            throw EndingFault(reason: "its trailer names another body or length")
        }
        return checksums
    }

    struct EndingFault: Error {
        let reason: String
    }

    static func checksum(_ bytes: ArraySlice<UInt8>) -> UInt32 {
        bytes.withUnsafeBytes { CRC32C.checksum($0) }
    }
}

extension [UInt8] {
    mutating func append(littleEndian value: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
    }

    func uint32(at offset: Int) -> UInt32 {
        withUnsafeBytes { UInt32(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: UInt32.self)) }
    }

    func uint64(at offset: Int) -> UInt64 {
        withUnsafeBytes { UInt64(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: UInt64.self)) }
    }
}
