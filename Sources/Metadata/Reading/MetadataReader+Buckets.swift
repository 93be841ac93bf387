import KeyValueStore

extension MetadataReader {
    /// `nil`: there is no bucket of that name.
    package func bucket(named name: String) throws(MetadataReadError) -> BucketRecord? {
        try record(KeySchema.bucket(name), in: KeySchema.buckets, BucketRecord.decode)
    }

    /// What the bucket holds.
    package func usage(of bucket: BucketRecord) throws(MetadataReadError) -> BucketUsage {
        let counters = try record(KeySchema.counters(bucket.id), in: KeySchema.system, BucketCounters.decode)
        guard let counters else { throw .failed(.corruption, "a bucket has no counters") }
        return counters.usage
    }

    /// Empty: it has none.
    package func tags(of bucket: BucketRecord) throws(MetadataReadError) -> [ResourceTag] {
        try record(KeySchema.bucketTags(bucket.id), in: KeySchema.system, BucketTagsRecord.decode)?.tags ?? []
    }

    /// The owner's buckets in the order of their names. Others' buckets are passed over one by one.
    package func listBuckets(_ request: ListBuckets) throws(MetadataReadError) -> ListBucketsPage {
        let countMax = min(max(request.maxBuckets, 0), 10_000)
        var page = ListBucketsPage(buckets: [], nextStartAfter: nil)
        guard countMax > 0 else { return page }
        let prefix = Array(request.prefix.utf8)
        // The least name that is greater than the marker.
        let afterMarker = request.startAfter.isEmpty ? [] : Array(request.startAfter.utf8) + [0]
        let start = prefix.lexicographicallyPrecedes(afterMarker) ? afterMarker : prefix
        var cursor: Reader.Cursor
        do throws(KeyValueStoreError) {
            cursor = try reader.makeCursor(in: KeySchema.buckets, from: start, to: nil, tier: tier)
            try cursor.seekToFirst()
        } catch { throw MetadataReadError(error) }
        while cursor.isValid {
            let name = cursor.withKey { bytes in bytes.string(0..<bytes.byteCount) }
            guard let name else { throw .failed(.corruption, "a bucket's name is not UTF-8") }
            guard name.utf8.starts(with: prefix) else { break }
            let record = try cursor.decodeValue(BucketRecord.decode)
            if record.owner.canonicalID == request.owner {
                guard page.buckets.count < countMax else {
                    page.nextStartAfter = page.buckets.last?.name
                    break
                }
                page.buckets.append(record.info(name: name))
            }
            try cursor.step()
        }
        return page
    }
}
