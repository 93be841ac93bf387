/// The log's sizes. Everything that grows has its bound here.
package struct LogSettings: Sendable {
    /// A multiple of 4 KiB. Files of another size are used as they are, and not reused.
    package var segmentByteCount = 64 << 20
    /// How many segments are made ahead of use, so that a full disk is known before the log needs it.
    package var reserveCountMin = 2
    /// How many released segments are kept for reuse; more are deleted.
    package var reserveCountMax = 4
    /// This much of the log stays behind a snapshot, for followers that are a little behind.
    package var retainedByteCountMin: UInt64 = 64 << 20
    package var cacheEntryCountMax = 65_536
    package var cacheByteCountMax = 32 << 20
    /// Bugs, for tests.
    package var mutations: StorageMutations = []

    package init() {}
}
