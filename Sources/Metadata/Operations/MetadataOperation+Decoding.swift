public import NIOCore
import ObjectDataStore

extension MetadataOperation {
    /// Why bytes are not an operation.
    public struct DecodingError: Error, Hashable, Sendable, CustomStringConvertible {
        /// A text of the program's own.
        public let reason: String

        package init(_ reason: String) { self.reason = reason }

        public var description: String { "not a metadata operation: \(reason)" }
    }

    /// Reads an operation that takes up all readable bytes. Inline bodies share the buffer's memory.
    ///
    /// Bytes that decode are exactly those that the operation would be encoded to: there is one form of each.
    /// Memory is bounded by the size of the input; nothing is read past its end.
    public init(decoding buffer: ByteBuffer) throws(DecodingError) {
        var decoder = OperationDecoder(buffer: buffer)
        let version = try decoder.readUInt8()
        guard version == Self.layoutVersion || version == Self.heldLayoutVersion else {
            throw DecodingError("its layout version is unknown")
        }
        let opType = try decoder.readOperationType()
        let opID = try decoder.readUInt64()
        let timestamp = try decoder.readUInt64()
        let holders = version == Self.heldLayoutVersion ? try decoder.readHolders() : []
        let payload = try decoder.readPayload(opType)
        try decoder.expectEnd()
        self.init(opID: opID, timestamp: timestamp, payload: payload)
        bodyHolders = holders
    }
}

/// Reads front to back; each length is checked against what is left before memory is reserved for it.
private struct OperationDecoder {
    typealias DecodingError = MetadataOperation.DecodingError

    var buffer: ByteBuffer

    func expectEnd() throws(DecodingError) {
        guard buffer.readableBytes == 0 else { throw DecodingError("bytes follow its end") }
    }

    // MARK: Payloads

    mutating func readOperationType() throws(DecodingError) -> OperationType {
        guard let opType = OperationType(rawValue: try readUInt8()) else { throw DecodingError("its type is unknown") }
        return opType
    }

    /// At least one, ascending.
    mutating func readHolders() throws(DecodingError) -> [UInt64] {
        let count = Int(try readUInt8())
        guard count > 0 else { throw DecodingError("a body has no holders") }
        var nodes: [UInt64] = []
        for _ in 0..<count {
            let node = try readUInt64()
            if let last = nodes.last, last >= node { throw DecodingError("a body's holders are in no order") }
            nodes.append(node)
        }
        return nodes
    }

    mutating func readPayload(_ opType: OperationType) throws(DecodingError) -> MetadataOperation.Payload {
        guard opType == .batchOps else { return .change(try readChange(opType)) }
        let count = try readCount(elementByteCountMin: 5)
        guard count <= MetadataOperation.batchCountMax else { throw DecodingError("a batch has too many members") }
        var changes: [MetadataChange] = []
        changes.reserveCapacity(count)
        for _ in 0..<count {
            let memberType = try readOperationType()
            changes.append(try readChange(memberType))
        }
        return .batchOps(changes)
    }

    mutating func readChange(_ opType: OperationType) throws(DecodingError) -> MetadataChange {
        switch opType {
        case .putObject: .putObject(try readPutObject())
        case .deleteObject: .deleteObject(try readDeleteObject())
        case .updateMetadata: .updateMetadata(try readUpdateMetadata())
        case .batchOps: throw DecodingError("a batch stands in a batch")
        case .createBucket:
            .createBucket(CreateBucket(name: try readText(), owner: try readOwner(), location: try readText()))
        case .deleteBucket: .deleteBucket(DeleteBucket(bucket: try readBucket()))
        case .setBucketVersioning:
            .setBucketVersioning(SetBucketVersioning(bucket: try readBucket(), versioning: try readVersioning()))
        case .createMultipartUpload: .createMultipartUpload(try readCreateMultipartUpload())
        case .putPart: .putPart(try readPutPart())
        case .completeMultipartUpload: .completeMultipartUpload(try readCompleteMultipartUpload())
        case .abortMultipartUpload: .abortMultipartUpload(try readUpload())
        case .setObjectTagging: .setObjectTagging(try readSetObjectTagging())
        case .setBucketTagging:
            .setBucketTagging(SetBucketTagging(bucket: try readBucket(), tags: try readTags()))
        case .abandonBodies: .abandonBodies(try readBodyIDs())
        }
    }

    // MARK: Requests

    private mutating func readPutObject() throws(DecodingError) -> PutObject {
        let bucket = try readBucket()
        let key = try readKey()
        let etag = try readETag()
        let checksum = try readChecksum()
        let attributes = try readAttributes()
        let owner = try readOwner()
        let conditions = try readConditions()
        return PutObject(
            bucket: bucket, key: key, body: try readBody(), etag: etag, checksum: checksum, attributes: attributes,
            owner: owner, conditions: conditions)
    }

    private mutating func readDeleteObject() throws(DecodingError) -> DeleteObject {
        let bucket = try readBucket()
        let key = try readKey()
        let versionID = try readVersionID()
        let owner = try readOwner()
        return DeleteObject(
            bucket: bucket, key: key, versionID: versionID, owner: owner, conditions: try readConditions())
    }

    private mutating func readUpdateMetadata() throws(DecodingError) -> UpdateObjectMetadata {
        let bucket = try readBucket()
        let key = try readKey()
        let etag = try readETag()
        let attributes = try readAttributes()
        let keepsTags = try readPresence()
        return UpdateObjectMetadata(
            bucket: bucket, key: key, expectedETag: etag, attributes: attributes, keepsTags: keepsTags,
            conditions: try readConditions())
    }

    private mutating func readSetObjectTagging() throws(DecodingError) -> SetObjectTagging {
        let bucket = try readBucket()
        let key = try readKey()
        let versionID = try readVersionID()
        return SetObjectTagging(bucket: bucket, key: key, versionID: versionID, tags: try readTags())
    }

    private mutating func readCreateMultipartUpload() throws(DecodingError) -> CreateMultipartUpload {
        let bucket = try readBucket()
        let key = try readKey()
        let attributes = try readAttributes()
        let owner = try readOwner()
        let algorithmCode = try readUInt8()
        let kindCode = try readUInt8()
        let algorithm = ChecksumAlgorithm(rawValue: algorithmCode)
        let kind = ObjectChecksum.Kind(rawValue: kindCode)
        let noneCode = UploadRecord.noneCode
        guard algorithm != nil || algorithmCode == noneCode, kind != nil || kindCode == noneCode else {
            throw DecodingError("a checksum is of an unknown kind")
        }
        return CreateMultipartUpload(
            bucket: bucket, key: key, attributes: attributes, owner: owner, checksumAlgorithm: algorithm, checksumKind: kind)
    }

    private mutating func readUpload() throws(DecodingError) -> MultipartUploadReference {
        let bucket = try readBucket()
        let key = try readKey()
        return MultipartUploadReference(bucket: bucket, key: key, uploadID: UploadID(position: try readPosition()))
    }

    private mutating func readPutPart() throws(DecodingError) -> PutPart {
        let upload = try readUpload()
        let number = try readUInt16()
        let etag = try readETag()
        let checksum = try readChecksum()
        return PutPart(upload: upload, number: number, body: try readBody(), etag: etag, checksum: checksum)
    }

    private mutating func readCompleteMultipartUpload() throws(DecodingError) -> CompleteMultipartUpload {
        let upload = try readUpload()
        let count = try readCount(elementByteCountMin: 4)
        var parts: [CompletedPart] = []
        parts.reserveCapacity(count)
        for _ in 0..<count {
            let number = try readUInt16()
            let etag = try readMatch()
            parts.append(CompletedPart(number: number, etag: etag, checksum: try readChecksum()))
        }
        let checksum = try readChecksum()
        let expectedSize = try readOptionalUInt64()
        return CompleteMultipartUpload(
            upload: upload, parts: parts, checksum: checksum, expectedSize: expectedSize, conditions: try readConditions())
    }

    // MARK: What requests are made of

    private mutating func readBucket() throws(DecodingError) -> BucketReference {
        let name = try readText()
        return BucketReference(name: name, requiredOwner: try readOptionalText())
    }

    private mutating func readOwner() throws(DecodingError) -> Owner {
        let id = try readText()
        return Owner(canonicalID: id, displayName: try readText())
    }

    private mutating func readVersioning() throws(DecodingError) -> BucketVersioning {
        guard let versioning = BucketVersioning(rawValue: try readUInt8()) else {
            throw DecodingError("a versioning state is unknown")
        }
        return versioning
    }

    private mutating func readPosition() throws(DecodingError) -> CommitPosition {
        let index = try readUInt64()
        return CommitPosition(index: index, offset: try readUInt32())
    }

    private mutating func readVersionID() throws(DecodingError) -> VersionID? {
        switch try readUInt8() {
        case 0: return nil
        case 1: return .null
        case 2: return .version(try readPosition())
        default: throw DecodingError("a version id is of an unknown kind")
        }
    }

    private mutating func readETag() throws(DecodingError) -> ETag {
        let high = try readUInt64()
        let low = try readUInt64()
        return ETag(high: high, low: low, partCount: try readUInt16())
    }

    private mutating func readMatch() throws(DecodingError) -> ETagMatch {
        switch try readUInt8() {
        case 0: return .any
        case 1: return .tag(try readETag())
        case 2: return .foreign
        default: throw DecodingError("a condition is of an unknown kind")
        }
    }

    private mutating func readConditions() throws(DecodingError) -> WriteConditions {
        var conditions = WriteConditions()
        let matchCount = try readCount(elementByteCountMin: 1)
        for _ in 0..<matchCount { conditions.ifMatch.append(try readMatch()) }
        let noneMatchCount = try readCount(elementByteCountMin: 1)
        for _ in 0..<noneMatchCount { conditions.ifNoneMatch.append(try readMatch()) }
        conditions.ifMatchLastModifiedMilliseconds = try readOptionalUInt64()
        conditions.ifMatchSize = try readOptionalUInt64()
        return conditions
    }

    private mutating func readChecksum() throws(DecodingError) -> ObjectChecksum? {
        let code = try readUInt8()
        if code == 0 { return nil }
        guard let algorithm = ChecksumAlgorithm(rawValue: code), let kind = ObjectChecksum.Kind(rawValue: try readUInt8())
        else {
            throw DecodingError("a checksum is of an unknown kind")
        }
        let count = try readCount(elementByteCountMin: 1)
        return ObjectChecksum(algorithm: algorithm, kind: kind, digest: try readByteArray(count))
    }

    private mutating func readAttributes() throws(DecodingError) -> ObjectAttributes {
        var attributes = ObjectAttributes()
        attributes.contentType = try readOptionalText()
        attributes.cacheControl = try readOptionalText()
        attributes.contentDisposition = try readOptionalText()
        attributes.contentEncoding = try readOptionalText()
        attributes.contentLanguage = try readOptionalText()
        attributes.expires = try readOptionalText()
        attributes.websiteRedirectLocation = try readOptionalText()
        attributes.storageClass = try readOptionalText()
        let count = try readCount(elementByteCountMin: 8)
        attributes.userMetadata.reserveCapacity(count)
        for _ in 0..<count {
            let name = try readText()
            attributes.userMetadata.append(MetadataField(name: name, value: try readText()))
        }
        attributes.tags = try readTags()
        return attributes
    }

    private mutating func readTags() throws(DecodingError) -> [ResourceTag] {
        let count = try readCount(elementByteCountMin: 8)
        var tags: [ResourceTag] = []
        tags.reserveCapacity(count)
        for _ in 0..<count {
            let key = try readText()
            tags.append(ResourceTag(key: key, value: try readText()))
        }
        return tags
    }

    private mutating func readBody() throws(DecodingError) -> ObjectBody {
        switch try readUInt8() {
        case 0:
            let count = try readCount(elementByteCountMin: 1)
            guard let bytes = buffer.readSlice(length: count) else { throw DecodingError("it is cut short") }
            return .inline(bytes)
        case 1:
            let id = try readBodyID()
            return .stored(StoredBody(id: id, length: try readUInt64()))
        default: throw DecodingError("a body is of an unknown kind")
        }
    }

    private mutating func readBodyID() throws(DecodingError) -> BodyID {
        BodyID(origin: try readUInt64(), sequence: try readUInt64())
    }

    private mutating func readBodyIDs() throws(DecodingError) -> [BodyID] {
        let count = try readCount(elementByteCountMin: KeySchema.bodyIDByteCount)
        guard count <= MetadataOperation.batchCountMax else { throw DecodingError("it abandons too many bodies") }
        var ids: [BodyID] = []
        ids.reserveCapacity(count)
        for _ in 0..<count { ids.append(try readBodyID()) }
        return ids
    }

    // MARK: Integers and texts

    private mutating func readInteger<Integer: FixedWidthInteger>(as type: Integer.Type) throws(DecodingError) -> Integer {
        guard let value = buffer.readInteger(endianness: .little, as: type) else { throw DecodingError("it is cut short") }
        return value
    }

    mutating func readUInt8() throws(DecodingError) -> UInt8 { try readInteger(as: UInt8.self) }
    private mutating func readUInt16() throws(DecodingError) -> UInt16 { try readInteger(as: UInt16.self) }
    private mutating func readUInt32() throws(DecodingError) -> UInt32 { try readInteger(as: UInt32.self) }
    mutating func readUInt64() throws(DecodingError) -> UInt64 { try readInteger(as: UInt64.self) }

    /// A count that what is left can hold.
    private mutating func readCount(elementByteCountMin: Int) throws(DecodingError) -> Int {
        let count = Int(try readUInt32())
        guard count <= buffer.readableBytes / elementByteCountMin else { throw DecodingError("it counts more than it holds") }
        return count
    }

    /// Whether an optional value follows.
    private mutating func readPresence() throws(DecodingError) -> Bool {
        switch try readUInt8() {
        case 0: return false
        case 1: return true
        default: throw DecodingError("a presence byte is neither 0 nor 1")
        }
    }

    private mutating func readOptionalUInt64() throws(DecodingError) -> UInt64? {
        try readPresence() ? try readUInt64() : nil
    }

    private mutating func readByteArray(_ count: Int) throws(DecodingError) -> [UInt8] {
        guard let bytes = buffer.readBytes(length: count) else { throw DecodingError("it is cut short") }
        return bytes
    }

    private mutating func readKey() throws(DecodingError) -> ObjectKey {
        let bytes = try readByteArray(try readCount(elementByteCountMin: 1))
        do { return try ObjectKey(bytes) } catch { throw DecodingError("an object key is not valid") }
    }

    private mutating func readText() throws(DecodingError) -> String {
        let count = try readCount(elementByteCountMin: 1)
        let text = buffer.withUnsafeReadableBytes { bytes in
            String(validating: UnsafeRawBufferPointer(rebasing: bytes[..<count]), as: UTF8.self)
        }
        guard let text else { throw DecodingError("a text is not UTF-8") }
        buffer.moveReaderIndex(forwardBy: count)
        return text
    }

    private mutating func readOptionalText() throws(DecodingError) -> String? {
        try readPresence() ? try readText() : nil
    }
}
