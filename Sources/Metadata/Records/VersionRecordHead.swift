package import ObjectDataStore

/// The front of a version record, read in place: what a listing shows, and what replacing or removing a version needs.
///
/// Decoding checks that the texts and the body id lie within the record; the attributes behind them are not looked at.
package struct VersionRecordHead: Hashable, Sendable {
    package let flags: VersionFlags
    package let modifiedMilliseconds: UInt64
    package let size: UInt64
    package let etag: ETag
    package let checksumAlgorithm: ChecksumAlgorithm?
    package let checksumKind: ObjectChecksum.Kind?
    package let bodyHash: UInt64
    private let ownerIDLength: UInt16
    private let ownerNameLength: UInt16
    private let storageClassLength: UInt16

    package var isDeleteMarker: Bool { flags.contains(.isDeleteMarker) }
    package var isNull: Bool { flags.contains(.isNull) }

    package static func decode(_ bytes: RawSpan) throws(RecordDamage) -> VersionRecordHead {
        typealias Layout = VersionRecord.Layout
        guard bytes.byteCount >= Layout.headByteCount else { throw RecordDamage("VersionRecord", "it is cut short") }
        guard bytes.byte(at: Layout.versionOffset) == Layout.version else {
            throw RecordDamage("VersionRecord", "its layout version is unknown")
        }
        let flags = VersionFlags(rawValue: bytes.byte(at: Layout.flagsOffset))
        guard flags.subtracting(.known).isEmpty else { throw RecordDamage("VersionRecord", "a flag is unknown") }
        let checksum = try ChecksumCode.read(
            algorithm: bytes.byte(at: Layout.checksumAlgorithmOffset), kind: bytes.byte(at: Layout.checksumKindOffset),
            record: "VersionRecord")
        let head = VersionRecordHead(
            flags: flags,
            modifiedMilliseconds: bytes.littleEndianUInt64(at: Layout.modifiedOffset),
            size: bytes.littleEndianUInt64(at: Layout.sizeOffset),
            etag: ETag(
                high: bytes.littleEndianUInt64(at: Layout.etagHighOffset),
                low: bytes.littleEndianUInt64(at: Layout.etagLowOffset),
                partCount: bytes.littleEndianUInt16(at: Layout.etagPartCountOffset)),
            checksumAlgorithm: checksum?.algorithm, checksumKind: checksum?.kind,
            bodyHash: bytes.littleEndianUInt64(at: Layout.bodyHashOffset),
            ownerIDLength: bytes.littleEndianUInt16(at: Layout.ownerIDLengthOffset),
            ownerNameLength: bytes.littleEndianUInt16(at: Layout.ownerNameLengthOffset),
            storageClassLength: bytes.littleEndianUInt16(at: Layout.storageClassLengthOffset))
        let end = head.bodyIDOffset + (flags.contains(.hasSingleBody) ? 16 : 0)
        guard end <= bytes.byteCount else { throw RecordDamage("VersionRecord", "it is cut short") }
        return head
    }

    // MARK: Where the texts stand

    private var ownerIDRange: Range<Int> {
        VersionRecord.Layout.headByteCount..<VersionRecord.Layout.headByteCount + Int(ownerIDLength)
    }
    private var ownerNameRange: Range<Int> { ownerIDRange.upperBound..<ownerIDRange.upperBound + Int(ownerNameLength) }
    private var storageClassRange: Range<Int> {
        let length = storageClassLength == VersionRecord.Layout.absentLength ? 0 : Int(storageClassLength)
        return ownerNameRange.upperBound..<ownerNameRange.upperBound + length
    }
    package var digestOffset: Int { storageClassRange.upperBound }
    private var bodyIDOffset: Int { digestOffset + (checksumAlgorithm?.digestByteCount ?? 0) }

    // MARK: Reading what is not of fixed width
    // Precondition of all: the same bytes that the head was decoded from.

    /// - Parameter last: an owner read before: given back when it is the same one, which saves building its texts for each key of a page.
    package func owner(in bytes: RawSpan, reusing last: Owner? = nil) throws(RecordDamage) -> Owner {
        if let last, bytes.equals(last.canonicalID, in: ownerIDRange), bytes.equals(last.displayName, in: ownerNameRange) {
            return last
        }
        guard let id = bytes.string(ownerIDRange), let name = bytes.string(ownerNameRange) else {
            throw RecordDamage("VersionRecord", "a text is not UTF-8")
        }
        return Owner(canonicalID: id, displayName: name)
    }

    /// `nil` is `STANDARD`.
    /// - Parameter last: as for `owner`.
    package func storageClass(in bytes: RawSpan, reusing last: String? = nil) throws(RecordDamage) -> String? {
        guard storageClassLength != VersionRecord.Layout.absentLength else { return nil }
        if let last, bytes.equals(last, in: storageClassRange) { return last }
        guard let text = bytes.string(storageClassRange) else { throw RecordDamage("VersionRecord", "a text is not UTF-8") }
        return text
    }

    /// The stored body of a version with `hasSingleBody`.
    package func bodyID(in bytes: RawSpan) -> BodyID? {
        guard flags.contains(.hasSingleBody) else { return nil }
        return BodyID(
            origin: bytes.littleEndianUInt64(at: bodyIDOffset), sequence: bytes.littleEndianUInt64(at: bodyIDOffset + 8))
    }
}

/// An optional checksum's algorithm and kind in two bytes: 0 and 0 for none.
enum ChecksumCode {
    static func read(
        algorithm: UInt8, kind: UInt8, record: String
    ) throws(RecordDamage) -> (algorithm: ChecksumAlgorithm, kind: ObjectChecksum.Kind)? {
        if algorithm == 0, kind == 0 { return nil }
        guard let algorithm = ChecksumAlgorithm(rawValue: algorithm), let kind = ObjectChecksum.Kind(rawValue: kind) else {
            throw RecordDamage(record, "its checksum is of an unknown kind")
        }
        return (algorithm, kind)
    }
}
