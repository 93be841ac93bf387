import Checksum
import Foundation
import KeyValueStore
import Metadata
import ObjectDataStore
import Testing

/// docs/formats/metadata.md and operation.md promise numbers; these are the code's.
@Suite struct FormatDocumentTests {
    /// The rows of the table whose header begins with these cells.
    private static func rows(_ document: String, header: [String]) throws -> [[String]] {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let text = try String(contentsOf: root.appending(path: "docs/formats/\(document)"), encoding: .utf8)
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map { cells(String($0)) }
        let start = try #require(lines.firstIndex { $0.starts(with: header) }, "\(document) has no table \(header)")
        return Array(lines[(start + 2)...].prefix { !$0.isEmpty })
    }

    private static func cells(_ line: String) -> [String] {
        guard line.hasPrefix("|") else { return [] }
        return line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
    }

    private static func number(_ text: String) -> UInt64? {
        text.hasPrefix("0x") ? UInt64(text.dropFirst(2), radix: 16) : UInt64(text)
    }

    struct Table: Sendable, CustomStringConvertible {
        var document = "metadata.md"
        let header: [String]
        /// The first cell, then the numbers in the cells after it.
        let rows: [(String, [UInt64])]

        var description: String { "\(document): \(header.joined(separator: " | "))" }
    }

    static let tables: [Table] = [
        Table(
            header: ["family", "index"], rows: KeySchema.families.map { ($0.name, [UInt64($0.index)]) }),
        Table(
            header: ["constant", "value"],
            rows: [
                ("schema version", [UInt64(KeySchema.schemaVersion)]), ("escape byte", [UInt64(KeySchema.escapeByte)]),
                ("escaped zero", [UInt64(KeySchema.escapedZero)]), ("terminator", [UInt64(KeySchema.terminator)]),
                ("past terminator", [UInt64(KeySchema.pastTerminator)]),
                ("bucket id bytes", [UInt64(KeySchema.bucketIDByteCount)]),
                ("position bytes", [UInt64(KeySchema.positionByteCount)]),
                ("terminator bytes", [UInt64(KeySchema.terminatorByteCount)]),
                ("body id bytes", [UInt64(KeySchema.bodyIDByteCount)]),
            ]),
        Table(
            header: ["record", "version"],
            rows: [
                ("version", [UInt64(VersionRecord.Layout.version)]), ("manifest", [UInt64(ManifestRecord.layoutVersion)]),
                ("part", [UInt64(PartRecord.layoutVersion)]), ("upload", [UInt64(UploadRecord.layoutVersion)]),
                ("bucket", [UInt64(BucketRecord.layoutVersion)]), ("counters", [UInt64(BucketCounters.layoutVersion)]),
                ("applied", [UInt64(AppliedRecord.layoutVersion)]), ("format", [UInt64(FormatRecord.layoutVersion)]),
                ("next bucket", [UInt64(NextBucketRecord.layoutVersion)]),
                ("null index", [UInt64(NullIndexRecord.layoutVersion)]),
                ("completed", [UInt64(CompletedRecord.layoutVersion)]),
                ("bucket tags", [UInt64(BucketTagsRecord.layoutVersion)]),
                ("abandoned", [UInt64(AbandonedRecord.layoutVersion)]),
                ("body reference", [UInt64(BodyReference.layoutVersion)]),
            ]),
        Table(header: ["field", "offset", "bytes"], rows: versionFields),
        Table(
            header: ["flag", "bit"],
            rows: [
                ("is null", [UInt64(VersionFlags.isNull.rawValue)]),
                ("is delete marker", [UInt64(VersionFlags.isDeleteMarker.rawValue)]),
                ("has inline", [UInt64(VersionFlags.hasInline.rawValue)]),
                ("has single body", [UInt64(VersionFlags.hasSingleBody.rawValue)]),
                ("has manifest", [UInt64(VersionFlags.hasManifest.rawValue)]),
            ]),
        Table(
            header: ["checksum algorithm", "code", "digest bytes"],
            rows: ChecksumAlgorithm.allCases.map {
                ("\($0)".uppercased(), [UInt64($0.rawValue), UInt64($0.digestByteCount)])
            }),
        Table(
            header: ["code", "value"],
            rows: [
                ("part without bytes", [UInt64(PartRecord.emptyCode)]), ("part inline", [UInt64(PartRecord.inlineCode)]),
                ("part stored", [UInt64(PartRecord.storedCode)]),
                ("upload without algorithm or kind", [UInt64(UploadRecord.noneCode)]),
                ("body reference: version", [UInt64(BodyReference.versionCode)]),
                ("body reference: part", [UInt64(BodyReference.partCode)]),
                ("bucket unversioned", [UInt64(BucketVersioning.unversioned.rawValue)]),
                ("bucket enabled", [UInt64(BucketVersioning.enabled.rawValue)]),
                ("bucket suspended", [UInt64(BucketVersioning.suspended.rawValue)]),
            ]),
        Table(
            header: ["limit", "value"],
            rows: [
                ("inline body bytes", [UInt64(ObjectBody.inlineByteCountMax)]),
                ("owner, bucket and location bytes", [UInt64(RecordLimits.nameByteCountMax)]),
                ("attributes bytes", [UInt64(RecordLimits.attributesByteCountMax)]),
                ("user fields", [UInt64(RecordLimits.userMetadataCountMax)]),
                ("tags", [UInt64(RecordLimits.tagCountMax)]), ("tags bytes", [UInt64(RecordLimits.tagsByteCountMax)]),
                ("parts of an upload", [UInt64(MetadataStateMachine.partCountMax)]),
                ("bytes of a part before the last", [MetadataStateMachine.partByteCountMin]),
                ("uploads aborted with their bucket", [UInt64(MetadataStateMachine.uploadsAbortedWithBucketCountMax)]),
                ("parts aborted with their bucket", [UInt64(MetadataStateMachine.partsAbortedWithBucketCountMax)]),
            ]),
        Table(
            header: ["key", "k0", "k1"],
            rows: [
                ("record hash", [RecordHash.key.k0, RecordHash.key.k1]), ("body hash", [BodyHash.key.k0, BodyHash.key.k1]),
            ]),
        Table(
            document: "operation.md", header: ["constant", "value"],
            rows: [
                ("layout version", [UInt64(MetadataOperation.layoutVersion)]),
                ("layout version with holders", [UInt64(MetadataOperation.heldLayoutVersion)]),
                ("header bytes", [UInt64(MetadataOperation.headerByteCount)]),
                ("batch members at most", [UInt64(MetadataOperation.batchCountMax)]),
            ]),
        Table(
            document: "operation.md", header: ["opType", "code"],
            rows: OperationType.allCases.map { ("\($0)", [UInt64($0.rawValue)]) }),
    ]

    private static var versionFields: [(String, [UInt64])] {
        typealias Layout = VersionRecord.Layout
        let offsets: [(String, Int)] = [
            ("layout version", Layout.versionOffset), ("flags", Layout.flagsOffset),
            ("checksum algorithm (0: none)", Layout.checksumAlgorithmOffset), ("checksum kind", Layout.checksumKindOffset),
            ("etag part count", Layout.etagPartCountOffset), ("owner id length", Layout.ownerIDLengthOffset),
            ("owner name length", Layout.ownerNameLengthOffset),
            ("storage class length (0xFFFF: none)", Layout.storageClassLengthOffset),
            ("modified, ms UTC", Layout.modifiedOffset), ("size", Layout.sizeOffset), ("etag high", Layout.etagHighOffset),
            ("etag low", Layout.etagLowOffset), ("body hash", Layout.bodyHashOffset),
            ("owner id, owner name, storage class, checksum digest, body id, attributes", Layout.headByteCount),
        ]
        // A field ends where the next one begins; the last row has no length.
        return offsets.enumerated().map { position, field in
            let next = position + 1 < offsets.count ? offsets[position + 1].1 : nil
            return (field.0, [UInt64(field.1)] + (next.map { [UInt64($0 - field.1)] } ?? []))
        }
    }

    @Test("The tables of the format documents are the constants of the code", arguments: tables)
    func constants(table: Table) throws {
        let written = try Self.rows(table.document, header: table.header)
        #expect(written.map { $0[0] } == table.rows.map(\.0))
        for (cells, row) in zip(written, table.rows) {
            let numbers = cells.dropFirst().prefix(row.1.count).map { Self.number($0) }
            #expect(numbers == row.1.map { $0 }, "\(row.0)")
        }
    }

    /// The layout itself: bytes written down by hand from the document.
    @Test("A version record has its fields where the document says")
    func versionBytes() {
        let record = VersionRecord(
            flags: .hasSingleBody, modifiedMilliseconds: 0x0102, size: 0x03,
            etag: ETag(high: 0x0405, low: 0x0607, partCount: 0x08),
            checksum: ObjectChecksum(algorithm: .crc32, kind: .composite, digest: [9, 10, 11, 12]),
            owner: Owner(canonicalID: "id", displayName: "n"),
            attributes: ObjectAttributes(
                cacheControl: "c", storageClass: "S", userMetadata: [MetadataField(name: "k", value: "v")],
                tags: [ResourceTag(key: "t", value: "u")]),
            bodyHash: 0, bodyID: BodyID(origin: 1, sequence: 2))
        let expected: [UInt8] = [
            2, 8, 1, 1, 8, 0, 2, 0, 1, 0, 1, 0,
            2, 1, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0,
            5, 4, 0, 0, 0, 0, 0, 0, 7, 6, 0, 0, 0, 0, 0, 0,
            0, 0, 0, 0, 0, 0, 0, 0,
            0x69, 0x64, 0x6E, 0x53, 9, 10, 11, 12,
            1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0,
            2 | 128, 1, 0, 0x63, 1, 0, 1, 0, 0x6B, 1, 0, 0x76, 1, 0, 1, 0, 0x74, 1, 0, 0x75,
        ]
        #expect(record.encode() == expected)
    }

    @Test("A key has its parts where the document says")
    func keyBytes() {
        let position = CommitPosition(index: 1, offset: 2)
        let expected: [UInt8] = [
            0, 0, 0, 0, 0, 0, 0, 5, 0x61, 0, 0xFF, 0, 1, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFE, 0xFF, 0xFF, 0xFF, 0xFD,
        ]
        #expect(KeySchema.version(BucketID(5), [0x61, 0], position) == expected)
        #expect(KeySchema.nullIndex(BucketID(5), [0x61, 0]) == Array("null".utf8) + expected.prefix(13))
    }
}
