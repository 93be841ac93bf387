#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// A file descriptor, closed with its last reference.
final class POSIXFile: File {
    let path: String
    private let descriptor: Int32

    init(descriptor: Int32, path: String) {
        self.descriptor = descriptor
        self.path = path
    }

    deinit {
        // Not retried on EINTR: Linux has released the descriptor by then, and another thread may already own the number.
        close(descriptor)
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(FileSystemError) {
        var written = 0
        while written < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[written...])
            let count = pwrite(descriptor, rest.baseAddress, rest.count, off_t(offset) + off_t(written))
            if count < 0 {
                if errno == EINTR { continue }
                throw FileSystemError(number: errno, operation: "pwrite", path: path)
            }
            written += count
        }
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(FileSystemError) -> Int {
        var filled = 0
        while filled < buffer.count {
            let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[filled...])
            let count = pread(descriptor, rest.baseAddress, rest.count, off_t(offset) + off_t(filled))
            if count < 0 {
                if errno == EINTR { continue }
                throw FileSystemError(number: errno, operation: "pread", path: path)
            }
            if count == 0 { break }
            filled += count
        }
        return filled
    }

    func synchronize() throws(FileSystemError) {
        #if canImport(Darwin)
            // fsync stops at the drive's cache there.
            _ = try retried("fcntl(F_FULLFSYNC)", path) { fcntl(descriptor, F_FULLFSYNC) }
        #else
            _ = try retried("fdatasync", path) { fdatasync(descriptor) }
        #endif
    }

    /// As `synchronize`, for a directory's descriptor.
    func synchronizeNames() throws(FileSystemError) {
        _ = try retried("fsync", path) { fsync(descriptor) }
    }

    func startWriteback(from offset: UInt64, byteCount: UInt64) {
        #if os(Linux)
            // "Not needed soon" makes Linux start writing dirty pages and drop clean ones: just written, these are dirty, so they
            // stay cached. (sync_file_range says it directly, but Swift's Glibc does not have it.) A hint: what fails here is
            // reported when the file is synchronized.
            _ = posix_fadvise(descriptor, off_t(offset), off_t(byteCount), POSIX_FADV_DONTNEED)
        #endif
    }

    func startReadahead(from offset: UInt64, byteCount: UInt64) {
        #if os(Linux)
            _ = posix_fadvise(descriptor, off_t(offset), off_t(byteCount), POSIX_FADV_WILLNEED)
        #endif
    }

    func truncate(to byteCount: UInt64) throws(FileSystemError) {
        _ = try retried("ftruncate", path) { ftruncate(descriptor, off_t(byteCount)) }
    }

    func byteCount() throws(FileSystemError) -> UInt64 {
        var status = stat()
        _ = try retried("fstat", path) { fstat(descriptor, &status) }
        return UInt64(clamping: status.st_size)
    }

    func lock() throws(FileSystemError) {
        _ = try retried("flock", path) { flock(descriptor, LOCK_EX | LOCK_NB) }
    }
}
