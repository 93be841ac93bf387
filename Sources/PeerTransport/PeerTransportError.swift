/// Why a transport does not start.
package enum PeerTransportError: Error, Sendable, Equatable {
    case addressInUse(host: String, port: Int)
    case cannotBind(host: String, port: Int, reason: String)
    case unusableTLSFile(path: String, reason: String)
}
