/// How a `RocksDBStore` is opened. The defaults keep a node with a million objects well under 512 MiB of memory;
/// docs/decisions/0001-key-value-store.md has the reasons.
package struct RocksDBOptions: Sendable {
    /// Commits go to RocksDB's write-ahead log (a single node). Without it (a replica, whose log is Raft's) a crash loses
    /// what was committed after the last flush, over all families at one point of the commit order.
    package var usesWriteAheadLog = true
    /// Blocks, index, filters and large values read lately, in bytes. Shared by all families.
    package var blockCacheBytes = 128 << 20
    /// Records are compressed, read and kept in the cache by blocks of about this size, in bytes. Larger ones cost a point read little
    /// (within a block a hash index leads to the key), and a listing fewer steps from one to the next.
    package var blockBytes = 16 << 10
    /// One family's memtable is written to a file beyond this, in bytes.
    package var writeBufferBytes = 32 << 20
    /// All memtables together; the largest is written to a file beyond this, in bytes.
    package var writeBuffersBytesMax = 64 << 20
    /// The log is kept below this by flushing the families that hold its oldest file, in bytes.
    package var writeAheadLogBytesMax: UInt64 = 192 << 20
    /// Values of this size or more go to blob files, in families that hold large values, in bytes.
    package var blobBytesMin: UInt64 = 4 << 10
    /// Table files kept open. Each costs a descriptor and a little memory; beyond it, they are opened again when read,
    /// and a `.memory` read of one that is not open is `.incomplete`.
    package var openFilesMax = 512
    /// Flushes and compactions that run at once.
    package var backgroundJobs = 2
    package var bloomBitsPerKey = 10.0
    /// The share of `writeBufferBytes` that is set aside for each memtable's filter. Records take up some 300 bytes, so this gives each
    /// about as many bits as a table file's filter does.
    package var memtableBloomRatio = 0.005
    /// Takes what RocksDB complains of: warnings and worse. Called on any thread, RocksDB's own among them, by several at once, and
    /// sometimes with its locks held: it must not block for long, nor use the store. Nil: nobody does. There is no log file.
    package var log: (@Sendable (RocksDBLogLine) -> Void)?

    package init() {}
}
