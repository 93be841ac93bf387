/// The one range of a `Range` header (RFC 9110, section 14.1.2).
package enum ByteRange: Sendable, Equatable {
    /// `bytes=first-` or `bytes=first-last`, both inclusive.
    case span(first: UInt64, last: UInt64?)
    /// `bytes=-count`: the last bytes.
    case suffix(count: UInt64)

    /// `nil` for what S3 ignores and answers whole: another unit, several ranges, broken syntax, a last byte before the first.
    package init?(header: String) {
        guard let equals = header.firstIndex(of: "="), header[..<equals].trimmed.lowercased() == "bytes" else { return nil }
        let range = header[header.index(after: equals)...].trimmed
        guard let hyphen = range.firstIndex(of: "-") else { return nil }
        let before = range[..<hyphen].trimmed
        let after = range[range.index(after: hyphen)...].trimmed
        if before.isEmpty {
            guard let count = Self.number(after) else { return nil }
            self = .suffix(count: count)
        } else {
            guard let first = Self.number(before) else { return nil }
            if after.isEmpty {
                self = .span(first: first, last: nil)
            } else {
                guard let last = Self.number(after), last >= first else { return nil }
                self = .span(first: first, last: last)
            }
        }
    }

    /// The bytes of an object of that size; `nil`: not satisfiable (416).
    package func resolved(size: UInt64) -> Range<UInt64>? {
        switch self {
        case .span(let first, let last):
            guard first < size else { return nil }
            return first..<(min(last ?? .max, size - 1) + 1)
        case .suffix(let count):
            guard count > 0, size > 0 else { return nil }
            return (size - min(count, size))..<size
        }
    }

    /// Digits only; a number beyond 64 bits means the greatest (it lies beyond every object).
    private static func number(_ text: Substring) -> UInt64? {
        guard !text.isEmpty, text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else { return nil }
        return UInt64(text) ?? .max
    }
}
