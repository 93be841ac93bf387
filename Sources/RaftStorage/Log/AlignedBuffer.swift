internal import FileSystem

/// Growing memory for direct writes: aligned, and never smaller than it was.
///
/// `@unchecked Sendable`: it has one owner at a time, the log or the one write that carries it.
final class AlignedBuffer: @unchecked Sendable {
    private(set) var bytes: UnsafeMutableRawBufferPointer
    private(set) var count = 0

    init(capacity: Int) {
        bytes = .allocate(byteCount: LogFormat.roundedUp(max(capacity, 1), to: directAlignment), alignment: directAlignment)
    }

    deinit { bytes.deallocate() }

    func removeAll() { count = 0 }

    /// Makes room for `byteCount` more bytes and counts them as used; their content is whatever was there.
    func extend(by byteCount: Int) -> UnsafeMutableRawBufferPointer {
        let end = count + byteCount
        if end > bytes.count {
            let larger = UnsafeMutableRawBufferPointer.allocate(
                byteCount: LogFormat.roundedUp(max(end, 2 * bytes.count), to: directAlignment), alignment: directAlignment)
            larger.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[..<count]))
            bytes.deallocate()
            bytes = larger
        }
        defer { count = end }
        return UnsafeMutableRawBufferPointer(rebasing: bytes[count..<end])
    }
}
