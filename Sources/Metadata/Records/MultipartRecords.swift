package import ObjectDataStore

/// The value in `uploads`: what an upload was started with. The key holds the object's key and the upload's id.
package struct UploadRecord: Hashable, Sendable {
    package static let layoutVersion: UInt8 = 2
    /// In place of an algorithm or kind: none was asked for.
    package static let noneCode: UInt8 = 0xFF

    package var initiatedMilliseconds: UInt64
    package var owner: Owner
    package var attributes: ObjectAttributes
    package var checksumAlgorithm: ChecksumAlgorithm?
    package var checksumKind: ObjectChecksum.Kind?

    package init(
        initiatedMilliseconds: UInt64, owner: Owner, attributes: ObjectAttributes, checksumAlgorithm: ChecksumAlgorithm?,
        checksumKind: ObjectChecksum.Kind?
    ) {
        self.initiatedMilliseconds = initiatedMilliseconds
        self.owner = owner
        self.attributes = attributes
        self.checksumAlgorithm = checksumAlgorithm
        self.checksumKind = checksumKind
    }

    package func info(key: ObjectKey, uploadID: UploadID) -> MultipartUploadInfo {
        MultipartUploadInfo(
            uploadID: uploadID, key: key, initiatedMilliseconds: initiatedMilliseconds, owner: owner,
            storageClass: attributes.storageClass, checksumAlgorithm: checksumAlgorithm, checksumKind: checksumKind)
    }

    package func encode() -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(Self.layoutVersion)
        bytes.append(checksumAlgorithm?.rawValue ?? Self.noneCode)
        bytes.append(checksumKind?.rawValue ?? Self.noneCode)
        bytes.append(attributes.storageClass == nil ? 0 : 1)
        bytes.appendLittleEndian(initiatedMilliseconds)
        bytes.appendString(owner.canonicalID)
        bytes.appendString(owner.displayName)
        if let storageClass = attributes.storageClass { bytes.appendString(storageClass) }
        attributes.appendRecord(to: &bytes)
        return bytes
    }

    package static func decode(_ bytes: RawSpan) throws(RecordDamage) -> UploadRecord {
        var reader = RecordReader("UploadRecord")
        try reader.readLayoutVersion(layoutVersion, bytes)
        let algorithmCode = try reader.readUInt8(bytes)
        let kindCode = try reader.readUInt8(bytes)
        let algorithm = ChecksumAlgorithm(rawValue: algorithmCode)
        let kind = ObjectChecksum.Kind(rawValue: kindCode)
        let hasStorageClass = try reader.readUInt8(bytes)
        guard algorithm != nil || algorithmCode == noneCode, kind != nil || kindCode == noneCode, hasStorageClass <= 1 else {
            throw RecordDamage("UploadRecord", "a code is unknown")
        }
        let initiated = try reader.readUInt64(bytes)
        let ownerID = try reader.readString(bytes)
        let ownerName = try reader.readString(bytes)
        let storageClass = hasStorageClass == 1 ? try reader.readString(bytes) : nil
        let attributes = try ObjectAttributes.readRecord(&reader, bytes, storageClass: storageClass)
        try reader.expectEnd(bytes)
        return UploadRecord(
            initiatedMilliseconds: initiated, owner: Owner(canonicalID: ownerID, displayName: ownerName),
            attributes: attributes, checksumAlgorithm: algorithm, checksumKind: kind)
    }
}

/// Where the bytes of a part are.
package enum PartLocation: Hashable, Sendable {
    /// No bytes.
    case empty
    /// In `inline`: of an uploaded part under its own key, with a `BodyHash`; of a finished object one after another under the version's.
    case inline(hash: UInt64)
    case stored(BodyID)
}

/// A part: the value in `parts` (the key holds the upload's id and the number), and an entry of a manifest.
package struct PartRecord: Hashable, Sendable {
    package static let layoutVersion: UInt8 = 1
    package static let emptyCode: UInt8 = 0
    package static let inlineCode: UInt8 = 1
    package static let storedCode: UInt8 = 2
    /// Without digest and location: what each entry of a manifest takes at least, besides its number.
    package static let byteCountMin = 36

    package var modifiedMilliseconds: UInt64
    package var size: UInt64
    /// The MD5 (`partCount` 0).
    package var etag: ETag
    package var checksum: ObjectChecksum?
    package var location: PartLocation

    package init(
        modifiedMilliseconds: UInt64, size: UInt64, etag: ETag, checksum: ObjectChecksum?, location: PartLocation
    ) {
        self.modifiedMilliseconds = modifiedMilliseconds
        self.size = size
        self.etag = etag
        self.checksum = checksum
        self.location = location
    }

    package func encode() -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(1 + Self.byteCountMin + 16 + (checksum?.digest.count ?? 0))
        bytes.append(Self.layoutVersion)
        append(to: &bytes)
        return bytes
    }

    /// Without the layout version.
    func append(to bytes: inout [UInt8]) {
        let code: UInt8 =
            switch location {
            case .empty: Self.emptyCode
            case .inline: Self.inlineCode
            case .stored: Self.storedCode
            }
        bytes.append(code)
        bytes.append(checksum?.algorithm.rawValue ?? 0)
        bytes.append(checksum?.kind.rawValue ?? 0)
        bytes.append(0)
        bytes.appendLittleEndian(modifiedMilliseconds)
        bytes.appendLittleEndian(size)
        bytes.appendLittleEndian(etag.high)
        bytes.appendLittleEndian(etag.low)
        switch location {
        case .empty: break
        case .inline(let hash): bytes.appendLittleEndian(hash)
        case .stored(let id):
            bytes.appendLittleEndian(id.origin)
            bytes.appendLittleEndian(id.sequence)
        }
        if let checksum { bytes.append(contentsOf: checksum.digest) }
    }

    package static func decode(_ bytes: RawSpan) throws(RecordDamage) -> PartRecord {
        var reader = RecordReader("PartRecord")
        try reader.readLayoutVersion(layoutVersion, bytes)
        let record = try read(&reader, bytes)
        try reader.expectEnd(bytes)
        return record
    }

    static func read(_ reader: inout RecordReader, _ bytes: RawSpan) throws(RecordDamage) -> PartRecord {
        let code = try reader.readUInt8(bytes)
        let algorithmCode = try reader.readUInt8(bytes)
        let checksumCode = try ChecksumCode.read(
            algorithm: algorithmCode, kind: try reader.readUInt8(bytes), record: "PartRecord")
        guard try reader.readUInt8(bytes) == 0 else { throw RecordDamage("PartRecord", "a reserved byte is not zero") }
        let modified = try reader.readUInt64(bytes)
        let size = try reader.readUInt64(bytes)
        let etag = ETag(high: try reader.readUInt64(bytes), low: try reader.readUInt64(bytes))
        let location: PartLocation
        switch code {
        case emptyCode: location = .empty
        case inlineCode: location = .inline(hash: try reader.readUInt64(bytes))
        case storedCode:
            location = .stored(BodyID(origin: try reader.readUInt64(bytes), sequence: try reader.readUInt64(bytes)))
        default: throw RecordDamage("PartRecord", "its location is of an unknown kind")
        }
        var checksum: ObjectChecksum?
        if let checksumCode {
            let digest = try reader.readBytes(checksumCode.algorithm.digestByteCount, bytes)
            checksum = ObjectChecksum(algorithm: checksumCode.algorithm, kind: checksumCode.kind, digest: digest)
        }
        return PartRecord(modifiedMilliseconds: modified, size: size, etag: etag, checksum: checksum, location: location)
    }
}

/// The value in `manifests`, under the version's key: the parts of a multipart object, in order, and where their bytes are.
package struct ManifestRecord: Hashable, Sendable {
    package static let layoutVersion: UInt8 = 1

    package struct Part: Hashable, Sendable {
        package var number: UInt16
        package var record: PartRecord

        package init(number: UInt16, record: PartRecord) {
            self.number = number
            self.record = record
        }
    }

    /// The upload that became this version: a completion that is repeated finds its result by it.
    package var upload: UploadID
    package var parts: [Part]

    package init(upload: UploadID, parts: [Part]) {
        self.upload = upload
        self.parts = parts
    }

    package func encode() -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(17 + parts.count * (2 + PartRecord.byteCountMin + 16 + 8))
        bytes.append(Self.layoutVersion)
        bytes.appendLittleEndian(upload.position.index)
        bytes.appendLittleEndian(upload.position.offset)
        bytes.appendLittleEndian(UInt32(parts.count))
        for part in parts {
            bytes.appendLittleEndian(part.number)
            part.record.append(to: &bytes)
        }
        return bytes
    }

    package static func decode(_ bytes: RawSpan) throws(RecordDamage) -> ManifestRecord {
        var reader = RecordReader("ManifestRecord")
        try reader.readLayoutVersion(layoutVersion, bytes)
        let index = try reader.readUInt64(bytes)
        let position = CommitPosition(index: index, offset: try reader.readUInt32(bytes))
        let count = Int(try reader.readUInt32(bytes))
        guard count <= bytes.byteCount / (2 + PartRecord.byteCountMin) else {
            throw RecordDamage("ManifestRecord", "it names more parts than it holds")
        }
        var parts: [Part] = []
        parts.reserveCapacity(count)
        for _ in 0..<count {
            let number = try reader.readUInt16(bytes)
            parts.append(Part(number: number, record: try PartRecord.read(&reader, bytes)))
        }
        try reader.expectEnd(bytes)
        return ManifestRecord(upload: UploadID(position: position), parts: parts)
    }
}
