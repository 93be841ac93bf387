import Glibc

/// Comparing and copying bytes where they lie in the store's memory.
extension RawSpan {
    /// Precondition: the span holds at least `bytes.count` bytes.
    package func starts(with bytes: [UInt8]) -> Bool {
        precondition(byteCount >= bytes.count, "compared beyond the end")
        return withUnsafeBytes { left in
            bytes.withUnsafeBytes { right in
                guard let leftBase = left.baseAddress, let rightBase = right.baseAddress else { return right.isEmpty }
                return memcmp(leftBase, rightBase, right.count) == 0
            }
        }
    }

    package func containsZero(_ range: Range<Int>) -> Bool {
        extracting(range).withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return false }
            return memchr(base, 0, bytes.count) != nil
        }
    }
}

extension [UInt8] {
    /// Keeps the memory: for a scratch that is filled again and again.
    package mutating func replaceContents(with bytes: RawSpan, byteCount: Int) {
        removeAll(keepingCapacity: true)
        bytes.extracting(first: byteCount).withUnsafeBytes { append(contentsOf: $0) }
    }
}
