package import NIOHTTP1

/// The headers that a signature covers, found in one walk over those of the request.
package struct SignedHeaders: Sendable {
    /// As the signature names them, in its order.
    package let names: [String]
    /// For each name its value in canonical form: trimmed, runs of spaces as one, repeated headers joined by commas. Empty where
    /// the header is missing.
    package private(set) var values: [String]
    /// Headers `x-amz-…` that are there but not named.
    package private(set) var unsignedAmazonHeaders: [String] = []

    package init(names: [String], in headers: HTTPHeaders) {
        self.names = names
        values = Array(repeating: "", count: names.count)
        // At most a few dozen names are in use; the count of headers is the HTTP server's to bound.
        var found = Array(repeating: false, count: names.count)
        for (name, value) in headers {
            var isNamed = false
            for position in names.indices where ASCIICase.equal(names[position], name) {
                values[position] = found[position] ? values[position] + "," + Self.trimmed(value) : Self.trimmed(value)
                found[position] = true
                isNamed = true
            }
            if !isNamed, ASCIICase.hasPrefix(name, "x-amz-") { unsignedAmazonHeaders.append(name.lowercased()) }
        }
    }

    private static func trimmed(_ value: String) -> String {
        if isCanonical(value) { return value }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(value.utf8.count)
        var pendingSpace = false
        for byte in value.utf8 {
            if byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") {
                pendingSpace = !bytes.isEmpty
                continue
            }
            if pendingSpace { bytes.append(UInt8(ascii: " ")) }
            pendingSpace = false
            bytes.append(byte)
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Most values are. (`false` may be wrong.)
    static func isCanonical(_ value: String) -> Bool {
        value.utf8.withContiguousStorageIfAvailable(isCanonical) == true
    }

    private static func isCanonical(_ value: UnsafeBufferPointer<UInt8>) -> Bool {
        guard let first = value.first, let last = value.last else { return true }
        if first == UInt8(ascii: " ") || last == UInt8(ascii: " ") { return false }
        var previous = first
        for byte in value {
            if byte == UInt8(ascii: "\t") || (byte == UInt8(ascii: " ") && previous == UInt8(ascii: " ")) { return false }
            previous = byte
        }
        return true
    }
}

/// Comparison of header names and the like: ASCII letters without regard to case.
package enum ASCIICase {
    package static func equal(_ left: String, _ right: String) -> Bool {
        let (left, right) = (left.utf8, right.utf8)
        guard left.count == right.count else { return false }
        let isEqual = left.withContiguousStorageIfAvailable { left in
            right.withContiguousStorageIfAvailable { right in
                for position in 0..<left.count where lower(left[position]) != lower(right[position]) { return false }
                return true
            }
        }
        if let isEqual = isEqual ?? nil { return isEqual }
        return zip(left, right).allSatisfy { lower($0) == lower($1) }
    }

    /// - Parameter prefix: in lower case.
    package static func hasPrefix(_ text: String, _ prefix: String) -> Bool {
        guard text.utf8.count >= prefix.utf8.count else { return false }
        var rest = text.utf8.makeIterator()
        for expected in prefix.utf8 {
            guard let byte = rest.next(), lower(byte) == expected else { return false }
        }
        return true
    }

    @inline(__always)
    private static func lower(_ byte: UInt8) -> UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
    }
}
