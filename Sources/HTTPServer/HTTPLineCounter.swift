#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Finds line ends in bytes that arrive in pieces; each byte is looked at once.
struct HTTPLineCounter {
    struct Line {
        /// With its end.
        var byteCount: Int
        var endsInCRLF: Bool
        var isEmpty: Bool { byteCount == (endsInCRLF ? 2 : 1) }
    }

    /// Bytes of the unfinished line.
    private(set) var byteCount = 0
    private var endsInCR = false

    /// The line that ends first at or after `position`, which moves behind it; `nil`, and all bytes passed, when none does.
    mutating func next(in bytes: UnsafeRawBufferPointer, from position: inout Int) -> Line? {
        let start = position
        guard start < bytes.count, let base = bytes.baseAddress else { return nil }
        guard let found = memchr(base + start, 0x0A, bytes.count - start) else {
            position = bytes.count
            byteCount += bytes.count - start
            endsInCR = bytes[bytes.count - 1] == 0x0D
            return nil
        }
        let lineFeed = UnsafeRawPointer(found) - base
        position = lineFeed + 1
        let line = Line(
            byteCount: byteCount + position - start,
            endsInCRLF: lineFeed > start ? bytes[lineFeed - 1] == 0x0D : byteCount > 0 && endsInCR)
        byteCount = 0
        endsInCR = false
        return line
    }
}
