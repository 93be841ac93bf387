import KeyValueStore

/// What a change needs to know of its bucket.
struct BucketView {
    let name: String
    let id: BucketID
    let versioning: BucketVersioning
}

extension MetadataStateMachine {
    /// A bucket is deleted with its uploads in progress if they are no more than this: the work of one operation is bounded.
    package static let uploadsAbortedWithBucketCountMax = 1000
    /// As above, for the parts of those uploads together.
    package static let partsAbortedWithBucketCountMax = 20_000

    // MARK: Finding

    /// The bucket that a change names, if its owner is the one required.
    mutating func bucket(
        _ reference: BucketReference, _ writer: DigestingTransaction<some KeyValueTransaction>
    ) throws(ApplyStop) -> BucketView {
        guard let entry = try loadBucket(reference.name, writer) else { throw .refused(.noSuchBucket) }
        if let requiredOwner = reference.requiredOwner, requiredOwner != entry.record.owner.canonicalID {
            throw .refused(.accessDenied)
        }
        return BucketView(name: reference.name, id: entry.record.id, versioning: entry.record.versioning)
    }

    private mutating func loadBucket(
        _ name: String, _ writer: DigestingTransaction<some KeyValueTransaction>
    ) throws(ApplyStop) -> BucketEntry? {
        if let entry = bucketCache[name] { return entry }
        guard let bucket = try writer.read(KeySchema.bucket(name), in: KeySchema.buckets, BucketRecord.decode) else {
            return nil
        }
        let countersKey = KeySchema.counters(bucket.record.id)
        guard let counters = try writer.read(countersKey, in: KeySchema.system, BucketCounters.decode) else {
            throw .damaged("BucketCounters", "a bucket has no counters")
        }
        let entry = BucketEntry(
            record: bucket.record, recordContribution: bucket.contribution, counters: counters.record,
            countersContribution: counters.contribution, countersAreDirty: false)
        bucketCache.insert(entry, name: name)
        return entry
    }

    // MARK: Changes

    mutating func createBucket(
        _ request: CreateBucket, _ context: ChangeContext,
        _ writer: inout DigestingTransaction<some KeyValueTransaction>, _ effects: inout ApplyEffects
    ) throws(ApplyStop) -> MetadataReply {
        try refuse(RecordLimits.violation(request.owner))
        let nameByteCount = request.name.utf8.count
        guard nameByteCount > 0, nameByteCount <= RecordLimits.nameByteCountMax,
            request.location.utf8.count <= RecordLimits.nameByteCountMax
        else { throw .refused(.invalidArgument, "a bucket's name or location is empty or too long") }
        if let existing = try loadBucket(request.name, writer) {
            let isOwn = existing.record.owner.canonicalID == request.owner.canonicalID
            throw .refused(isOwn ? .bucketAlreadyOwnedByYou : .bucketAlreadyExists)
        }

        let record = BucketRecord(
            id: nextBucketID, createdMilliseconds: context.timestamp, owner: request.owner, versioning: .unversioned,
            location: request.location)
        nextBucketID = BucketID(nextBucketID.value + 1)
        let contribution = writer.put(
            record.encode(), for: KeySchema.bucket(request.name), in: KeySchema.buckets, replacing: nil)
        bucketCache.insert(
            BucketEntry(
                record: record, recordContribution: contribution, counters: BucketCounters(), countersContribution: nil,
                countersAreDirty: true),
            name: request.name)
        effects.changedBuckets.append(request.name)
        return .done
    }

    mutating func setBucketVersioning(
        _ request: SetBucketVersioning, _ writer: inout DigestingTransaction<some KeyValueTransaction>,
        _ effects: inout ApplyEffects
    ) throws(ApplyStop) -> MetadataReply {
        let name = request.bucket.name
        _ = try bucket(request.bucket, writer)
        guard request.versioning != .unversioned else {
            throw .refused(.invalidArgument, "versioning can be suspended, not undone")
        }
        guard let entry = bucketCache[name] else { preconditionFailure("a bucket in use is in the cache") }
        guard entry.record.versioning != request.versioning else { return .done }

        var record = entry.record
        record.versioning = request.versioning
        let contribution = writer.put(
            record.encode(), for: KeySchema.bucket(name), in: KeySchema.buckets, replacing: entry.recordContribution)
        bucketCache.update(name, record: record, contribution: contribution)
        effects.changedBuckets.append(name)
        return .done
    }

    mutating func deleteBucket(
        _ request: DeleteBucket, _ writer: inout DigestingTransaction<some KeyValueTransaction>, _ effects: inout ApplyEffects
    ) throws(ApplyStop) -> MetadataReply {
        let bucket = try bucket(request.bucket, writer)
        guard let entry = bucketCache[bucket.name] else { preconditionFailure("a bucket in use is in the cache") }
        guard entry.counters.versions == 0 else { throw .refused(.bucketNotEmpty) }
        let uploads = try uploadsToAbort(with: bucket, writer)
        let tagsKey = KeySchema.bucketTags(bucket.id)
        let tags = try writer.read(tagsKey, in: KeySchema.system, BucketTagsRecord.decode)

        for upload in uploads { remove(upload, &writer, &effects) }
        writer.delete(KeySchema.bucket(bucket.name), in: KeySchema.buckets, removing: entry.recordContribution)
        if let contribution = entry.countersContribution {
            writer.delete(KeySchema.counters(bucket.id), in: KeySchema.system, removing: contribution)
        }
        if let tags { writer.delete(tagsKey, in: KeySchema.system, removing: tags.contribution) }
        bucketCache.remove(bucket.name)
        effects.changedBuckets.append(bucket.name)
        return .done
    }

    private func uploadsToAbort(
        with bucket: BucketView, _ writer: DigestingTransaction<some KeyValueTransaction>
    ) throws(ApplyStop) -> [LoadedUpload] {
        var found: [(key: [UInt8], id: UploadID, contribution: StateDigest)] = []
        try writer.scan(
            KeySchema.uploads, from: KeySchema.lowerBound(bucket.id, prefix: []),
            to: KeySchema.upperBound(bucket.id, prefix: []), UploadRecord.decode
        ) { (key, stored) throws(ApplyStop) in
            guard let id = KeySchema.uploadID(in: key.span.bytes) else {
                throw .damaged("UploadRecord", "its key is malformed")
            }
            guard found.count < Self.uploadsAbortedWithBucketCountMax else {
                throw .refused(.bucketNotEmpty, "too many uploads are in progress")
            }
            found.append((key, id, stored.contribution))
            return true
        }
        var uploads: [LoadedUpload] = []
        var partCount = 0
        for upload in found {
            let parts = try loadParts(of: upload.id, writer)
            partCount += parts.count
            guard partCount <= Self.partsAbortedWithBucketCountMax else {
                throw .refused(.bucketNotEmpty, "uploads in progress have too many parts")
            }
            uploads.append(LoadedUpload(key: upload.key, id: upload.id, contribution: upload.contribution, parts: parts))
        }
        return uploads
    }

    // MARK: Refusing

    func refuse(_ violation: MetadataError?) throws(ApplyStop) {
        if let violation { throw .refused(violation) }
    }
}
