package import FileSystem
package import Raft

/// The Raft log on disk: entries, hard state and snapshot marks in one stream of records, in segments that are reused.
///
/// It has no thread and no clock. What a write does comes in steps, so that whoever drives it decides what happens between them, and
/// a test can let the machine stop there:
///
///     append(batch)  in memory only: the records are encoded and the log says what it will say
///     write()        the bytes go to the file
///     synchronize()  they are durable: only now may anybody be told
///     maintain()     gives up segments that a snapshot replaced, makes new ones ahead of use
///
/// Not safe for concurrent use. `LogWriter` drives one from a thread of its own.
package final class SegmentedLog {
    package let directory: String
    package let identity: LogIdentity
    package let settings: LogSettings
    let fileSystem: any FileSystem

    var table: LogTable
    var cache: EntryCache

    // Segments that are not in use yet.
    var reserves: [PreparedSegment]
    /// Files that were released and wait to be reused.
    var released: [ReleasedSegment] = []
    var nextReserveNumber: UInt64
    /// Entries behind it stay, whatever a snapshot covers; nil if nobody asked.
    package var retentionFloor: LogIndex?

    // What was appended and not yet handed to a write.
    var buffer = AlignedBuffer(capacity: 1 << 16)
    var spareBuffer: AlignedBuffer?
    var chunks: [LogWrite.Chunk] = []
    var openBatch: OpenBatch?
    /// Whether nothing lies behind the newest batch that `seal` made: it needs no cover itself.
    var lastBatchIsSeal = false
    var nextSequence: UInt64
    /// What will be synchronized when the next chunk is written.
    var promisedEnd: LogPosition
    /// What headers written so far say that is synchronized.
    var statedEnd: LogPosition

    var written: LogMarks
    var durable: LogMarks
    /// Of the write that is under way.
    var writing: LogMarks?
    /// Of the synchronization that is under way.
    var synchronizing: LogMarks?
    /// The first error of a write or synchronization: the log is over.
    package internal(set) var failure: FileSystemError?
    /// Under `StorageMutations.delaysHardState` only.
    var delayedHardState: HardState?

    /// A batch that still takes records.
    struct OpenBatch {
        var bufferStart: Int
        var offset: Int
        var recordCount: UInt32 = 0
        var recordsByteCount = 0
    }

    init(
        directory: String, fileSystem: any FileSystem, identity: LogIdentity, settings: LogSettings, table: LogTable,
        reserves: [PreparedSegment], nextReserveNumber: UInt64, nextSequence: UInt64
    ) {
        self.directory = directory
        self.fileSystem = fileSystem
        self.identity = identity
        self.settings = settings
        self.table = table
        self.reserves = reserves
        self.nextReserveNumber = nextReserveNumber
        self.nextSequence = nextSequence
        cache = EntryCache(entryCountMax: settings.cacheEntryCountMax, byteCountMax: settings.cacheByteCountMax)
        let end = table.segments.last.map { LogPosition(segment: $0.number, offset: UInt64($0.end)) }
        promisedEnd = end ?? LogPosition(segment: 0, offset: 0)
        statedEnd = LogPosition(segment: 0, offset: 0)
        written = LogMarks(
            end: promisedEnd, coveredEnd: statedEnd, lastIndex: table.contents.lastIndex,
            snapshotIndex: table.contents.snapshot?.index ?? LogIndex.zero)
        durable = written
    }

    // MARK: What it says

    /// What the log says with everything that was appended, durable or not.
    package var contents: LogContents { table.contents }
    /// The last entry that is durable.
    package var durableIndex: LogIndex { durable.lastIndex }
    /// Everything before it is durable.
    package var durableEnd: LogPosition { durable.end }
    /// Everything before it is durable and said to be so by a batch behind it: damage there is told from a torn write. `seal` moves
    /// it to the end.
    package var coveredEnd: LogPosition { durable.coveredEnd }
    /// Whether something was appended that is not durable.
    package var hasUnsynchronized: Bool { hasUnwritten || writing != nil || durable.end != written.end }
    /// Whether something was appended that no write has taken.
    package var hasUnwritten: Bool { openBatch != nil || !chunks.isEmpty }
    /// Bytes of all segments in use up to their ends.
    package var byteCount: UInt64 { table.segments.reduce(0) { $0 + UInt64($1.end) } }
    package var segmentCount: Int { table.segments.count }
    package var reserveCount: Int { reserves.count }

    func ensureHealthy() throws(LogError) {
        if let failure { throw .failed(failure) }
    }

    /// The log is over; says so.
    func fail(_ error: FileSystemError) -> LogError {
        if failure == nil { failure = error }
        return .file(error)
    }
}
