import Checksum
package import NIOCore

/// A frame: the length of its body, the CRC-32C of it, the body (docs/formats/peer-frames.md).
package enum PeerFrame {
    package static let headerByteCount = 8

    /// The body may be in two parts, so that a large one need not be copied behind what is put before it.
    package static func writeHeader(of body: ByteBuffer, _ rest: ByteBuffer?, into buffer: inout ByteBuffer) {
        let byteCount = body.readableBytes + (rest?.readableBytes ?? 0)
        buffer.writeInteger(UInt32(byteCount), endianness: .little)
        buffer.writeInteger(rest?.checksum(after: body.checksum) ?? body.checksum, endianness: .little)
    }
}

/// Takes frames off what arrives. A body that came in one read is a slice of that read; one that is spread over several is put together
/// in memory that grows with what arrives, whatever its length says.
package struct PeerFrameDecoder: Sendable {
    private let byteCountMax: Int
    /// The beginning of a frame whose end has not come.
    private var partial = ByteBuffer()

    /// Of the frame whose end has not come.
    package var heldByteCount: Int { partial.readableBytes }
    package var reservedByteCount: Int { partial.capacity }

    /// - Parameter byteCountMax: of a body.
    package init(byteCountMax: Int) {
        self.byteCountMax = byteCountMax
    }

    /// - Parameter input: what has arrived; what the frame takes is taken off it. All of it if there is no whole frame.
    /// - Returns: a body, or nil while there is more to come. Not to be called again once it has thrown.
    package mutating func next(from input: inout ByteBuffer) throws(PeerWireFault) -> ByteBuffer? {
        if partial.readableBytes > 0 { return try complete(from: &input) }
        if let (byteCount, checksum) = try header(of: input), input.readableBytes >= PeerFrame.headerByteCount + byteCount {
            input.moveReaderIndex(forwardBy: PeerFrame.headerByteCount)
            return try body(of: byteCount, checksum, from: &input)
        }
        // A copy, so that the buffer of the read can be used again.
        partial.writeBuffer(&input)
        return nil
    }

    private mutating func complete(from input: inout ByteBuffer) throws(PeerWireFault) -> ByteBuffer? {
        take(upTo: PeerFrame.headerByteCount, from: &input)
        guard let (byteCount, checksum) = try header(of: partial) else { return nil }
        take(upTo: PeerFrame.headerByteCount + byteCount, from: &input)
        guard partial.readableBytes == PeerFrame.headerByteCount + byteCount else { return nil }
        var frame = partial
        partial = ByteBuffer()
        frame.moveReaderIndex(forwardBy: PeerFrame.headerByteCount)
        return try body(of: byteCount, checksum, from: &frame)
    }

    private mutating func take(upTo byteCount: Int, from input: inout ByteBuffer) {
        let missing = min(byteCount - partial.readableBytes, input.readableBytes)
        guard missing > 0, var slice = input.readSlice(length: missing) else { return }
        partial.writeBuffer(&slice)
    }

    private func header(of buffer: ByteBuffer) throws(PeerWireFault) -> (byteCount: Int, checksum: UInt32)? {
        guard let byteCount = buffer.getInteger(at: buffer.readerIndex, endianness: .little, as: UInt32.self),
            let checksum = buffer.getInteger(at: buffer.readerIndex + 4, endianness: .little, as: UInt32.self)
        else { return nil }
        guard byteCount > 0 else { throw .emptyFrame }
        guard byteCount <= byteCountMax else { throw .frameTooLong(byteCount: byteCount, max: byteCountMax) }
        return (Int(byteCount), checksum)
    }

    private func body(
        of byteCount: Int, _ checksum: UInt32, from input: inout ByteBuffer
    ) throws(PeerWireFault) -> ByteBuffer? {
        guard let body = input.readSlice(length: byteCount) else { return nil }
        guard body.checksum == checksum else { throw .wrongChecksum }
        return body
    }
}

extension ByteBuffer {
    var checksum: UInt32 { checksum(after: 0) }

    /// Of all that came before it, and of its readable bytes.
    func checksum(after seed: UInt32) -> UInt32 {
        withUnsafeReadableBytes { CRC32C.checksum($0, seed: seed) }
    }
}
