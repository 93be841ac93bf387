import Checksum
package import NIOCore

/// What both ends of a new connection say first, as docs/formats/peer-frames.md draws it: the dialler a hello, the acceptor a welcome
/// or a refusal. All have one layout.
package struct PeerHandshake: Sendable, Hashable {
    package enum Kind: Sendable, Hashable {
        case hello(PeerLane)
        case welcome(PeerLane)
        case refusal(PeerRefusal)
    }

    package var kind: Kind
    /// What the sender knows; in a welcome, the one version that it has chosen.
    package var versions: ClosedRange<UInt16>
    package var sender: PeerIdentity
    package var receiverNode: UInt64
    /// Nil: the sender does not know.
    package var receiverIncarnation: UInt64?

    package init(
        _ kind: Kind, versions: ClosedRange<UInt16>, sender: PeerIdentity, receiverNode: UInt64, receiverIncarnation: UInt64?
    ) {
        self.kind = kind
        self.versions = versions
        self.sender = sender
        self.receiverNode = receiverNode
        self.receiverIncarnation = receiverIncarnation
    }

    /// The newest version that both know.
    package static func commonVersion(_ first: ClosedRange<UInt16>, _ second: ClosedRange<UInt16>) -> UInt16? {
        first.overlaps(second) ? min(first.upperBound, second.upperBound) : nil
    }
}

extension PeerHandshake {
    package static let magic: [UInt8] = Array("rfs-peer".utf8)
    /// Magic and length.
    package static let prefixByteCount = 10
    /// What follows the length in this version; a later one may put more before the checksum, which this one skips.
    package static let restByteCount = 51
    package static let restByteCountMax = 1024
    package static let byteCount = prefixByteCount + restByteCount
    static let checksumByteCount = 4
    package static let hasClusterFlag: UInt8 = 1
    package static let hasIncarnationFlag: UInt8 = 2

    /// What ends a handshake of which everything else is there.
    package static func checksum(of bytes: ByteBuffer) -> UInt32 { bytes.checksum }

    package func encoded() -> ByteBuffer {
        var buffer = ByteBufferAllocator().buffer(capacity: Self.byteCount)
        buffer.writeBytes(Self.magic)
        buffer.writeInteger(UInt16(Self.restByteCount), endianness: .little)
        let (code, detail): (UInt8, UInt8) =
            switch kind {
            case .hello(let lane): (1, lane.rawValue)
            case .welcome(let lane): (2, lane.rawValue)
            case .refusal(let reason): (3, reason.rawValue)
            }
        buffer.writeInteger(code)
        buffer.writeInteger(detail)
        buffer.writeInteger(
            (sender.cluster == nil ? 0 : Self.hasClusterFlag) | (receiverIncarnation == nil ? 0 : Self.hasIncarnationFlag))
        buffer.writeInteger(versions.lowerBound, endianness: .little)
        buffer.writeInteger(versions.upperBound, endianness: .little)
        for number in [sender.cluster ?? 0, sender.node, sender.incarnation, receiverNode, receiverIncarnation ?? 0] {
            buffer.writeInteger(number, endianness: .little)
        }
        buffer.writeInteger(Self.checksum(of: buffer), endianness: .little)
        return buffer
    }

    /// - Parameter bytes: a whole handshake, magic and checksum included.
    package init(decoding bytes: ByteBuffer) throws(PeerWireFault) {
        var bytes = bytes
        guard bytes.readableBytes >= Self.byteCount, bytes.readBytes(length: Self.magic.count) == Self.magic else {
            throw .notHandshake
        }
        var checked = bytes
        checked.moveReaderIndex(to: bytes.readerIndex - Self.magic.count)
        guard let whole = checked.readSlice(length: checked.readableBytes - Self.checksumByteCount),
            checked.readInteger(endianness: .little) == whole.checksum,
            let length = bytes.readInteger(endianness: .little, as: UInt16.self),
            Int(length) == bytes.readableBytes,
            let code = bytes.readInteger(as: UInt8.self),
            let detail = bytes.readInteger(as: UInt8.self),
            let flags = bytes.readInteger(as: UInt8.self),
            let lowest = bytes.readInteger(endianness: .little, as: UInt16.self),
            let highest = bytes.readInteger(endianness: .little, as: UInt16.self),
            let cluster = bytes.readInteger(endianness: .little, as: UInt64.self),
            let node = bytes.readInteger(endianness: .little, as: UInt64.self),
            let incarnation = bytes.readInteger(endianness: .little, as: UInt64.self),
            let receiver = bytes.readInteger(endianness: .little, as: UInt64.self),
            let receiverIncarnation = bytes.readInteger(endianness: .little, as: UInt64.self),
            lowest <= highest, node != 0
        else { throw .malformedHandshake }
        switch code {
        case 1, 2:
            guard let lane = PeerLane(rawValue: detail) else { throw .malformedHandshake }
            kind = code == 1 ? .hello(lane) : .welcome(lane)
        case 3: kind = .refusal(PeerRefusal(rawValue: detail) ?? .other)
        default: throw .malformedHandshake
        }
        versions = lowest...highest
        sender = PeerIdentity(
            cluster: flags & Self.hasClusterFlag == 0 ? nil : cluster, node: node, incarnation: incarnation)
        receiverNode = receiver
        self.receiverIncarnation = flags & Self.hasIncarnationFlag == 0 ? nil : receiverIncarnation
    }
}

/// Takes one handshake off the front of what arrives.
package struct PeerHandshakeReader: Sendable {
    private var bytes = ByteBuffer()

    package init() {}

    /// - Parameter input: what has arrived; what belongs to the handshake is taken off it.
    /// - Returns: nil while there is more to come. Not to be called again once it has returned a handshake or thrown.
    package mutating func next(from input: inout ByteBuffer) throws(PeerWireFault) -> PeerHandshake? {
        take(upTo: PeerHandshake.prefixByteCount, from: &input)
        guard
            bytes.readableBytesView.prefix(PeerHandshake.magic.count).elementsEqual(
                PeerHandshake.magic.prefix(bytes.readableBytes))
        else { throw .notHandshake }
        guard bytes.readableBytes >= PeerHandshake.prefixByteCount,
            let length = bytes.getInteger(at: PeerHandshake.magic.count, endianness: .little, as: UInt16.self)
        else { return nil }
        guard (PeerHandshake.restByteCount...PeerHandshake.restByteCountMax).contains(Int(length)) else {
            throw .malformedHandshake
        }
        let byteCount = PeerHandshake.prefixByteCount + Int(length)
        take(upTo: byteCount, from: &input)
        guard bytes.readableBytes == byteCount else { return nil }
        return try PeerHandshake(decoding: bytes)
    }

    private mutating func take(upTo byteCount: Int, from input: inout ByteBuffer) {
        let missing = min(byteCount - bytes.readableBytes, input.readableBytes)
        guard missing > 0, var slice = input.readSlice(length: missing) else { return }
        bytes.writeBuffer(&slice)
    }
}
