/// A request target taken apart: which bucket, which key, which query.
///
/// A key's bytes are the client's: nothing is normalized. `..`, `.`, empty segments, a leading or a trailing slash are ordinary
/// characters of a key, and `+` is a plus sign. Only percent escapes are decoded, exactly once.
package struct S3Target: Sendable, Equatable {
    /// Percent-decoded; empty for the service itself. Not yet checked against the rules for bucket names.
    package var bucket: String
    /// Percent-decoded; empty for a bucket or the service.
    package var key: [UInt8]
    package var query: S3Query
    /// The path as it stood on the request line, for signatures and error documents.
    package var rawPath: [UInt8]
    /// The whole path, percent-decoded.
    package var path: [UInt8]
    /// The host names the bucket, not the path.
    package private(set) var isVirtualHosted = false

    /// - Parameters:
    ///   - target: in origin form (`/bucket/key?query`) or absolute form (RFC 9112, 3.2.2: a server accepts both).
    ///   - host: the value of the `Host` header, which names the bucket if it lies below one of `domains`. It is what the signature
    ///     covers, so that a target in absolute form must name the same host then, as RFC 9112, 3.2 asks of clients.
    /// - Throws: `InvalidURI` when an escape is broken, a name is not UTF-8, the target has no path or names another host.
    package init(parsing target: String, host: String? = nil, domains: S3Domains = S3Domains()) throws(S3Error) {
        var bytes = Array(target.utf8)[...]
        if bytes.first != UInt8(ascii: "/") {
            let (authority, path) = try Self.partsOfAbsoluteForm(bytes)
            guard domains.isEmpty || ASCIICase.equal(String(decoding: authority, as: UTF8.self), host ?? "") else {
                throw .invalidURI
            }
            bytes = path
        }

        let pathEnd = bytes.firstIndex(of: UInt8(ascii: "?")) ?? bytes.endIndex
        let rawPath = bytes[..<pathEnd]
        self.rawPath = Array(rawPath)
        self.path = try Self.percentDecoded(rawPath)

        self.query = pathEnd < bytes.endIndex ? try Self.parseQuery(bytes[(pathEnd + 1)...]) : S3Query()
        if let bucket = host.flatMap({ domains.bucket(host: $0) }) {
            self.bucket = bucket
            self.key = Array(path.dropFirst())
            self.isVirtualHosted = true
            return
        }

        // Bucket and key part at the second slash as sent, so that `%2F` never moves the border between them.
        let afterSlash = rawPath.dropFirst()
        let bucketEnd = afterSlash.firstIndex(of: UInt8(ascii: "/")) ?? afterSlash.endIndex
        let bucket = try Self.percentDecoded(afterSlash[..<bucketEnd])
        guard let name = String(validating: bucket, as: UTF8.self) else { throw .invalidURI }
        self.bucket = name
        self.key = try Self.percentDecoded(afterSlash[bucketEnd...].dropFirst())
        guard !(name.isEmpty && afterSlash.count > 0) else { throw .invalidBucketName(name) }
    }

    /// `http://host:port/path?query` → `host:port`, `/path?query`.
    private static func partsOfAbsoluteForm(
        _ target: ArraySlice<UInt8>
    ) throws(S3Error) -> (authority: ArraySlice<UInt8>, path: ArraySlice<UInt8>) {
        for scheme in ["http://", "https://"] where target.starts(with: scheme.utf8) {
            let authority = target.dropFirst(scheme.utf8.count)
            guard let slash = authority.firstIndex(of: UInt8(ascii: "/")) else { throw .invalidURI }
            return (authority[..<slash], authority[slash...])
        }
        throw .invalidURI
    }

    private static func parseQuery(_ query: ArraySlice<UInt8>) throws(S3Error) -> S3Query {
        var items: [S3Query.Item] = []
        var rest = query
        while !rest.isEmpty {
            let end = rest.firstIndex(of: UInt8(ascii: "&")) ?? rest.endIndex
            let item = rest[..<end]
            rest = end < rest.endIndex ? rest[(end + 1)...] : []
            if item.isEmpty { continue }
            let nameEnd = item.firstIndex(of: UInt8(ascii: "=")) ?? item.endIndex
            guard let name = String(validating: try percentDecoded(item[..<nameEnd]), as: UTF8.self) else { throw .invalidURI }
            let value = nameEnd < item.endIndex ? try percentDecoded(item[(nameEnd + 1)...]) : nil
            items.append(S3Query.Item(name: name, value: value))
        }
        return S3Query(items: items)
    }

    /// Decodes `%XX`; every other byte stands for itself.
    /// - Throws: `InvalidURI` when a `%` is not followed by two hexadecimal digits.
    package static func percentDecoded(_ bytes: ArraySlice<UInt8>) throws(S3Error) -> [UInt8] {
        guard bytes.contains(UInt8(ascii: "%")) else { return Array(bytes) }
        var decoded: [UInt8] = []
        decoded.reserveCapacity(bytes.count)
        var index = bytes.startIndex
        while index < bytes.endIndex {
            let byte = bytes[index]
            if byte != UInt8(ascii: "%") {
                decoded.append(byte)
                index += 1
                continue
            }
            guard index + 2 < bytes.endIndex, let high = Hexadecimal.value(of: bytes[index + 1]),
                let low = Hexadecimal.value(of: bytes[index + 2])
            else { throw .invalidURI }
            decoded.append(high << 4 | low)
            index += 3
        }
        return decoded
    }
}
