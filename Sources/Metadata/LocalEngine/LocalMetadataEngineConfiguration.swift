import Glibc
public import Logging

/// How a `LocalMetadataEngine` is opened.
public struct LocalMetadataEngineConfiguration: Sendable {
    /// The directory of the key-value store (`kv_path`); its parent must exist. Absolute.
    public var keyValuePath: String
    /// The directory of the bodies of large objects (`mx_path`). Absolute.
    public var objectDataPath: String
    /// Blocks, index, filters and inline bodies read lately, in bytes.
    public var blockCacheByteCount = 128 << 20
    /// Threads that read the store where the disk may be needed: listings, and what is not in the cache.
    public var readThreadCount = 4
    /// Threads that write and read bodies.
    public var bodyThreadCount = 8
    /// Becomes part of the bodies' ids; 0 for a node that is alone.
    public var nodeID: UInt16 = 0
    /// Writes other than deletions are refused with `.noSpace` while the file system of `keyValuePath` has less than this
    /// available, in bytes; deletions below a quarter of it, and large bodies below twice as much. The store itself stops for
    /// good when the disk is full under it, so it must not come to that.
    public var reservedByteCount: UInt64 = 256 << 20
    /// Milliseconds UTC. What it says is made monotonic.
    public var clock: @Sendable () -> UInt64 = LocalMetadataEngineConfiguration.systemClock
    public var logger: Logger

    public init(keyValuePath: String, objectDataPath: String, logger: Logger) {
        self.keyValuePath = keyValuePath
        self.objectDataPath = objectDataPath
        self.logger = logger
    }

    /// The system's time, in milliseconds UTC.
    public static let systemClock: @Sendable () -> UInt64 = {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return UInt64(now.tv_sec) * 1000 + UInt64(now.tv_nsec) / 1_000_000
    }
}
