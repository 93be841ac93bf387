public import NIOCore
import ObjectDataStore

/// Writing an operation (docs/formats/operation.md). Integers are little-endian; a text is its length in 32 bits and its bytes.
extension MetadataOperation {
    package static let layoutVersion: UInt8 = 2
    /// Of an operation whose body's holders are named.
    package static let heldLayoutVersion: UInt8 = 3
    /// No body has more holders.
    package static let bodyHolderCountMax = 255
    /// Layout version, type, opID, timestamp.
    package static let headerByteCount = 18

    public func encode(into buffer: inout ByteBuffer) {
        buffer.writeBytes(encoded)
    }

    /// All of it, header and payload.
    package var encoded: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Self.headerByteCount + payload.approximateByteCount)
        bytes.append(bodyHolders.isEmpty ? Self.layoutVersion : Self.heldLayoutVersion)
        bytes.append(opType.rawValue)
        bytes.appendLittleEndian(opID)
        bytes.appendLittleEndian(timestamp)
        if !bodyHolders.isEmpty {
            precondition(bodyHolders.count <= Self.bodyHolderCountMax, "a body with more holders than nodes")
            bytes.append(UInt8(bodyHolders.count))
            for node in bodyHolders { bytes.appendLittleEndian(node) }
        }
        bytes.write(payload)
        return bytes
    }

    /// The serialized payload: what follows the header in the binary layout.
    public var data: ByteBuffer {
        var bytes: [UInt8] = []
        bytes.write(payload)
        return ByteBuffer(bytes: bytes)
    }
}

extension [UInt8] {
    fileprivate mutating func write(_ payload: MetadataOperation.Payload) {
        switch payload {
        case .change(let change): write(change)
        case .batchOps(let changes):
            appendLittleEndian(UInt32(changes.count))
            for change in changes {
                append(change.opType.rawValue)
                write(change)
            }
        }
    }

    private mutating func write(_ change: MetadataChange) {
        switch change {
        case .putObject(let request): write(request)
        case .deleteObject(let request): write(request)
        case .updateMetadata(let request): write(request)
        case .createBucket(let request):
            write(request.name)
            write(request.owner)
            write(request.location)
        case .deleteBucket(let request): write(request.bucket)
        case .setBucketVersioning(let request):
            write(request.bucket)
            append(request.versioning.rawValue)
        case .createMultipartUpload(let request): write(request)
        case .putPart(let request): write(request)
        case .completeMultipartUpload(let request): write(request)
        case .abortMultipartUpload(let request): write(request)
        case .setObjectTagging(let request):
            write(request.bucket)
            write(request.key)
            write(request.versionID)
            write(request.tags)
        case .setBucketTagging(let request):
            write(request.bucket)
            write(request.tags)
        case .abandonBodies(let ids):
            appendLittleEndian(UInt32(ids.count))
            for id in ids { write(id) }
        }
    }

    // MARK: Requests

    private mutating func write(_ request: PutObject) {
        write(request.bucket)
        write(request.key)
        write(request.etag)
        write(request.checksum)
        write(request.attributes)
        write(request.owner)
        write(request.conditions)
        write(request.body)
    }

    private mutating func write(_ request: DeleteObject) {
        write(request.bucket)
        write(request.key)
        write(request.versionID)
        write(request.owner)
        write(request.conditions)
    }

    private mutating func write(_ request: UpdateObjectMetadata) {
        write(request.bucket)
        write(request.key)
        write(request.expectedETag)
        write(request.attributes)
        append(request.keepsTags ? 1 : 0)
        write(request.conditions)
    }

    private mutating func write(_ request: CreateMultipartUpload) {
        write(request.bucket)
        write(request.key)
        write(request.attributes)
        write(request.owner)
        append(request.checksumAlgorithm?.rawValue ?? UploadRecord.noneCode)
        append(request.checksumKind?.rawValue ?? UploadRecord.noneCode)
    }

    private mutating func write(_ request: MultipartUploadReference) {
        write(request.bucket)
        write(request.key)
        write(request.uploadID.position)
    }

    private mutating func write(_ request: PutPart) {
        write(request.upload)
        appendLittleEndian(request.number)
        write(request.etag)
        write(request.checksum)
        write(request.body)
    }

    private mutating func write(_ request: CompleteMultipartUpload) {
        write(request.upload)
        appendLittleEndian(UInt32(request.parts.count))
        for part in request.parts {
            appendLittleEndian(part.number)
            write(part.etag)
            write(part.checksum)
        }
        write(request.checksum)
        write(request.expectedSize)
        write(request.conditions)
    }

    // MARK: What requests are made of

    private mutating func write(_ text: String) {
        appendLittleEndian(UInt32(text.utf8.count))
        append(contentsOf: text.utf8)
    }

    private mutating func write(_ text: String?) {
        append(UInt8(text == nil ? 0 : 1))
        if let text { write(text) }
    }

    private mutating func write(_ number: UInt64?) {
        append(UInt8(number == nil ? 0 : 1))
        if let number { appendLittleEndian(number) }
    }

    private mutating func write(_ key: ObjectKey) {
        appendLittleEndian(UInt32(key.bytes.count))
        append(contentsOf: key.bytes)
    }

    private mutating func write(_ position: CommitPosition) {
        appendLittleEndian(position.index)
        appendLittleEndian(position.offset)
    }

    private mutating func write(_ versionID: VersionID?) {
        switch versionID {
        case nil: append(UInt8(0))
        case .null?: append(UInt8(1))
        case .version(let position)?:
            append(UInt8(2))
            write(position)
        }
    }

    private mutating func write(_ bucket: BucketReference) {
        write(bucket.name)
        write(bucket.requiredOwner)
    }

    private mutating func write(_ owner: Owner) {
        write(owner.canonicalID)
        write(owner.displayName)
    }

    private mutating func write(_ etag: ETag) {
        appendLittleEndian(etag.high)
        appendLittleEndian(etag.low)
        appendLittleEndian(etag.partCount)
    }

    private mutating func write(_ match: ETagMatch) {
        switch match {
        case .any: append(UInt8(0))
        case .tag(let etag):
            append(UInt8(1))
            write(etag)
        case .foreign: append(UInt8(2))
        }
    }

    private mutating func write(_ checksum: ObjectChecksum?) {
        guard let checksum else {
            append(UInt8(0))
            return
        }
        append(checksum.algorithm.rawValue)
        append(checksum.kind.rawValue)
        appendLittleEndian(UInt32(checksum.digest.count))
        append(contentsOf: checksum.digest)
    }

    private mutating func write(_ attributes: ObjectAttributes) {
        write(attributes.contentType)
        write(attributes.cacheControl)
        write(attributes.contentDisposition)
        write(attributes.contentEncoding)
        write(attributes.contentLanguage)
        write(attributes.expires)
        write(attributes.websiteRedirectLocation)
        write(attributes.storageClass)
        appendLittleEndian(UInt32(attributes.userMetadata.count))
        for field in attributes.userMetadata {
            write(field.name)
            write(field.value)
        }
        write(attributes.tags)
    }

    private mutating func write(_ tags: [ResourceTag]) {
        appendLittleEndian(UInt32(tags.count))
        for tag in tags {
            write(tag.key)
            write(tag.value)
        }
    }

    private mutating func write(_ conditions: WriteConditions) {
        for matches in [conditions.ifMatch, conditions.ifNoneMatch] {
            appendLittleEndian(UInt32(matches.count))
            for match in matches { write(match) }
        }
        write(conditions.ifMatchLastModifiedMilliseconds)
        write(conditions.ifMatchSize)
    }

    private mutating func write(_ body: ObjectBody) {
        switch body {
        case .inline(let bytes):
            append(UInt8(0))
            appendLittleEndian(UInt32(bytes.readableBytes))
            bytes.withUnsafeReadableBytes { append(contentsOf: $0) }
        case .stored(let stored):
            append(UInt8(1))
            write(stored.id)
            appendLittleEndian(stored.length)
        }
    }

    private mutating func write(_ id: BodyID) {
        appendLittleEndian(id.origin)
        appendLittleEndian(id.sequence)
    }
}
