import KeyValueStore
import NIOCore
import ObjectDataStore

extension MetadataStateMachine {
    mutating func putObject(
        _ request: PutObject, _ context: ChangeContext,
        _ writer: inout DigestingTransaction<some KeyValueTransaction>, _ effects: inout ApplyEffects
    ) throws(ApplyStop) -> MetadataReply {
        let bucket = try bucket(request.bucket, writer)
        try refuse(RecordLimits.violation(request.attributes))
        try refuse(RecordLimits.violation(request.owner))
        try refuse(RecordLimits.violation(request.checksum))
        try refuse(RecordLimits.violation(request.body))
        let state = try keyState(bucket, request.key, writer)
        try refuse(request.conditions.refusal(state.newest))
        try requireUnreferenced(request.body, writer)

        var record = VersionRecord(
            flags: [], modifiedMilliseconds: context.timestamp, size: request.body.byteCount, etag: request.etag,
            checksum: request.checksum, owner: request.owner, attributes: request.attributes, bodyHash: 0, bodyID: nil)
        switch request.body {
        case .inline(let bytes):
            if bytes.readableBytes > 0 {
                record.flags.insert(.hasInline)
                record.bodyHash = bytes.withUnsafeReadableBytes { BodyHash.hash($0) }
            }
        case .stored(let stored):
            record.flags.insert(.hasSingleBody)
            record.bodyID = stored.id
        }
        let versionID = try place(record, NewContent(inlineBytes: request.body), over: state, context, &writer, &effects)
        if case .stored(let stored) = request.body { effects.referencedBodies.append(stored) }
        return .put(Self.result(record, versionID, bucket))
    }

    static func result(_ record: VersionRecord, _ versionID: VersionID, _ bucket: BucketView) -> PutObjectResult {
        PutObjectResult(
            versionID: versionID, etag: record.etag, size: record.size,
            lastModifiedMilliseconds: record.modifiedMilliseconds, checksum: record.checksum,
            bucketVersioning: bucket.versioning)
    }

    /// Hides the object or removes it, or removes the version that is named.
    mutating func deleteObject(
        _ request: DeleteObject, _ context: ChangeContext,
        _ writer: inout DigestingTransaction<some KeyValueTransaction>, _ effects: inout ApplyEffects
    ) throws(ApplyStop) -> MetadataReply {
        let bucket = try bucket(request.bucket, writer)
        try refuse(RecordLimits.violation(request.owner))
        let state = try keyState(bucket, request.key, writer)
        if let versionID = request.versionID {
            return try deleteVersion(versionID, request, state, &writer, &effects)
        }
        try refuse(request.conditions.refusal(state.newest))

        if bucket.versioning == .unversioned {
            if let newest = state.newest { try remove(newest, from: state, &writer, &effects) }
            return .deleted(DeleteObjectResult(versionID: nil, isDeleteMarker: false))
        }
        let marker = VersionRecord(
            flags: .isDeleteMarker, modifiedMilliseconds: context.timestamp, size: 0, etag: ETag(high: 0, low: 0),
            checksum: nil, owner: request.owner, attributes: ObjectAttributes(), bodyHash: 0, bodyID: nil)
        let versionID = try place(marker, NewContent(), over: state, context, &writer, &effects)
        return .deleted(DeleteObjectResult(versionID: versionID, isDeleteMarker: true))
    }

    private mutating func deleteVersion(
        _ versionID: VersionID, _ request: DeleteObject, _ state: KeyState,
        _ writer: inout DigestingTransaction<some KeyValueTransaction>, _ effects: inout ApplyEffects
    ) throws(ApplyStop) -> MetadataReply {
        let named = try version(versionID, state, writer)
        // The conditions are about the version to be removed.
        try refuse(request.conditions.refusal(named))

        if let named { try remove(named, from: state, &writer, &effects) }
        return .deleted(
            DeleteObjectResult(
                versionID: state.bucket.versioning == .unversioned ? nil : versionID,
                isDeleteMarker: named?.head.isDeleteMarker ?? false))
    }

    /// Replaces the attributes of the newest version where that makes no new version.
    mutating func updateMetadata(
        _ request: UpdateObjectMetadata, _ context: ChangeContext,
        _ writer: inout DigestingTransaction<some KeyValueTransaction>
    ) throws(ApplyStop) -> MetadataReply {
        let bucket = try bucket(request.bucket, writer)
        try refuse(RecordLimits.violation(request.attributes))
        guard bucket.versioning != .enabled else {
            throw .refused(.invalidArgument, "with versioning enabled a copy makes a new version")
        }
        let state = try keyState(bucket, request.key, writer)
        try refuse(request.conditions.refusal(state.newest))
        guard let object = state.object else { throw .refused(Self.absence(state)) }
        guard object.head.isNull else {
            throw .refused(.invalidArgument, "the newest version has an id: a copy makes the null version")
        }
        guard object.head.etag == request.expectedETag else {
            throw .refused(.preconditionFailed, "the object has been replaced")
        }
        guard let stored = try writer.read(object.key, in: KeySchema.objects, VersionRecord.decode) else {
            throw .damaged("VersionRecord", "it cannot be read again")
        }

        var record = stored.record
        record.attributes = request.attributes
        if request.keepsTags {
            record.attributes.tags = stored.record.attributes.tags
            try refuse(RecordLimits.violation(record.attributes))
        }
        record.modifiedMilliseconds = context.timestamp
        writer.put(record.encode(), for: object.key, in: KeySchema.objects, replacing: object.contribution)
        return .put(Self.result(record, .null, bucket))
    }

    static func absence(_ state: KeyState) -> MetadataError {
        MetadataError(
            .noSuchKey, deleteMarker: state.newest.map { $0.head.flags.versionID(at: $0.position) },
            lastModifiedMilliseconds: state.newest?.head.modifiedMilliseconds)
    }
}
