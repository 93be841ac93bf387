import NIOCore

extension PeerTransportSettings {
    /// Of every connection: small frames leave at once, and a machine that vanished without a word is found out by what it does not
    /// acknowledge, or, where nothing is sent, by what the system asks it.
    var socketOptions: [(ChannelOptions.Types.SocketOption, SocketOptionValue)] {
        var options: [(ChannelOptions.Types.SocketOption, SocketOptionValue)] = [
            (.tcpOption(.tcp_nodelay), 1), (.socketOption(.so_keepalive), 1),
        ]
        #if os(Linux)
            let seconds = SocketOptionValue(max(1, stallMilliseconds / 2000))
            options += [
                (.tcpOption(.userTimeout), SocketOptionValue(stallMilliseconds)),
                (.tcpOption(.keepAliveIdle), seconds), (.tcpOption(.keepAliveInterval), seconds),
                (.tcpOption(.keepAliveCount), 2),
            ]
        #endif
        return options
    }
}

#if os(Linux)
    /// tcp(7); the numbers are the kernel's.
    extension NIOBSDSocket.Option {
        fileprivate static let keepAliveIdle = NIOBSDSocket.Option(rawValue: 4)
        fileprivate static let keepAliveInterval = NIOBSDSocket.Option(rawValue: 5)
        fileprivate static let keepAliveCount = NIOBSDSocket.Option(rawValue: 6)
        fileprivate static let userTimeout = NIOBSDSocket.Option(rawValue: 18)
    }
#endif
