import NIOCore
import PeerTransport
import Testing

@Suite("Frames")
struct FrameTests {
    static func frame(_ body: ByteBuffer, _ rest: ByteBuffer? = nil) -> ByteBuffer {
        var frame = ByteBuffer()
        PeerFrame.writeHeader(of: body, rest, into: &frame)
        frame.writeImmutableBuffer(body)
        if let rest { frame.writeImmutableBuffer(rest) }
        return frame
    }

    @Test("The bytes are those of the format's document")
    func bytes() {
        let frame = Self.frame(ByteBuffer(string: "123456789"))
        // The check value of CRC-32C.
        #expect(Array(frame.readableBytesView) == [9, 0, 0, 0, 0x83, 0x92, 0x06, 0xE3] + Array("123456789".utf8))
        #expect(Self.frame(ByteBuffer(string: "1234"), ByteBuffer(string: "56789")) == frame)
    }

    @Test(
        "Frames come out whole and in order however the bytes are cut", arguments: [1, 2, 3, 7, 8, 9, 16, 100, 1000, 100_000])
    func cuts(pieceByteCount: Int) throws {
        let bodies = [1, 2, 7, 8, 9, 100, 5000, 1, 70_000, 3].map { ByteBuffer(repeating: UInt8($0 & 255), count: $0) }
        var stream = ByteBuffer()
        for body in bodies { stream.writeImmutableBuffer(Self.frame(body)) }
        var decoder = PeerFrameDecoder(byteCountMax: 70_000)
        var decoded: [ByteBuffer] = []
        while var piece = stream.readSlice(length: min(pieceByteCount, stream.readableBytes)), piece.readableBytes > 0 {
            while let body = try decoder.next(from: &piece) { decoded.append(body) }
            #expect(piece.readableBytes == 0)
        }
        #expect(decoded == bodies)
    }

    @Test("A body that came in one read is a slice of that read")
    func slices() throws {
        let body = ByteBuffer(repeating: 1, count: 1000)
        var input = Self.frame(body)
        input.writeImmutableBuffer(Self.frame(body))
        let end = input.writerIndex
        var decoder = PeerFrameDecoder(byteCountMax: 1000)
        let base = input.withVeryUnsafeBytes { $0.baseAddress }
        for _ in 0..<2 {
            let slice = try #require(try decoder.next(from: &input))
            let start = slice.withUnsafeReadableBytes { $0.baseAddress }
            #expect(try #require(start) >= #require(base) && #require(start) < #require(base) + end)
        }
    }

    @Test(
        "What is no frame is a fault, and says which",
        arguments: [
            ([0, 0, 0, 0, 0, 0, 0, 0], PeerWireFault.emptyFrame),
            ([0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0], .frameTooLong(byteCount: .max, max: 16)),
            ([17, 0, 0, 0, 0, 0, 0, 0], .frameTooLong(byteCount: 17, max: 16)),
            ([1, 0, 0, 0, 0, 0, 0, 0, 65], .wrongChecksum),
            (Array("GET / HTTP/1.1\r\n\r\n".utf8), .frameTooLong(byteCount: 0x2054_4547, max: 16)),
        ] as [([UInt8], PeerWireFault)])
    func faults(bytes: [UInt8], fault: PeerWireFault) {
        for pieceByteCount in [1, bytes.count] {
            var decoder = PeerFrameDecoder(byteCountMax: 16)
            var stream = ByteBuffer(bytes: bytes)
            #expect(throws: fault) {
                while var piece = stream.readSlice(length: min(pieceByteCount, stream.readableBytes)), piece.readableBytes > 0 {
                    while try decoder.next(from: &piece) != nil {}
                }
            }
        }
    }

    @Test("Each flipped bit of a frame is found")
    func flips() throws {
        let frame = Self.frame(ByteBuffer(string: "a body of a frame"))
        for bit in 0..<frame.readableBytes * 8 {
            var damaged = frame
            let byte = try #require(damaged.getInteger(at: bit / 8, as: UInt8.self))
            damaged.setInteger(byte ^ 1 << UInt8(bit % 8), at: bit / 8)
            var decoder = PeerFrameDecoder(byteCountMax: 1000)
            // A longer length waits for more; whatever comes then is not what was summed.
            damaged.writeImmutableBuffer(ByteBuffer(repeating: 0, count: 1000))
            #expect(throws: PeerWireFault.self, "bit \(bit)") { try decoder.next(from: &damaged) }
        }
    }

    @Test("A length alone reserves no memory")
    func noReservation() throws {
        var decoder = PeerFrameDecoder(byteCountMax: Int(UInt32.max))
        var input = ByteBuffer(bytes: [0xFF, 0xFF, 0xFF, 0x7F, 0, 0, 0, 0] + [UInt8](repeating: 1, count: 1000))
        #expect(try decoder.next(from: &input) == nil)
        #expect(decoder.heldByteCount == 1008 && decoder.reservedByteCount <= 2048)
        for _ in 0..<100 {
            var more = ByteBuffer(repeating: 1, count: 1000)
            #expect(try decoder.next(from: &more) == nil)
            #expect(decoder.reservedByteCount <= 2 * decoder.heldByteCount + 64)
        }
    }
}
