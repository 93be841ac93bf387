public import NIOCore
import ObjectDataStore

/// Writing an operation (docs/formats/operation.md). Integers are little-endian; a text is its length in 32 bits and its bytes.
extension MetadataOperation {
    package static let layoutVersion: UInt8 = 1
    /// Layout version, type, opID, timestamp.
    package static let headerByteCount = 18

    public func encode(into buffer: inout ByteBuffer) {
        buffer.writeInteger(Self.layoutVersion)
        buffer.writeInteger(opType.rawValue)
        buffer.writeLittleEndian(opID)
        buffer.writeLittleEndian(timestamp)
        encodePayload(into: &buffer)
    }

    func encodePayload(into buffer: inout ByteBuffer) {
        switch payload {
        case .change(let change): buffer.write(change)
        case .batchOps(let changes):
            buffer.writeLittleEndian(UInt32(changes.count))
            for change in changes {
                buffer.writeInteger(change.opType.rawValue)
                buffer.write(change)
            }
        }
    }
}

extension ByteBuffer {
    @inline(__always)
    fileprivate mutating func writeLittleEndian(_ value: some FixedWidthInteger) {
        writeInteger(value, endianness: .little)
    }

    fileprivate mutating func write(_ change: MetadataChange) {
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
            writeInteger(request.versioning.rawValue)
        case .createMultipartUpload(let request): write(request)
        case .putPart(let request): write(request)
        case .completeMultipartUpload(let request): write(request)
        case .abortMultipartUpload(let request): write(request)
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
        switch request.versionID {
        case nil: writeInteger(UInt8(0))
        case .null?: writeInteger(UInt8(1))
        case .version(let position)?:
            writeInteger(UInt8(2))
            write(position)
        }
        write(request.owner)
        write(request.conditions)
    }

    private mutating func write(_ request: UpdateObjectMetadata) {
        write(request.bucket)
        write(request.key)
        write(request.expectedETag)
        write(request.attributes)
        write(request.conditions)
    }

    private mutating func write(_ request: CreateMultipartUpload) {
        write(request.bucket)
        write(request.key)
        write(request.attributes)
        write(request.owner)
        writeInteger(request.checksumAlgorithm?.rawValue ?? UploadRecord.noneCode)
        writeInteger(request.checksumKind?.rawValue ?? UploadRecord.noneCode)
    }

    private mutating func write(_ request: MultipartUploadReference) {
        write(request.bucket)
        write(request.key)
        write(request.uploadID.position)
    }

    private mutating func write(_ request: PutPart) {
        write(request.upload)
        writeLittleEndian(request.number)
        write(request.etag)
        write(request.checksum)
        write(request.body)
    }

    private mutating func write(_ request: CompleteMultipartUpload) {
        write(request.upload)
        writeLittleEndian(UInt32(request.parts.count))
        for part in request.parts {
            writeLittleEndian(part.number)
            write(part.etag)
            write(part.checksum)
        }
        write(request.checksum)
        write(request.expectedSize)
        write(request.conditions)
    }

    // MARK: What requests are made of

    private mutating func write(_ text: String) {
        writeLittleEndian(UInt32(text.utf8.count))
        writeString(text)
    }

    private mutating func write(_ text: String?) {
        writeInteger(UInt8(text == nil ? 0 : 1))
        if let text { write(text) }
    }

    private mutating func write(_ number: UInt64?) {
        writeInteger(UInt8(number == nil ? 0 : 1))
        if let number { writeLittleEndian(number) }
    }

    private mutating func write(_ key: ObjectKey) {
        writeLittleEndian(UInt32(key.bytes.count))
        writeBytes(key.bytes)
    }

    private mutating func write(_ position: CommitPosition) {
        writeLittleEndian(position.index)
        writeLittleEndian(position.offset)
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
        writeLittleEndian(etag.high)
        writeLittleEndian(etag.low)
        writeLittleEndian(etag.partCount)
    }

    private mutating func write(_ match: ETagMatch) {
        switch match {
        case .any: writeInteger(UInt8(0))
        case .tag(let etag):
            writeInteger(UInt8(1))
            write(etag)
        case .foreign: writeInteger(UInt8(2))
        }
    }

    private mutating func write(_ checksum: ObjectChecksum?) {
        guard let checksum else {
            writeInteger(UInt8(0))
            return
        }
        writeInteger(checksum.algorithm.rawValue)
        writeInteger(checksum.kind.rawValue)
        writeLittleEndian(UInt32(checksum.digest.count))
        writeBytes(checksum.digest)
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
        writeLittleEndian(UInt32(attributes.userMetadata.count))
        for field in attributes.userMetadata {
            write(field.name)
            write(field.value)
        }
    }

    private mutating func write(_ conditions: WriteConditions) {
        for matches in [conditions.ifMatch, conditions.ifNoneMatch] {
            writeLittleEndian(UInt32(matches.count))
            for match in matches { write(match) }
        }
        write(conditions.ifMatchLastModifiedMilliseconds)
        write(conditions.ifMatchSize)
    }

    private mutating func write(_ body: ObjectBody) {
        switch body {
        case .inline(let bytes):
            writeInteger(UInt8(0))
            writeLittleEndian(UInt32(bytes.readableBytes))
            writeImmutableBuffer(bytes)
        case .stored(let stored):
            writeInteger(UInt8(1))
            writeLittleEndian(stored.id.origin)
            writeLittleEndian(stored.id.sequence)
            writeLittleEndian(stored.length)
        }
    }
}
