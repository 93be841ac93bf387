import NIOCore
import PeerTransport

/// What comes on a connection between peers: a handshake, then frames. The first byte chooses how the bytes are cut and which of three
/// things the rest is.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzPeerFrames(_ data: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let input = UnsafeBufferPointer(start: data, count: count)
    guard let choice = input.first else { return 0 }
    let rest = ByteBuffer(bytes: input.dropFirst())
    let pieceByteCount = Int(choice >> 2) + 1
    switch choice & 3 {
    case 0: connection(rest, pieceByteCount: pieceByteCount)
    case 1: handshake(rest)
    default: frames(rest, pieceByteCount: pieceByteCount, isDamaged: choice & 1 == 1)
    }
    return 0
}

/// As it is.
private func connection(_ bytes: ByteBuffer, pieceByteCount: Int) {
    var bytes = bytes
    var reader = PeerHandshakeReader()
    var decoder: PeerFrameDecoder?
    do throws(PeerWireFault) {
        while bytes.readableBytes > 0, var piece = bytes.readSlice(length: min(pieceByteCount, bytes.readableBytes)) {
            if decoder == nil, try reader.next(from: &piece) != nil { decoder = PeerFrameDecoder(byteCountMax: 512) }
            while try decoder?.next(from: &piece) != nil {}
            precondition(piece.readableBytes == 0, "all that has come is taken")
        }
    } catch {}
}

/// With the magic, a length and the checksum that are right: what is fuzzed is what comes behind them.
private func handshake(_ fields: ByteBuffer) {
    var bytes = ByteBuffer(bytes: PeerHandshake.magic)
    let byteCount = max(fields.readableBytes, PeerHandshake.restByteCount - 4)
    bytes.writeInteger(UInt16(byteCount + 4), endianness: .little)
    bytes.writeImmutableBuffer(fields)
    bytes.writeRepeatingByte(0, count: byteCount - fields.readableBytes)
    bytes.writeInteger(PeerHandshake.checksum(of: bytes), endianness: .little)
    var reader = PeerHandshakeReader()
    guard let handshake = try? reader.next(from: &bytes) else { return }
    var again = PeerHandshakeReader()
    var encoded = handshake.encoded()
    precondition((try? again.next(from: &encoded)) == handshake, "what decodes stays the same")
}

/// Valid frames, of which one byte may be damaged: what comes before it is decoded, nothing else.
private func frames(_ bytes: ByteBuffer, pieceByteCount: Int, isDamaged: Bool) {
    var bytes = bytes
    let place = isDamaged ? bytes.readInteger(endianness: .little, as: UInt16.self) : nil
    var (bodies, stream) = ([ByteBuffer](), ByteBuffer())
    while let length = bytes.readInteger(as: UInt8.self),
        let body = bytes.readSlice(length: min(Int(length), bytes.readableBytes)),
        body.readableBytes > 0
    {
        PeerFrame.writeHeader(of: body, nil, into: &stream)
        stream.writeImmutableBuffer(body)
        bodies.append(body)
    }
    let damaged = place.flatMap { stream.readableBytes == 0 ? nil : Int($0) % stream.readableBytes }
    if let damaged, let byte = stream.getInteger(at: damaged, as: UInt8.self) { stream.setInteger(~byte, at: damaged) }
    var decoder = PeerFrameDecoder(byteCountMax: 512)
    var decoded: [ByteBuffer] = []
    do throws(PeerWireFault) {
        while stream.readableBytes > 0, var piece = stream.readSlice(length: min(pieceByteCount, stream.readableBytes)) {
            while let body = try decoder.next(from: &piece) { decoded.append(body) }
        }
    } catch {
        precondition(damaged != nil, "what is right is decoded")
    }
    precondition(damaged == nil ? decoded == bodies : decoded.count < bodies.count && bodies.starts(with: decoded))
}
