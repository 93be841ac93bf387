import NIOCore
import PeerTransport
import Testing

@Suite("Handshakes")
struct HandshakeTests {
    static let samples: [PeerHandshake] =
        [
            PeerHandshake(
                .hello(.log), versions: 1...3, sender: PeerIdentity(cluster: 7, node: 1, incarnation: 10), receiverNode: 2,
                receiverIncarnation: 20),
            PeerHandshake(
                .hello(.control), versions: 2...2, sender: PeerIdentity(cluster: nil, node: .max, incarnation: .max),
                receiverNode: 2, receiverIncarnation: nil),
            PeerHandshake(
                .welcome(.snapshot), versions: 3...3, sender: PeerIdentity(cluster: 0, node: 2, incarnation: 0),
                receiverNode: 1,
                receiverIncarnation: 0),
        ]
        + PeerRefusal.allCases.map {
            PeerHandshake(
                .refusal($0), versions: 1...1, sender: PeerIdentity(cluster: 7, node: 2, incarnation: 20), receiverNode: 1,
                receiverIncarnation: 10)
        }

    /// With a right checksum.
    static func bytes(of handshake: PeerHandshake, _ change: (inout ByteBuffer) -> Void) -> ByteBuffer {
        var bytes = handshake.encoded()
        bytes.moveWriterIndex(to: bytes.writerIndex - 4)
        change(&bytes)
        bytes.writeInteger(PeerHandshake.checksum(of: bytes), endianness: .little)
        return bytes
    }

    private func read(_ bytes: ByteBuffer) throws -> PeerHandshake? {
        var (reader, bytes) = (PeerHandshakeReader(), bytes)
        return try reader.next(from: &bytes)
    }

    @Test("What is encoded decodes to the same, byte by byte or at once, and leaves what follows", arguments: samples)
    func roundTrip(handshake: PeerHandshake) throws {
        #expect(handshake.encoded().readableBytes == PeerHandshake.byteCount)
        var input = handshake.encoded()
        input.writeString("frame")
        var reader = PeerHandshakeReader()
        #expect(try reader.next(from: &input) == handshake)
        #expect(String(buffer: input) == "frame")
        var slow = PeerHandshakeReader()
        for byte in handshake.encoded().readableBytesView.dropLast() {
            var one = ByteBuffer(bytes: [byte])
            #expect(try slow.next(from: &one) == nil)
        }
        var last = ByteBuffer(bytes: handshake.encoded().readableBytesView.suffix(1))
        #expect(try slow.next(from: &last) == handshake)
    }

    @Test("The bytes are those of the format's document")
    func bytes() {
        var expected = Array("rfs-peer".utf8)
        // Length, hello, log, flags, versions; then cluster, node, incarnation, receiver and its incarnation.
        expected += [51, 0, 1, 1, 3, 1, 0, 3, 0]
        for number in [7, 1, 10, 2, 20] as [UInt8] { expected += [number, 0, 0, 0, 0, 0, 0, 0] }
        #expect(Array(Self.samples[0].encoded().readableBytesView.dropLast(4)) == expected)
    }

    @Test("Each flipped bit is found")
    func flips() {
        let good = Self.samples[0].encoded()
        for bit in 0..<good.readableBytes * 8 {
            var bytes = good
            let byte = bytes.getInteger(at: bit / 8, as: UInt8.self) ?? 0
            bytes.setInteger(byte ^ 1 << UInt8(bit % 8), at: bit / 8)
            bytes.writeRepeatingByte(0, count: 1100)
            #expect(throws: PeerWireFault.self, "bit \(bit)") { try read(bytes) }
        }
    }

    @Test("Fields and flags of a later version are skipped, reasons of one are other")
    func laterVersions() throws {
        let longer = Self.bytes(of: Self.samples[0]) {
            $0.writeRepeatingByte(9, count: 100)
            $0.setInteger(UInt16(151), at: 8, endianness: .little)
            $0.setInteger(UInt8(0xFF), at: 12)
        }
        #expect(try read(longer) == Self.samples[0])
        let reason = Self.bytes(of: Self.samples[3]) { $0.setInteger(UInt8(77), at: 11) }
        #expect(try read(reason)?.kind == .refusal(.other))
    }

    @Test(
        "What cannot be is malformed, its checksum right or not",
        arguments: [
            (10, [0]), (10, [4]), (11, [4]), (13, [2, 0, 1, 0]), (25, [0, 0, 0, 0, 0, 0, 0, 0]), (8, [50, 0]), (8, [1, 4]),
            (8, [0, 0]),
        ] as [(Int, [UInt8])])
    func malformed(place: Int, change: [UInt8]) {
        let bytes = Self.bytes(of: Self.samples[0]) { $0.setBytes(change, at: place) }
        #expect(throws: PeerWireFault.malformedHandshake) { try read(bytes) }
    }

    @Test("What does not begin as a handshake is known at its first wrong byte")
    func garbage() {
        for text in ["GET / HTTP/1.1", "r\n", "rfs-peeR", "\u{16}\u{3}\u{1}"] {
            #expect(throws: PeerWireFault.notHandshake) { try read(ByteBuffer(string: text)) }
        }
        #expect(throws: Never.self) { try read(ByteBuffer(string: "rfs-")) }
    }

    @Test(
        "The newest version that both know is common",
        arguments: [
            (1...1, 1...1, 1), (1...3, 2...5, 3), (2...5, 1...3, 3), (1...9, 4...4, 4), (1...2, 3...4, nil),
            (3...4, 1...2, nil),
        ] as [(ClosedRange<UInt16>, ClosedRange<UInt16>, UInt16?)])
    func versions(first: ClosedRange<UInt16>, second: ClosedRange<UInt16>, common: UInt16?) {
        #expect(PeerHandshake.commonVersion(first, second) == common)
    }
}
