package import NIOCore

/// What a dialler sends before everything else, before TLS too: which lane the connection is of. So the acceptor can still give the bare
/// socket to the loop of that lane. The hello repeats it where nobody has changed it on the way.
package enum PeerOpening {
    package static let magic: [UInt8] = Array("rfs".utf8)
    /// Magic and lane.
    package static let byteCount = 4

    package static func encoded(_ lane: PeerLane) -> ByteBuffer { ByteBuffer(bytes: magic + [lane.rawValue]) }

    /// - Parameter input: all that has arrived; the opening is taken off it when it is whole.
    /// - Returns: nil while there is more to come.
    package static func lane(from input: inout ByteBuffer) throws(PeerWireFault) -> PeerLane? {
        let there = input.readableBytesView.prefix(magic.count)
        guard there.elementsEqual(magic.prefix(there.count)) else { throw .notHandshake }
        guard input.readableBytes >= byteCount else { return nil }
        input.moveReaderIndex(forwardBy: magic.count)
        guard let code = input.readInteger(as: UInt8.self), let lane = PeerLane(rawValue: code) else { throw .notHandshake }
        return lane
    }
}
