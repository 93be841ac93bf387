package import KeyValueStore

/// The state after one commit, as readers see it: whole, and never changed.
///
/// One is made for each commit and shared by all reads until the next, because a snapshot of the store costs more than a
/// reference to one.
package struct EngineView<Snapshot: KeyValueSnapshot>: Sendable {
    package let snapshot: Snapshot
    /// The last operation that it shows, and the digest of the state there.
    package let applied: AppliedRecord
    /// Buckets of that same state.
    package let buckets: BucketTable

    package init(snapshot: Snapshot, applied: AppliedRecord, buckets: BucketTable) {
        self.snapshot = snapshot
        self.applied = applied
        self.buckets = buckets
    }
}

/// The buckets' records, so that a read needs none of the store's: all of them, or if there are too many, those met first.
package struct BucketTable: Sendable {
    /// Some megabytes at most.
    package static let countMax = 10_000

    private var records: [String: BucketRecord] = [:]
    /// Every bucket is in `records`: what is not there does not exist.
    private var isComplete = true

    /// - Throws: what the store throws.
    package init<Reader: KeyValueReader>(_ reader: MetadataReader<Reader>) throws(MetadataReadError) {
        var cursor: Reader.Cursor
        do throws(KeyValueStoreError) {
            cursor = try reader.reader.makeCursor(in: KeySchema.buckets, from: nil, to: nil, tier: reader.tier)
            try cursor.seekToFirst()
        } catch { throw MetadataReadError(error) }
        while cursor.isValid {
            guard records.count < Self.countMax else {
                isComplete = false
                break
            }
            guard let name = cursor.withKey({ bytes in bytes.string(0..<bytes.byteCount) }) else {
                throw .failed(.corruption, "a bucket's name is not UTF-8")
            }
            records[name] = try cursor.decodeValue(BucketRecord.decode)
            try cursor.step()
        }
    }

    /// The bucket that a request names, if its caller may use it.
    /// - Parameter reader: over the state that this table belongs to.
    /// - Throws: `.noSuchBucket`, `.accessDenied`.
    package func bucket<Reader: KeyValueReader>(
        _ reference: BucketReference, _ reader: MetadataReader<Reader>
    ) throws(MetadataReadError) -> BucketRecord {
        let known = records[reference.name]
        let record = known == nil && !isComplete ? try reader.bucket(named: reference.name) : known
        guard let record else { throw .failed(.noSuchBucket) }
        if let owner = reference.requiredOwner, owner != record.owner.canonicalID { throw .failed(.accessDenied) }
        return record
    }

    /// Takes over what a commit changed. A record that cannot be read is left to those who ask for it.
    /// - Parameter reader: over the state after it.
    package mutating func update<Reader: KeyValueReader>(_ names: some Sequence<String>, _ reader: MetadataReader<Reader>) {
        for name in names {
            do throws(MetadataReadError) {
                let record = try reader.bucket(named: name)
                let hasRoom = records[name] != nil || records.count < Self.countMax
                records[name] = hasRoom ? record : nil
                if record != nil, !hasRoom { isComplete = false }
            } catch {
                records[name] = nil
                isComplete = false
            }
        }
    }
}
