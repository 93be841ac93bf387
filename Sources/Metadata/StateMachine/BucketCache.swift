/// A bucket as `apply` works with it.
struct BucketEntry {
    var record: BucketRecord
    /// What the stored record counts in the digest.
    var recordContribution: StateDigest
    /// Including the changes of the batch in progress.
    var counters: BucketCounters
    /// What the counters in the store count in the digest; `nil`: none are stored yet (the bucket was made in this batch).
    var countersContribution: StateDigest?
    var countersAreDirty: Bool
}

/// The buckets that were used lately: their records, and their counters, which change with nearly every operation and are
/// written once a batch.
///
/// Exact, because only `apply` changes buckets, and it changes them here first: `insert` when one is made, `update` when one changes,
/// `remove` when one goes. A batch that is not committed leaves the cache wrong; the whole state machine is discarded then.
struct BucketCache {
    /// Entries kept from batch to batch; about half a KiB each.
    static let bucketCountMax = 1024

    private var entries: [String: BucketEntry] = [:]
    /// Buckets with counters to be written, in the order of their first change; a bucket that went may still be named.
    private var dirtyNames: [String] = []

    subscript(name: String) -> BucketEntry? { entries[name] }

    mutating func insert(_ entry: BucketEntry, name: String) {
        entries[name] = entry
        if entry.countersAreDirty { dirtyNames.append(name) }
    }

    mutating func update(_ name: String, record: BucketRecord, contribution: StateDigest) {
        entries[name]?.record = record
        entries[name]?.recordContribution = contribution
    }

    mutating func remove(_ name: String) {
        entries[name] = nil
    }

    mutating func change(_ name: String, _ change: CounterChange) {
        guard let wasDirty = entries[name]?.countersAreDirty else { preconditionFailure("a bucket in use is in the cache") }
        if !wasDirty { dirtyNames.append(name) }
        entries[name]?.countersAreDirty = true
        entries[name]?.counters.add(change)
    }

    /// Writes what changed; then drops all entries if there are too many (they are read again when they are used again).
    mutating func finishBatch(_ write: (BucketEntry) -> StateDigest) {
        for name in dirtyNames {
            guard let entry = entries[name], entry.countersAreDirty else { continue }
            entries[name]?.countersContribution = write(entry)
            entries[name]?.countersAreDirty = false
        }
        dirtyNames.removeAll(keepingCapacity: true)
        if entries.count > Self.bucketCountMax { entries.removeAll() }
    }
}

/// A difference of counters.
struct CounterChange {
    var objects = 0
    var versions = 0
    /// Added with wrap-around: a subtraction is the addition of its complement.
    var bytes: UInt64 = 0

    mutating func addVersion(size: UInt64) {
        versions += 1
        bytes &+= size
    }

    mutating func removeVersion(size: UInt64) {
        versions -= 1
        bytes &-= size
    }
}

extension BucketCounters {
    mutating func add(_ change: CounterChange) {
        objects &+= UInt64(bitPattern: Int64(change.objects))
        versions &+= UInt64(bitPattern: Int64(change.versions))
        bytes &+= change.bytes
    }
}
