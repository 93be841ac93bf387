/// Why a server could not start.
package enum HTTPServerError: Error, Sendable, Equatable, CustomStringConvertible {
    case addressInUse(host: String, port: Int)
    case cannotBind(host: String, port: Int, reason: String)
    case unusableTLSFile(path: String, reason: String)
    /// `start()` was called twice, or after `stop`.
    case alreadyStarted

    package var description: String {
        switch self {
        case .addressInUse(let host, let port):
            "cannot listen on \(host):\(port): the address is already in use"
        case .cannotBind(let host, let port, let reason):
            "cannot listen on \(host):\(port): \(reason)"
        case .unusableTLSFile(let path, let reason):
            "cannot use \(path) for TLS: \(reason)"
        case .alreadyStarted:
            "the HTTP server was started before"
        }
    }
}
