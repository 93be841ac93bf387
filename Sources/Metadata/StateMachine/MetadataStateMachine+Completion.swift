import Crypto
import KeyValueStore
import NIOCore
import ObjectDataStore

/// CompleteMultipartUpload: parts become an object. Stored bodies stay where they are; only what names them changes.
extension MetadataStateMachine {
    /// 5 MiB: every part but the last has at least this (S3's limit).
    package static let partByteCountMin: UInt64 = 5 << 20

    mutating func completeMultipartUpload(
        _ request: CompleteMultipartUpload, _ context: ChangeContext,
        _ writer: inout DigestingTransaction<some KeyValueTransaction>, _ effects: inout ApplyEffects
    ) throws(ApplyStop) -> MetadataReply {
        let bucket = try bucket(request.upload.bucket, writer)
        try refuse(RecordLimits.violation(request.checksum))
        try refuse(Self.orderViolation(request.parts))
        let uploadID = request.upload.uploadID
        let uploadKey = KeySchema.upload(bucket.id, request.upload.key.bytes, uploadID)
        guard let upload = try writer.read(uploadKey, in: KeySchema.uploads, UploadRecord.decode) else {
            return try repeatedCompletion(request, bucket, writer)
        }
        let parts = try loadParts(of: uploadID, writer)
        let chosen = try Self.choose(request.parts, from: parts)
        let size = chosen.reduce(0) { $0 + $1.record.size }
        if let expected = request.expectedSize, expected != size {
            throw .refused(.invalidArgument, "the object's size is not the one given")
        }
        let checksum: ObjectChecksum?
        switch MultipartChecksum.of(chosen.map(\.record), upload: upload.record, given: request.checksum) {
        case .success(let computed): checksum = computed
        case .failure(let refusal): throw .refused(refusal)
        }
        let state = try keyState(bucket, request.upload.key, writer)
        try refuse(request.conditions.refusal(state.newest))
        let inlineBytes = try gatherInline(chosen, of: uploadID, writer)

        // The bodies change hands: as parts they are forgotten, not released.
        let chosenNumbers = Set(chosen.map(\.number))
        let unnamed = parts.filter { !chosenNumbers.contains($0.number) }
        for part in chosen { forget(part, of: uploadID, &writer) }
        remove(
            LoadedUpload(key: uploadKey, id: uploadID, contribution: upload.contribution, parts: unnamed), &writer, &effects)

        var record = VersionRecord(
            flags: .hasManifest, modifiedMilliseconds: context.timestamp, size: size, etag: Self.etag(of: chosen),
            checksum: checksum, owner: upload.record.owner, attributes: upload.record.attributes, bodyHash: 0, bodyID: nil)
        if inlineBytes.readableBytes > 0 {
            record.flags.insert(.hasInline)
            record.bodyHash = inlineBytes.withUnsafeReadableBytes { BodyHash.hash($0) }
        }
        let manifest = ManifestRecord(
            upload: uploadID, parts: chosen.map { ManifestRecord.Part(number: $0.number, record: $0.record) })
        let content = NewContent(inlineBytes: .inline(inlineBytes), manifest: manifest)
        let versionID = try place(record, content, over: state, context, &writer, &effects)
        return .put(Self.result(record, versionID, bucket))
    }

    // MARK: Deciding

    private static func orderViolation(_ parts: [CompletedPart]) -> MetadataError? {
        guard !parts.isEmpty, parts.count <= Int(partCountMax) else {
            return MetadataError(.invalidArgument, "a completion names 1 to 10,000 parts")
        }
        for (left, right) in zip(parts, parts.dropFirst()) where left.number >= right.number {
            return MetadataError(.invalidPartOrder)
        }
        return nil
    }

    /// The parts named, in order. Both lists ascend, so one walk finds them.
    private static func choose(_ named: [CompletedPart], from parts: [LoadedPart]) throws(ApplyStop) -> [LoadedPart] {
        var chosen: [LoadedPart] = []
        chosen.reserveCapacity(named.count)
        var candidates = parts[...]
        for name in named {
            candidates = candidates.drop { $0.number < name.number }
            guard let part = candidates.first, part.number == name.number, name.matches(part.record) else {
                throw .refused(.invalidPart, "part \(name.number)")
            }
            chosen.append(part)
        }
        for part in chosen.dropLast() where part.record.size < partByteCountMin {
            throw .refused(.entityTooSmall, "part \(part.number)")
        }
        return chosen
    }

    /// The MD5 over the parts' MD5s, and how many they were.
    private static func etag(of parts: [LoadedPart]) -> ETag {
        var md5s: [UInt8] = []
        md5s.reserveCapacity(parts.count * 16)
        for part in parts {
            md5s.appendBigEndian(part.record.etag.high)
            md5s.appendBigEndian(part.record.etag.low)
        }
        return ETag(md5: Insecure.MD5.hash(data: md5s), partCount: UInt16(parts.count))
    }

    /// The bytes of the parts that are in the store, one after another: at most one is there in practice, since all but the last
    /// part are larger than an inline body may be.
    private func gatherInline(
        _ parts: [LoadedPart], of upload: UploadID, _ writer: DigestingTransaction<some KeyValueTransaction>
    ) throws(ApplyStop) -> ByteBuffer {
        var buffer = ByteBuffer()
        for part in parts {
            guard case .inline = part.record.location else { continue }
            guard let bytes = try writer.readInline(KeySchema.inlinePart(upload, part.number)) else {
                throw .damaged("PartRecord", "its inline bytes are missing")
            }
            guard bytes.count == part.record.size else { throw .damaged("PartRecord", "its inline bytes are cut short") }
            buffer.writeBytes(bytes)
        }
        return buffer
    }

    /// Takes a part out of `parts` whose body is about to be named by the object: `bodies` forgets the part now and names the
    /// version when that is placed.
    private func forget(
        _ part: LoadedPart, of upload: UploadID, _ writer: inout DigestingTransaction<some KeyValueTransaction>
    ) {
        writer.delete(part.key, in: KeySchema.parts, removing: part.contribution)
        switch part.record.location {
        case .empty: break
        case .inline: writer.deleteInline(KeySchema.inlinePart(upload, part.number))
        case .stored(let id):
            let reference = BodyReference(.part(key: part.key), length: part.record.size)
            writer.delete(KeySchema.body(id), in: KeySchema.bodies, holding: reference.encode())
        }
    }

    // MARK: A completion that comes again

    /// The answer to a completion whose upload is gone: the same as the first time, while the version that it made is there.
    private func repeatedCompletion(
        _ request: CompleteMultipartUpload, _ bucket: BucketView, _ writer: DigestingTransaction<some KeyValueTransaction>
    ) throws(ApplyStop) -> MetadataReply {
        let completedKey = KeySchema.completed(request.upload.uploadID)
        guard let completed = try writer.read(completedKey, in: KeySchema.system, CompletedRecord.decode) else {
            throw .refused(.noSuchUpload)
        }
        let versionKey = completed.record.versionKey
        guard versionKey.starts(with: KeySchema.allOf(bucket.id, request.upload.key.bytes)),
            let position = KeySchema.versionPosition(in: versionKey.span.bytes)
        else { throw .refused(.noSuchUpload) }
        guard let version = try writer.read(versionKey, in: KeySchema.objects, VersionRecord.decode),
            let manifest = try writer.read(versionKey, in: KeySchema.manifests, ManifestRecord.decode)
        else { throw .damaged("CompletedRecord", "it names a version that is not there") }
        let parts = manifest.record.parts
        let isSame =
            parts.count == request.parts.count
            && zip(parts, request.parts).allSatisfy { $0.number == $1.number && $1.matches($0.record) }
        guard isSame else { throw .refused(.noSuchUpload) }
        return .put(Self.result(version.record, version.record.flags.versionID(at: position), bucket))
    }
}

extension CompletedPart {
    /// Whether the client named the part that is there.
    fileprivate func matches(_ part: PartRecord) -> Bool {
        guard etag == .tag(part.etag) else { return false }
        guard let checksum else { return true }
        return checksum.algorithm == part.checksum?.algorithm && checksum.digest == part.checksum?.digest
    }
}
