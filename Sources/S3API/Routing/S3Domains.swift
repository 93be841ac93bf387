/// The domains below which a host names a bucket (virtual-hosted-style requests: S3 user guide, "Virtual hosting of buckets").
///
/// A request to `BUCKET.DOMAIN[:port]` addresses that bucket, and all of its path is the key. The domain itself and every other host
/// (an address, the name of a machine) stay path-style.
package struct S3Domains: Sendable, Equatable {
    /// Lower-case; the longest first, so that of nested domains the innermost one counts.
    private let domains: [[UInt8]]

    /// - Parameter domains: names without ports; case does not matter.
    package init(_ domains: [String] = []) {
        self.domains = domains.map { $0.utf8.map(Self.lowercase) }.sorted { $0.count > $1.count }
    }

    /// All requests are path-style.
    package var isEmpty: Bool { domains.isEmpty }

    /// The bucket that a `Host` header's value names, in lower case and not yet checked; `nil`: the path names it.
    package func bucket(host: String) -> String? {
        if domains.isEmpty { return nil }
        let host = Self.withoutPort(host.utf8.map(Self.lowercase)[...])
        if domains.contains(where: { host.elementsEqual($0) }) { return nil }
        for domain in domains where host.count > domain.count + 1 {
            let end = host.endIndex - domain.count - 1
            guard host[end] == UInt8(ascii: "."), host[(end + 1)...].elementsEqual(domain) else { continue }
            return String(decoding: host[..<end], as: UTF8.self)
        }
        return nil
    }

    /// Without a port, and without the dot that may end a full name.
    private static func withoutPort(_ host: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var name = host
        if let colon = host.lastIndex(of: UInt8(ascii: ":")), host[(colon + 1)...].allSatisfy(isDigit) {
            name = host[..<colon]
        }
        return name.last == UInt8(ascii: ".") ? name.dropLast() : name
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

    private static func lowercase(_ byte: UInt8) -> UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
    }
}
