import Metadata
import ObjectDataStore
import Testing

private func decoded<Record>(
    _ bytes: [UInt8], _ decode: (RawSpan) throws(RecordDamage) -> Record
) throws(RecordDamage) -> Record {
    try decode(bytes.span.bytes)
}

@Suite struct RecordTests {
    static let owner = Owner(canonicalID: String(repeating: "ab", count: 32), displayName: "Zoë")
    static let attributes = ObjectAttributes(
        contentType: "text/plain", cacheControl: "", contentDisposition: "d", contentEncoding: "gzip", contentLanguage: "de",
        expires: "never", websiteRedirectLocation: "/x", storageClass: "GLACIER",
        userMetadata: [
            MetadataField(name: "a", value: "1"), MetadataField(name: "a", value: ""), MetadataField(name: "ü", value: "ß"),
        ], tags: [ResourceTag(key: "t", value: "1"), ResourceTag(key: "ü", value: "")])
    static let checksums: [ObjectChecksum?] =
        [nil]
        + ChecksumAlgorithm.allCases.map {
            ObjectChecksum(
                algorithm: $0, kind: .composite, digest: (0..<$0.digestByteCount).map { UInt8(truncatingIfNeeded: $0 &* 7) })
        }

    static func version(_ checksum: ObjectChecksum?, body: BodyID?, attributes: ObjectAttributes) -> VersionRecord {
        VersionRecord(
            flags: body == nil ? [.isNull, .hasInline] : .hasSingleBody, modifiedMilliseconds: 1 << 41, size: 3,
            etag: ETag(high: 1 << 63 | 5, low: 6, partCount: 7), checksum: checksum, owner: owner, attributes: attributes,
            bodyHash: 0x1234_5678_9ABC_DEF0, bodyID: body)
    }

    static let versions: [VersionRecord] = checksums.flatMap { checksum in
        [nil, BodyID(origin: 1, sequence: 2)].flatMap { body in
            [
                ObjectAttributes(), attributes, ObjectAttributes(storageClass: ""),
                ObjectAttributes(tags: [ResourceTag(key: "", value: "")]),
            ].map {
                version(checksum, body: body, attributes: $0)
            }
        }
    }

    @Test("Version records come back as they were written, whole and by their head", arguments: versions)
    func versionRoundTrip(record: VersionRecord) throws {
        let bytes = record.encode()
        #expect(try decoded(bytes, VersionRecord.decode) == record)
        let head = try decoded(bytes, VersionRecordHead.decode)
        #expect(head.flags == record.flags && head.size == record.size && head.etag == record.etag)
        #expect(head.modifiedMilliseconds == record.modifiedMilliseconds && head.bodyHash == record.bodyHash)
        #expect(head.checksumAlgorithm == record.checksum?.algorithm && head.checksumKind == record.checksum?.kind)
        let bodyID = head.bodyID(in: bytes.span.bytes)
        #expect(bodyID == record.bodyID)
        for last in [nil, Self.owner, Owner(canonicalID: Self.owner.canonicalID, displayName: "other")] {
            let owner = try head.owner(in: bytes.span.bytes, reusing: last)
            #expect(owner == record.owner)
        }
        for last in [nil, "GLACIER", "STANDARD", ""] {
            let storageClass = try head.storageClass(in: bytes.span.bytes, reusing: last)
            #expect(storageClass == record.attributes.storageClass)
        }
    }

    @Test("Attributes keep which texts are there, each alone", arguments: 0..<7)
    func attributeAlone(position: Int) throws {
        let texts: [WritableKeyPath<ObjectAttributes, String?>] = [
            \.contentType, \.cacheControl, \.contentDisposition, \.contentEncoding, \.contentLanguage, \.expires,
            \.websiteRedirectLocation,
        ]
        var attributes = ObjectAttributes()
        attributes[keyPath: texts[position]] = "text"
        let record = Self.version(nil, body: nil, attributes: attributes)
        #expect(try decoded(record.encode(), VersionRecord.decode) == record)
    }

    // MARK: The other records

    static let upload = UploadRecord(
        initiatedMilliseconds: 5, owner: owner, attributes: attributes, checksumAlgorithm: .sha256, checksumKind: .composite)
    static let plainUpload = UploadRecord(
        initiatedMilliseconds: 5, owner: owner, attributes: ObjectAttributes(), checksumAlgorithm: nil, checksumKind: nil)
    static let parts: [PartRecord] = checksums.flatMap { checksum in
        [PartLocation.empty, .inline(hash: 9), .stored(BodyID(origin: 3, sequence: 4))].map {
            PartRecord(modifiedMilliseconds: 1, size: 2, etag: ETag(high: 3, low: 4), checksum: checksum, location: $0)
        }
    }
    static let manifest = ManifestRecord(
        upload: UploadID(position: CommitPosition(index: 8, offset: 9)),
        parts: parts.enumerated().map { ManifestRecord.Part(number: UInt16($0.offset * 3 + 1), record: $0.element) })
    static let bucket = BucketRecord(
        id: BucketID(5), createdMilliseconds: 6, owner: owner, versioning: .suspended, location: "eu-north-1")
    static let position = CommitPosition(index: 1 << 40, offset: 2)

    /// An encoded record, with a decoder that encodes it again.
    struct Case: Sendable, CustomStringConvertible {
        let description: String
        let bytes: [UInt8]
        let recode: @Sendable ([UInt8]) throws -> [UInt8]
    }

    static let cases: [Case] =
        versions.map { record in
            Case(description: "version", bytes: record.encode()) { try decoded($0, VersionRecord.decode).encode() }
        }
        + parts.map { record in
            Case(description: "part", bytes: record.encode()) { try decoded($0, PartRecord.decode).encode() }
        } + [
            Case(description: "upload", bytes: upload.encode()) { try decoded($0, UploadRecord.decode).encode() },
            Case(description: "upload", bytes: plainUpload.encode()) { try decoded($0, UploadRecord.decode).encode() },
            Case(description: "manifest", bytes: manifest.encode()) { try decoded($0, ManifestRecord.decode).encode() },
            Case(description: "bucket", bytes: bucket.encode()) { try decoded($0, BucketRecord.decode).encode() },
            Case(description: "counters", bytes: BucketCounters(objects: 1, versions: 2, bytes: 3).encode()) {
                try decoded($0, BucketCounters.decode).encode()
            },
            Case(description: "applied", bytes: AppliedRecord(index: 1, digest: StateDigest(low: 2, high: 3)).encode()) {
                try decoded($0, AppliedRecord.decode).encode()
            },
            Case(description: "format", bytes: FormatRecord(schemaVersion: 1).encode()) {
                try decoded($0, FormatRecord.decode).encode()
            },
            Case(description: "next bucket", bytes: NextBucketRecord(id: BucketID(4)).encode()) {
                try decoded($0, NextBucketRecord.decode).encode()
            },
            Case(description: "bucket tags", bytes: BucketTagsRecord(tags: attributes.tags).encode()) {
                try decoded($0, BucketTagsRecord.decode).encode()
            },
            Case(description: "abandoned", bytes: AbandonedRecord(timestamp: 1 << 50).encode()) {
                try decoded($0, AbandonedRecord.decode).encode()
            },
            Case(description: "null index", bytes: NullIndexRecord(position: position).encode()) {
                try decoded($0, NullIndexRecord.decode).encode()
            },
        ]

    @Test("Records come back as they were written", arguments: cases)
    func roundTrip(record: Case) throws {
        #expect(try record.recode(record.bytes) == record.bytes)
    }

    @Test("A record cut short anywhere, or with bytes behind it, is damage", arguments: cases)
    func cutShort(record: Case) {
        for length in 0..<record.bytes.count {
            #expect(throws: RecordDamage.self) { try record.recode(Array(record.bytes.prefix(length))) }
        }
        #expect(throws: RecordDamage.self) { try record.recode(record.bytes + [0]) }
    }

    @Test("A record with any byte changed is damage, or reads as exactly those bytes", arguments: cases)
    func flipped(record: Case) {
        for position in record.bytes.indices {
            for mask: UInt8 in [0x01, 0x80, 0xFF] {
                var bytes = record.bytes
                bytes[position] ^= mask
                if let again = try? record.recode(bytes) { #expect(again == bytes, "byte \(position) ^ \(mask)") }
            }
        }
    }

    @Test("What a completed upload became and what needs a body are kept as keys")
    func keysAsValues() throws {
        let key: [UInt8] = [1, 2, 3]
        #expect(try decoded(CompletedRecord(versionKey: key).encode(), CompletedRecord.decode).versionKey == key)
        for reference in [BodyReference(.version(key: key), length: 1 << 40), BodyReference(.part(key: key), length: 0)] {
            #expect(try decoded(reference.encode(), BodyReference.decode) == reference)
        }
        #expect(throws: RecordDamage.self) { try decoded(([1, 2, 3] as [UInt8]), BodyReference.decode) }
        #expect(throws: RecordDamage.self) { try decoded(([9] as [UInt8]), CompletedRecord.decode) }
    }

    @Test("An unknown layout version is damage, whatever follows", arguments: cases)
    func layoutVersion(record: Case) {
        for version: UInt8 in [0, 1, 2, 3, 255] where version != record.bytes[0] {
            #expect(throws: RecordDamage.self) { try record.recode([version] + record.bytes.dropFirst()) }
        }
    }
}
