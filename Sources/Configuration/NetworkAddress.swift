/// A host and a port, as configuration files and flags write them: `host:port`, `[::1]:port` or `:port`.
package struct NetworkAddress: Sendable, Hashable {
    /// A name, an IPv4 address, or an IPv6 address without its brackets.
    package var host: String
    /// 0 asks the system for a free port, where the address is one to listen on.
    package var port: Int

    package init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// - Throws: `ValueProblem` in the words of a person who mistyped it.
    /// - Parameter emptyHost: what `:port` stands for; `nil` refuses it.
    package init(parsing text: String, emptyHost: String?) throws(ValueProblem) {
        guard let colon = text.lastIndex(of: ":") else {
            throw ValueProblem("is '\(text)', which has no port; write host:port")
        }
        let portText = text[text.index(after: colon)...]
        let hostText = text[..<colon]
        guard !portText.isEmpty, portText.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), let port = Int(portText) else {
            throw ValueProblem("is '\(text)', where '\(portText)' is no port number")
        }
        guard port <= 65_535 else { throw ValueProblem("is '\(text)', where the port is above 65535") }
        self.init(host: try Self.host(hostText, of: text, emptyHost: emptyHost), port: port)
    }

    private static func host(_ host: Substring, of text: String, emptyHost: String?) throws(ValueProblem) -> String {
        if host.isEmpty {
            guard let emptyHost else { throw ValueProblem("is '\(text)', which has no host; write host:port") }
            return emptyHost
        }
        if host.hasPrefix("[") {
            guard host.hasSuffix("]"), host.count > 2 else {
                throw ValueProblem("is '\(text)', where the bracket of an IPv6 address is not closed")
            }
            let inner = host.dropFirst().dropLast()
            guard inner.contains(":"), inner.allSatisfy({ $0.isHexDigit || $0 == ":" || $0 == "." || $0 == "%" }) else {
                throw ValueProblem("is '\(text)', where '\(inner)' is no IPv6 address")
            }
            return String(inner)
        }
        guard !host.contains(":") else {
            throw ValueProblem("is '\(text)'; an IPv6 address needs brackets: [::1]:9000")
        }
        guard host.utf8.allSatisfy({ isNameByte($0) }) else {
            throw ValueProblem("is '\(text)', where '\(host)' is no host name or address")
        }
        return String(host)
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
        default: false
        }
    }
}

extension NetworkAddress: CustomStringConvertible {
    package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
