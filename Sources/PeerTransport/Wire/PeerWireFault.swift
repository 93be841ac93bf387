/// What is wrong with bytes of a peer. The connection they came on is closed; nothing else happens.
package enum PeerWireFault: Error, Sendable, Hashable {
    /// They do not begin as a handshake does.
    case notHandshake
    /// A handshake with a length, checksum, flag or code that cannot be.
    case malformedHandshake
    case emptyFrame
    case frameTooLong(byteCount: UInt32, max: Int)
    case wrongChecksum
    /// A body that is not one for who receives it.
    case unreadableBody
    /// Bytes where none may come: an acceptor sends nothing after its answer.
    case unexpectedBytes

    /// Without the numbers in it.
    package var name: String {
        switch self {
        case .notHandshake: "notHandshake"
        case .malformedHandshake: "malformedHandshake"
        case .emptyFrame: "emptyFrame"
        case .frameTooLong: "frameTooLong"
        case .wrongChecksum: "wrongChecksum"
        case .unreadableBody: "unreadableBody"
        case .unexpectedBytes: "unexpectedBytes"
        }
    }
}
