import CMalloc

/// The C library's memory allocator, which Swift and RocksDB share.
enum Allocator {
    /// Has every thread keep the memory that it will need again in a moment. By default a thread's heap is given back as soon as 128 KiB at
    /// its end are free, and taken again page by page, with a system call for each.
    ///
    /// To be called before there are threads.
    static func configure() {
        mallopt(M_TRIM_THRESHOLD, 32 << 20)
        // Setting the one ends the automatic adjustment of the other.
        mallopt(M_MMAP_THRESHOLD, 4 << 20)
    }
}
