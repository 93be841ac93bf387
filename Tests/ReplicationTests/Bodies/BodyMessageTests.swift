import NIOCore
import ObjectDataStore
import Replication
import Testing

@Suite struct BodyMessageTests {
    static let id = BodyID(origin: 1 << 60 | 3, sequence: 4)
    static let bytes = ByteBuffer(bytes: (0..<200_000).map { UInt8(truncatingIfNeeded: $0) })
    static let messages: [BodyMessage] = [
        .open(1, id), .data(.max, offset: 1 << 40, bytes), .finish(2, length: 3, tableChecksum: 4), .abort(5),
        .streams([]), .streams([6, 7]), .discard([id]), .accepted(8, byteCount: 9), .durable(10),
        .failed(11, .noSpace), .read(request: 12, id, offset: 131_072, byteCount: 1 << 20),
        .bytes(
            BodyBytes(
                request: 13, length: 500_000, tableChecksum: 14, offset: 131_072, blockChecksums: [15, 16], bytes: bytes)),
        .readFailed(request: 17, .damaged), .holds(request: 18, RestoreID(high: 19, low: 20), [id, id]),
        .held(request: 21, [true, false]), .held(request: 22, []),
    ]

    static func encoded(_ message: BodyMessage) -> ByteBuffer {
        var (buffer, rest) = message.encoded()
        if var more = rest { buffer.writeBuffer(&more) }
        return buffer
    }

    @Test("Messages come back as they were written", arguments: messages)
    func roundTrip(message: BodyMessage) throws {
        #expect(try BodyMessage(decoding: Self.encoded(message)) == message)
    }

    @Test("What is cut short, or followed by something, is no message", arguments: messages)
    func cut(message: BodyMessage) {
        let whole = Self.encoded(message)
        let hasBytes = message.encoded().rest != nil
        for count in 0..<min(whole.readableBytes, 60) {
            let isHead = count < whole.readableBytes - (message.encoded().rest?.readableBytes ?? 0)
            guard !hasBytes || isHead, let part = whole.getSlice(at: 0, length: count) else { continue }
            #expect(throws: DecodingFault.self) { try BodyMessage(decoding: part) }
        }
        guard !hasBytes else { return }
        var longer = whole
        longer.writeInteger(UInt8(0))
        #expect(throws: DecodingFault.self) { try BodyMessage(decoding: longer) }
    }

    @Test("A flipped byte makes another message or none, never a crash", arguments: messages)
    func flipped(message: BodyMessage) throws {
        let whole = Self.encoded(message)
        for position in 0..<min(whole.readableBytes, 80) {
            for mask: UInt8 in [0x01, 0x80, 0xFF] {
                var damaged = whole
                let byte = damaged.getInteger(at: position, as: UInt8.self) ?? 0
                damaged.setInteger(byte ^ mask, at: position)
                guard let other = try? BodyMessage(decoding: damaged) else { continue }
                #expect(Self.encoded(other) == damaged)
            }
        }
    }

    @Test("Counts and ranges have bounds")
    func bounds() {
        let unaligned = BodyMessage.read(request: 1, Self.id, offset: 5, byteCount: 10)
        let tooMany = BodyMessage.read(request: 1, Self.id, offset: 0, byteCount: UInt32(BodyMessage.readByteCountMax + 1))
        let tooFar = BodyMessage.accepted(1, byteCount: BodyFormat.lengthMax + 1)
        let beyond = BodyMessage.bytes(
            BodyBytes(request: 1, length: 10, tableChecksum: 0, offset: 0, blockChecksums: [0, 0], bytes: Self.bytes))
        let miscounted = BodyMessage.bytes(
            BodyBytes(request: 1, length: 300_000, tableChecksum: 0, offset: 0, blockChecksums: [0], bytes: Self.bytes))
        for message in [unaligned, tooMany, tooFar, beyond, miscounted] {
            #expect(throws: DecodingFault.self) { try BodyMessage(decoding: Self.encoded(message)) }
        }
    }
}
