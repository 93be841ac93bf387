import KeyValueStore
import NIOCore
import ObjectDataStore

/// A part of an upload, as it stands in `parts`.
struct LoadedPart {
    let key: [UInt8]
    let number: UInt16
    let record: PartRecord
    let contribution: StateDigest
}

/// An upload in progress and all its parts, to be removed.
struct LoadedUpload {
    let key: [UInt8]
    let id: UploadID
    let contribution: StateDigest
    let parts: [LoadedPart]
}

extension MetadataStateMachine {
    /// Parts of one upload (S3's limit).
    package static let partCountMax: UInt16 = 10_000

    // MARK: Finding

    private mutating func upload(
        _ reference: MultipartUploadReference, _ bucket: BucketView,
        _ writer: DigestingTransaction<some KeyValueTransaction>
    ) throws(ApplyStop) -> (key: [UInt8], stored: Stored<UploadRecord>)? {
        let key = KeySchema.upload(bucket.id, reference.key.bytes, reference.uploadID)
        guard let stored = try writer.read(key, in: KeySchema.uploads, UploadRecord.decode) else { return nil }
        return (key, stored)
    }

    /// All parts of an upload, by number. At most `partCountMax`.
    func loadParts(
        of upload: UploadID, _ writer: DigestingTransaction<some KeyValueTransaction>
    ) throws(ApplyStop) -> [LoadedPart] {
        var parts: [LoadedPart] = []
        try writer.scan(
            KeySchema.parts, from: KeySchema.part(upload, 0), to: KeySchema.part(upload, .max), PartRecord.decode
        ) { (key, stored) throws(ApplyStop) in
            guard let number = KeySchema.part(in: key.span.bytes)?.number else {
                throw .damaged("PartRecord", "its key is malformed")
            }
            parts.append(
                LoadedPart(key: key, number: number, record: stored.record, contribution: stored.contribution))
            return true
        }
        return parts
    }

    // MARK: Changes

    mutating func createMultipartUpload(
        _ request: CreateMultipartUpload, _ context: ChangeContext,
        _ writer: inout DigestingTransaction<some KeyValueTransaction>
    ) throws(ApplyStop) -> MetadataReply {
        let bucket = try bucket(request.bucket, writer)
        try refuse(RecordLimits.violation(request.attributes))
        try refuse(RecordLimits.violation(request.owner))
        if let algorithm = request.checksumAlgorithm, let kind = request.checksumKind {
            guard algorithm.supports(kind) else {
                throw .refused(.invalidArgument, "the checksum algorithm does not go with the checksum type")
            }
        } else if request.checksumKind != nil {
            throw .refused(.invalidArgument, "a checksum type needs an algorithm")
        }

        let id = UploadID(position: context.position)
        let record = UploadRecord(
            initiatedMilliseconds: context.timestamp, owner: request.owner, attributes: request.attributes,
            checksumAlgorithm: request.checksumAlgorithm, checksumKind: request.checksumKind)
        writer.put(
            record.encode(), for: KeySchema.upload(bucket.id, request.key.bytes, id), in: KeySchema.uploads,
            replacing: nil)
        return .uploadCreated(id)
    }

    mutating func putPart(
        _ request: PutPart, _ context: ChangeContext,
        _ writer: inout DigestingTransaction<some KeyValueTransaction>, _ effects: inout ApplyEffects
    ) throws(ApplyStop) -> MetadataReply {
        let bucket = try bucket(request.upload.bucket, writer)
        try refuse(RecordLimits.violation(request.checksum))
        try refuse(RecordLimits.violation(request.body))
        guard (1...Self.partCountMax).contains(request.number), request.etag.partCount == 0 else {
            throw .refused(.invalidArgument, "a part's number is not between 1 and 10,000, or its tag not an MD5")
        }
        guard let upload = try upload(request.upload, bucket, writer) else { throw .refused(.noSuchUpload) }
        if let checksum = request.checksum, let algorithm = upload.stored.record.checksumAlgorithm {
            guard checksum.algorithm == algorithm else {
                throw .refused(.invalidArgument, "the part's checksum is not of the upload's algorithm")
            }
        }
        try requireUnreferenced(request.body, writer)
        let key = KeySchema.part(request.upload.uploadID, request.number)
        let old = try writer.read(key, in: KeySchema.parts, PartRecord.decode)

        if let old { releaseContent(of: old.record, key, request.upload.uploadID, request.number, &writer, &effects) }
        var record = PartRecord(
            modifiedMilliseconds: context.timestamp, size: request.body.byteCount, etag: request.etag,
            checksum: request.checksum, location: .empty)
        switch request.body {
        case .inline(let bytes):
            if bytes.readableBytes > 0 {
                let inlineKey = KeySchema.inlinePart(request.upload.uploadID, request.number)
                bytes.withUnsafeReadableBytes {
                    record.location = .inline(hash: BodyHash.hash($0))
                    writer.putInline($0, for: inlineKey)
                }
            }
        case .stored(let stored):
            record.location = .stored(stored.id)
            putReference(stored.id, BodyReference(.part(key: key), length: stored.length), &writer)
            effects.referencedBodies.append(stored)
        }
        writer.put(record.encode(), for: key, in: KeySchema.parts, replacing: old?.contribution)
        return .done
    }

    mutating func abortMultipartUpload(
        _ request: MultipartUploadReference, _ writer: inout DigestingTransaction<some KeyValueTransaction>,
        _ effects: inout ApplyEffects
    ) throws(ApplyStop) -> MetadataReply {
        let bucket = try bucket(request.bucket, writer)
        guard let upload = try upload(request, bucket, writer) else { throw .refused(.noSuchUpload) }
        let parts = try loadParts(of: request.uploadID, writer)

        let loaded = LoadedUpload(
            key: upload.key, id: request.uploadID, contribution: upload.stored.contribution, parts: parts)
        remove(loaded, &writer, &effects)
        return .done
    }

    // MARK: Removing

    func remove(
        _ upload: LoadedUpload, _ writer: inout DigestingTransaction<some KeyValueTransaction>,
        _ effects: inout ApplyEffects
    ) {
        for part in upload.parts {
            releaseContent(of: part.record, part.key, upload.id, part.number, &writer, &effects)
            writer.delete(part.key, in: KeySchema.parts, removing: part.contribution)
        }
        writer.delete(upload.key, in: KeySchema.uploads, removing: upload.contribution)
    }

    private func releaseContent(
        of part: PartRecord, _ key: [UInt8], _ upload: UploadID, _ number: UInt16,
        _ writer: inout DigestingTransaction<some KeyValueTransaction>, _ effects: inout ApplyEffects
    ) {
        switch part.location {
        case .empty: break
        case .inline: writer.deleteInline(KeySchema.inlinePart(upload, number))
        case .stored(let id): release(id, BodyReference(.part(key: key), length: part.size), &writer, &effects)
        }
    }
}

extension ChecksumAlgorithm {
    /// Whether an object's checksum of that kind can be made from its parts' checksums (S3: CRC64NVME only of the whole object,
    /// the SHAs only of the parts, the other CRCs both).
    func supports(_ kind: ObjectChecksum.Kind) -> Bool {
        switch self {
        case .crc32, .crc32c: true
        case .crc64nvme: kind == .fullObject
        case .sha1, .sha256: kind == .composite
        }
    }
}
