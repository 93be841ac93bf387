package import ObjectDataStore

/// What a version is and where its bytes are.
package struct VersionFlags: OptionSet, Hashable, Sendable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Its version id is `null`, whatever its position.
    package static let isNull = VersionFlags(rawValue: 1)
    package static let isDeleteMarker = VersionFlags(rawValue: 2)
    /// Bytes are in `inline` under the version's key. (A multipart object has this besides `hasManifest`.)
    package static let hasInline = VersionFlags(rawValue: 4)
    /// One stored body, named in the record.
    package static let hasSingleBody = VersionFlags(rawValue: 8)
    /// A manifest under the version's key names the parts and where their bytes are.
    package static let hasManifest = VersionFlags(rawValue: 16)

    package static let known: VersionFlags = [.isNull, .isDeleteMarker, .hasInline, .hasSingleBody, .hasManifest]
}

/// The record of one version of an object, or of a delete marker: the value in `objects`.
///
/// A version without `hasInline`, `hasSingleBody` and `hasManifest` has no bytes.
package struct VersionRecord: Hashable, Sendable {
    package var flags: VersionFlags
    package var modifiedMilliseconds: UInt64
    package var size: UInt64
    package var etag: ETag
    package var checksum: ObjectChecksum?
    package var owner: Owner
    package var attributes: ObjectAttributes
    /// `BodyHash` of what `inline` holds for this version; 0 without `hasInline`. It ties those bytes into the state digest.
    package var bodyHash: UInt64
    /// With `hasSingleBody`.
    package var bodyID: BodyID?

    package init(
        flags: VersionFlags, modifiedMilliseconds: UInt64, size: UInt64, etag: ETag, checksum: ObjectChecksum?, owner: Owner,
        attributes: ObjectAttributes, bodyHash: UInt64, bodyID: BodyID?
    ) {
        self.flags = flags
        self.modifiedMilliseconds = modifiedMilliseconds
        self.size = size
        self.etag = etag
        self.checksum = checksum
        self.owner = owner
        self.attributes = attributes
        self.bodyHash = bodyHash
        self.bodyID = bodyID
    }

    /// Where the fields of fixed width stand. After them: owner's id, owner's name, storage class, checksum digest, body id,
    /// the rest of the attributes.
    package enum Layout {
        package static let version: UInt8 = 2
        package static let versionOffset = 0
        package static let flagsOffset = 1
        package static let checksumAlgorithmOffset = 2
        package static let checksumKindOffset = 3
        package static let etagPartCountOffset = 4
        package static let ownerIDLengthOffset = 6
        package static let ownerNameLengthOffset = 8
        package static let storageClassLengthOffset = 10
        package static let modifiedOffset = 12
        package static let sizeOffset = 20
        package static let etagHighOffset = 28
        package static let etagLowOffset = 36
        package static let bodyHashOffset = 44
        package static let headByteCount = 52
        /// In place of a length: there is no such text.
        package static let absentLength = UInt16.max
    }

    package func encode() -> [UInt8] {
        let storageClass = attributes.storageClass
        var bytes: [UInt8] = []
        bytes.reserveCapacity(
            Layout.headByteCount + owner.canonicalID.utf8.count + owner.displayName.utf8.count + (storageClass?.utf8.count ?? 0)
                + (checksum?.digest.count ?? 0) + 16 + attributes.encodedByteCountMax)
        bytes.append(Layout.version)
        bytes.append(flags.rawValue)
        bytes.append(checksum?.algorithm.rawValue ?? 0)
        bytes.append(checksum?.kind.rawValue ?? 0)
        bytes.appendLittleEndian(etag.partCount)
        bytes.appendLittleEndian(UInt16(owner.canonicalID.utf8.count))
        bytes.appendLittleEndian(UInt16(owner.displayName.utf8.count))
        bytes.appendLittleEndian(storageClass.map { UInt16($0.utf8.count) } ?? Layout.absentLength)
        bytes.appendLittleEndian(modifiedMilliseconds)
        bytes.appendLittleEndian(size)
        bytes.appendLittleEndian(etag.high)
        bytes.appendLittleEndian(etag.low)
        bytes.appendLittleEndian(bodyHash)
        bytes.append(contentsOf: owner.canonicalID.utf8)
        bytes.append(contentsOf: owner.displayName.utf8)
        if let storageClass { bytes.append(contentsOf: storageClass.utf8) }
        if let checksum { bytes.append(contentsOf: checksum.digest) }
        if let bodyID {
            bytes.appendLittleEndian(bodyID.origin)
            bytes.appendLittleEndian(bodyID.sequence)
        }
        attributes.appendRecord(to: &bytes)
        return bytes
    }

    package static func decode(_ bytes: RawSpan) throws(RecordDamage) -> VersionRecord {
        let head = try VersionRecordHead.decode(bytes)
        let owner = try head.owner(in: bytes)
        var reader = RecordReader("VersionRecord")
        _ = try reader.skip(head.digestOffset, bytes)
        var checksum: ObjectChecksum?
        if let algorithm = head.checksumAlgorithm, let kind = head.checksumKind {
            let digest = try reader.readBytes(algorithm.digestByteCount, bytes)
            checksum = ObjectChecksum(algorithm: algorithm, kind: kind, digest: digest)
        }
        var bodyID: BodyID?
        if head.flags.contains(.hasSingleBody) {
            bodyID = BodyID(origin: try reader.readUInt64(bytes), sequence: try reader.readUInt64(bytes))
        }
        let storageClass = try head.storageClass(in: bytes)
        let attributes = try ObjectAttributes.readRecord(&reader, bytes, storageClass: storageClass)
        try reader.expectEnd(bytes)
        return VersionRecord(
            flags: head.flags, modifiedMilliseconds: head.modifiedMilliseconds, size: head.size, etag: head.etag,
            checksum: checksum, owner: owner, attributes: attributes, bodyHash: head.bodyHash, bodyID: bodyID)
    }
}

extension VersionFlags {
    /// The id that S3 shows for a version with these flags at a position.
    package func versionID(at position: CommitPosition) -> VersionID {
        contains(.isNull) ? .null : .version(position)
    }
}

extension ChecksumAlgorithm {
    /// Bytes of a digest.
    package var digestByteCount: Int {
        switch self {
        case .crc32, .crc32c: 4
        case .crc64nvme: 8
        case .sha1: 20
        case .sha256: 32
        }
    }
}
