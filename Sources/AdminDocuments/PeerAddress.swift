/// Where the nodes of a cluster reach one of them, as people write it: `host:port`, or `[::1]:port`.
package enum PeerAddress {
    package static let byteCountMax = 255

    /// Nil: it is one. Otherwise what is wrong with it, to follow the text itself.
    package static func problem(_ text: String) -> String? {
        guard text.utf8.count <= byteCountMax else { return "is longer than \(byteCountMax) bytes" }
        guard let colon = text.lastIndex(of: ":") else { return "has no port; write host:port" }
        let (host, port) = (text[..<colon], text[text.index(after: colon)...])
        guard let number = Int(port), port.utf8.allSatisfy({ (0x30...0x39).contains($0) }), (1...65_535).contains(number) else {
            return "has no port from 1 to 65535; write host:port"
        }
        guard !host.isEmpty else { return "has no host; write host:port" }
        if host.hasPrefix("[") {
            let inner = host.dropFirst().dropLast()
            let isAddress =
                host.hasSuffix("]") && inner.contains(":") && inner.allSatisfy { $0.isHexDigit || ":.%".contains($0) }
            return isAddress ? nil : "has no IPv6 address between its brackets"
        }
        if host.contains(":") { return "needs brackets around its IPv6 address: [::1]:7000" }
        let isName = host.unicodeScalars.allSatisfy {
            $0.isASCII && ($0.properties.isAlphabetic || "0123456789.-_".unicodeScalars.contains($0))
        }
        return isName ? nil : "has no host name or address before its port"
    }
}
