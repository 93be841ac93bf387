package import ObjectDataStore

/// Taking keys apart again, in place. `nil`: such a key cannot have been written by us (the store is damaged).
extension KeySchema {
    /// Where the escaped object key stands within a key of `objects`, `manifests`, `inline` (of an object) or `uploads`:
    /// after the bucket's number, before the terminator. For comparing in place: a key without zero bytes is escaped as itself.
    package static func escapedKeyRange(in key: RawSpan) -> Range<Int>? {
        let end = key.byteCount - positionByteCount - terminatorByteCount
        guard end > bucketIDByteCount, key.byte(at: end) == escapeByte, key.byte(at: end + 1) == terminator else { return nil }
        return bucketIDByteCount..<end
    }

    package static func bucketID(in key: RawSpan) -> BucketID? {
        guard key.byteCount >= bucketIDByteCount else { return nil }
        return BucketID(key.bigEndianUInt64(at: 0))
    }

    /// The object key within a key of `objects`, `manifests`, `inline` (of an object) or `uploads`.
    package static func objectKey(in key: RawSpan) -> [UInt8]? {
        guard let range = escapedKeyRange(in: key) else { return nil }
        return unescape(key, range)
    }

    /// The order of a version: the end of a key of `objects`, `manifests` or `inline` (of an object).
    package static func versionPosition(in key: RawSpan) -> CommitPosition? {
        guard let position = trailingPosition(in: key) else { return nil }
        return CommitPosition(index: ~position.index, offset: ~position.offset)
    }

    /// The upload's id: the end of a key of `uploads`.
    package static func uploadID(in key: RawSpan) -> UploadID? {
        trailingPosition(in: key).map { UploadID(position: $0) }
    }

    /// A key of `parts`.
    package static func part(in key: RawSpan) -> (upload: UploadID, number: UInt16)? {
        guard key.byteCount == positionByteCount + 2 else { return nil }
        let position = CommitPosition(index: key.bigEndianUInt64(at: 0), offset: key.bigEndianUInt32(at: 8))
        return (UploadID(position: position), key.bigEndianUInt16(at: positionByteCount))
    }

    /// A key of `bodies`.
    package static func bodyID(in key: RawSpan) -> BodyID? {
        guard key.byteCount == 16 else { return nil }
        return BodyID(origin: key.bigEndianUInt64(at: 0), sequence: key.bigEndianUInt64(at: 8))
    }

    private static func trailingPosition(in key: RawSpan) -> CommitPosition? {
        guard escapedKeyRange(in: key) != nil else { return nil }
        let start = key.byteCount - positionByteCount
        return CommitPosition(index: key.bigEndianUInt64(at: start), offset: key.bigEndianUInt32(at: start + 8))
    }

    package static func unescape(_ key: RawSpan, _ range: Range<Int>) -> [UInt8]? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(range.count)
        var position = range.lowerBound
        while position < range.upperBound {
            let byte = key.byte(at: position)
            bytes.append(byte)
            position += 1
            guard byte == escapeByte else { continue }
            guard position < range.upperBound, key.byte(at: position) == escapedZero else { return nil }
            position += 1
        }
        return bytes
    }
}
