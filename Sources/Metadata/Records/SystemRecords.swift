/// The value of "counters" + bucket id: what the bucket holds, exact at all times.
package struct BucketCounters: Hashable, Sendable {
    package static let layoutVersion: UInt8 = 1

    /// Keys whose newest version is not a delete marker.
    package var objects: UInt64
    /// All versions, delete markers included.
    package var versions: UInt64
    /// Bytes of the bodies of all versions.
    package var bytes: UInt64

    package init(objects: UInt64 = 0, versions: UInt64 = 0, bytes: UInt64 = 0) {
        self.objects = objects
        self.versions = versions
        self.bytes = bytes
    }

    package var usage: BucketUsage { BucketUsage(objectCount: objects, versionCount: versions, byteCount: bytes) }

    package func encode() -> [UInt8] {
        var record: [UInt8] = []
        record.reserveCapacity(25)
        record.append(Self.layoutVersion)
        record.appendLittleEndian(objects)
        record.appendLittleEndian(versions)
        record.appendLittleEndian(bytes)
        return record
    }

    package static func decode(_ bytes: RawSpan) throws(RecordDamage) -> BucketCounters {
        var reader = RecordReader("BucketCounters")
        try reader.readLayoutVersion(layoutVersion, bytes)
        let objects = try reader.readUInt64(bytes)
        let versions = try reader.readUInt64(bytes)
        let byteCount = try reader.readUInt64(bytes)
        try reader.expectEnd(bytes)
        return BucketCounters(objects: objects, versions: versions, bytes: byteCount)
    }
}

/// The value of "applied": how far the log has been applied, and the digest of the state there. Written with each batch, in it.
package struct AppliedRecord: Hashable, Sendable {
    package static let layoutVersion: UInt8 = 1

    /// 0: nothing yet.
    package var index: UInt64
    package var digest: StateDigest

    package init(index: UInt64, digest: StateDigest) {
        self.index = index
        self.digest = digest
    }

    package func encode() -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(25)
        bytes.append(Self.layoutVersion)
        bytes.appendLittleEndian(index)
        bytes.appendLittleEndian(digest.low)
        bytes.appendLittleEndian(digest.high)
        return bytes
    }

    package static func decode(_ bytes: RawSpan) throws(RecordDamage) -> AppliedRecord {
        var reader = RecordReader("AppliedRecord")
        try reader.readLayoutVersion(layoutVersion, bytes)
        let index = try reader.readUInt64(bytes)
        let low = try reader.readUInt64(bytes)
        let digest = StateDigest(low: low, high: try reader.readUInt64(bytes))
        try reader.expectEnd(bytes)
        return AppliedRecord(index: index, digest: digest)
    }
}

/// The value of "format": which schema the store was written with.
package struct FormatRecord: Hashable, Sendable {
    package static let layoutVersion: UInt8 = 1

    package var schemaVersion: UInt32

    package init(schemaVersion: UInt32) { self.schemaVersion = schemaVersion }

    package func encode() -> [UInt8] {
        var bytes: [UInt8] = [Self.layoutVersion]
        bytes.appendLittleEndian(schemaVersion)
        return bytes
    }

    package static func decode(_ bytes: RawSpan) throws(RecordDamage) -> FormatRecord {
        var reader = RecordReader("FormatRecord")
        try reader.readLayoutVersion(layoutVersion, bytes)
        let record = FormatRecord(schemaVersion: try reader.readUInt32(bytes))
        try reader.expectEnd(bytes)
        return record
    }
}

/// The value of "next-bucket": the number that the next bucket gets.
package struct NextBucketRecord: Hashable, Sendable {
    package static let layoutVersion: UInt8 = 1

    package var id: BucketID

    package init(id: BucketID) { self.id = id }

    package func encode() -> [UInt8] {
        var bytes: [UInt8] = [Self.layoutVersion]
        bytes.appendLittleEndian(id.value)
        return bytes
    }

    package static func decode(_ bytes: RawSpan) throws(RecordDamage) -> NextBucketRecord {
        var reader = RecordReader("NextBucketRecord")
        try reader.readLayoutVersion(layoutVersion, bytes)
        let record = NextBucketRecord(id: BucketID(try reader.readUInt64(bytes)))
        try reader.expectEnd(bytes)
        return record
    }
}

/// The value of "null" + bucket id + key: the position of the key's null version, which is not its newest.
package struct NullIndexRecord: Hashable, Sendable {
    package static let layoutVersion: UInt8 = 1

    package var position: CommitPosition

    package init(position: CommitPosition) { self.position = position }

    package func encode() -> [UInt8] {
        var bytes: [UInt8] = [Self.layoutVersion]
        bytes.appendLittleEndian(position.index)
        bytes.appendLittleEndian(position.offset)
        return bytes
    }

    package static func decode(_ bytes: RawSpan) throws(RecordDamage) -> NullIndexRecord {
        var reader = RecordReader("NullIndexRecord")
        try reader.readLayoutVersion(layoutVersion, bytes)
        let index = try reader.readUInt64(bytes)
        let record = NullIndexRecord(position: CommitPosition(index: index, offset: try reader.readUInt32(bytes)))
        try reader.expectEnd(bytes)
        return record
    }
}

/// The value of "completed" + upload id: the key (in `objects`) of the version that the upload became.
package struct CompletedRecord: Hashable, Sendable {
    package static let layoutVersion: UInt8 = 1

    package var versionKey: [UInt8]

    package init(versionKey: [UInt8]) { self.versionKey = versionKey }

    package func encode() -> [UInt8] { [Self.layoutVersion] + versionKey }

    package static func decode(_ bytes: RawSpan) throws(RecordDamage) -> CompletedRecord {
        var reader = RecordReader("CompletedRecord")
        try reader.readLayoutVersion(layoutVersion, bytes)
        return CompletedRecord(versionKey: try reader.readBytes(bytes.byteCount - reader.offset, bytes))
    }
}

/// The value in `bodies`: what needs a stored body, and how long that is. Exactly one thing does, for as long as the record is there.
package struct BodyReference: Hashable, Sendable {
    package enum Owner: Hashable, Sendable {
        /// A version (its record, or its manifest), by its key in `objects`.
        case version(key: [UInt8])
        /// An uploaded part, by its key in `parts`.
        case part(key: [UInt8])
    }

    package var owner: Owner
    /// Bytes of the body.
    package var length: UInt64

    package init(_ owner: Owner, length: UInt64) {
        self.owner = owner
        self.length = length
    }

    package static let layoutVersion: UInt8 = 2
    package static let versionCode: UInt8 = 0
    package static let partCode: UInt8 = 1

    package func encode() -> [UInt8] {
        var bytes: [UInt8] = [Self.layoutVersion]
        let key: [UInt8]
        switch owner {
        case .version(let versionKey):
            bytes.append(Self.versionCode)
            key = versionKey
        case .part(let partKey):
            bytes.append(Self.partCode)
            key = partKey
        }
        bytes.appendLittleEndian(length)
        return bytes + key
    }

    package static func decode(_ bytes: RawSpan) throws(RecordDamage) -> BodyReference {
        var reader = RecordReader("BodyReference")
        try reader.readLayoutVersion(layoutVersion, bytes)
        let code = try reader.readUInt8(bytes)
        let length = try reader.readUInt64(bytes)
        let key = try reader.readBytes(bytes.byteCount - reader.offset, bytes)
        switch code {
        case versionCode: return BodyReference(.version(key: key), length: length)
        case partCode: return BodyReference(.part(key: key), length: length)
        default: throw RecordDamage("BodyReference", "its kind is unknown")
        }
    }
}

/// The value of "abandoned" + body id: no record names the body, and none ever will (`MetadataChange.abandonBodies`).
package struct AbandonedRecord: Hashable, Sendable {
    package static let layoutVersion: UInt8 = 1

    /// Milliseconds UTC, of the operation.
    package var timestamp: UInt64

    package init(timestamp: UInt64) { self.timestamp = timestamp }

    package func encode() -> [UInt8] {
        var bytes: [UInt8] = [Self.layoutVersion]
        bytes.appendLittleEndian(timestamp)
        return bytes
    }

    package static func decode(_ bytes: RawSpan) throws(RecordDamage) -> AbandonedRecord {
        var reader = RecordReader("AbandonedRecord")
        try reader.readLayoutVersion(layoutVersion, bytes)
        let record = AbandonedRecord(timestamp: try reader.readUInt64(bytes))
        try reader.expectEnd(bytes)
        return record
    }
}
