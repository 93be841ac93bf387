import KeyValueStore
import ObjectDataStore

/// Tags of objects stand in the versions' records, those of buckets in records of their own.
extension MetadataStateMachine {
    mutating func setObjectTagging(
        _ request: SetObjectTagging, _ writer: inout DigestingTransaction<some KeyValueTransaction>
    ) throws(ApplyStop) -> MetadataReply {
        let bucket = try bucket(request.bucket, writer)
        try refuse(RecordLimits.violation(request.tags))
        let state = try keyState(bucket, request.key, writer)
        let version = try versionToTag(request.versionID, state, writer)
        guard let stored = try writer.read(version.key, in: KeySchema.objects, VersionRecord.decode) else {
            throw .damaged("VersionRecord", "it cannot be read again")
        }
        var record = stored.record
        record.attributes.tags = request.tags
        // With the rest of what the object has, which was within the limits before.
        try refuse(RecordLimits.violation(record.attributes))

        let id = version.head.flags.versionID(at: version.position)
        writer.put(record.encode(), for: version.key, in: KeySchema.objects, replacing: version.contribution)
        return .put(Self.result(record, id, bucket))
    }

    private func versionToTag(
        _ versionID: VersionID?, _ state: KeyState, _ writer: DigestingTransaction<some KeyValueTransaction>
    ) throws(ApplyStop) -> StoredVersion {
        guard let versionID else {
            guard let object = state.object else { throw .refused(Self.absence(state)) }
            return object
        }
        guard let named = try version(versionID, state, writer) else { throw .refused(.noSuchVersion) }
        guard !named.head.isDeleteMarker else {
            throw .refused(
                MetadataError(
                    .deleteMarker, deleteMarker: versionID, lastModifiedMilliseconds: named.head.modifiedMilliseconds))
        }
        return named
    }

    mutating func setBucketTagging(
        _ request: SetBucketTagging, _ writer: inout DigestingTransaction<some KeyValueTransaction>
    ) throws(ApplyStop) -> MetadataReply {
        let bucket = try bucket(request.bucket, writer)
        try refuse(RecordLimits.violation(request.tags))
        let key = KeySchema.bucketTags(bucket.id)
        let old = try writer.read(key, in: KeySchema.system, BucketTagsRecord.decode)

        if !request.tags.isEmpty {
            writer.put(
                BucketTagsRecord(tags: request.tags).encode(), for: key, in: KeySchema.system, replacing: old?.contribution)
        } else if let old {
            writer.delete(key, in: KeySchema.system, removing: old.contribution)
        }
        return .done
    }
}
