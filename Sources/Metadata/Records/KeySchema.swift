package import KeyValueStore
package import ObjectDataStore

/// A bucket's number: what its objects' keys begin with, so that a bucket made anew under an old name shares nothing with the old one.
///
/// Numbers are given out in order from 1 by a counter in the store, inside `apply`; they are never used again.
package struct BucketID: Hashable, Sendable, Comparable {
    package let value: UInt64

    package init(_ value: UInt64) {
        self.value = value
    }

    package static func < (left: BucketID, right: BucketID) -> Bool { left.value < right.value }
}

/// Which keys exist in the store and how they are built (docs/formats/metadata.md has the drawings).
///
/// Integers in keys are big-endian, so that the store's byte order is their order. Object keys are escaped (`0x00` becomes `0x00 0xFF`)
/// and end with the terminator `0x00 0x01`, which sorts below every byte that may follow: byte order of the store is S3's order of keys.
package enum KeySchema {
    /// What the "format" record holds; a store with another number is refused.
    package static let schemaVersion: UInt32 = 2

    package static let system = ColumnFamily(index: 0, name: "system")
    package static let buckets = ColumnFamily(index: 1, name: "buckets")
    package static let objects = ColumnFamily(index: 2, name: "objects")
    package static let manifests = ColumnFamily(index: 3, name: "manifests")
    package static let inline = ColumnFamily(index: 4, name: "inline", holdsLargeValues: true)
    package static let uploads = ColumnFamily(index: 5, name: "uploads")
    package static let parts = ColumnFamily(index: 6, name: "parts")
    package static let bodies = ColumnFamily(index: 7, name: "bodies")

    /// In the order of their indices: what a store is opened with.
    package static let families = [system, buckets, objects, manifests, inline, uploads, parts, bodies]

    package static let escapeByte: UInt8 = 0x00
    package static let escapedZero: UInt8 = 0xFF
    package static let terminator: UInt8 = 0x01
    /// In place of the terminator: just above all versions (or uploads) of a key, below every longer key.
    package static let pastTerminator: UInt8 = 0x02
    package static let bucketIDByteCount = 8
    package static let positionByteCount = 12
    package static let terminatorByteCount = 2
    package static let bodyIDByteCount = 16

    // MARK: system

    package static let applied = Array("applied".utf8)
    package static let format = Array("format".utf8)
    package static let nextBucketID = Array("next-bucket".utf8)
    package static let countersPrefix = Array("counters".utf8)
    package static let nullIndexPrefix = Array("null".utf8)
    package static let completedPrefix = Array("completed".utf8)
    package static let bucketTagsPrefix = Array("tags".utf8)
    package static let abandonedPrefix = Array("abandoned".utf8)
    /// What the replication layer keeps; its layouts are its own (docs/formats/replicated-state.md).
    package static let replicationPrefix = Array("replication/".utf8)
    /// The term of the applied index, which the digest counts no more than the index.
    package static let replicationPosition = Array("replication/position".utf8)

    /// Where a bucket's counters are.
    package static func counters(_ bucket: BucketID) -> [UInt8] {
        var key = reserve(countersPrefix.count + bucketIDByteCount)
        key.append(contentsOf: countersPrefix)
        key.appendBigEndian(bucket.value)
        return key
    }

    /// Where a bucket's tags are, if it has any.
    package static func bucketTags(_ bucket: BucketID) -> [UInt8] {
        var key = reserve(bucketTagsPrefix.count + bucketIDByteCount)
        key.append(contentsOf: bucketTagsPrefix)
        key.appendBigEndian(bucket.value)
        return key
    }

    /// Says where the null version of an object is, when it is not the newest version.
    package static func nullIndex(_ bucket: BucketID, _ objectKey: [UInt8]) -> [UInt8] {
        var key = reserve(nullIndexPrefix.count + bucketIDByteCount + objectKey.count + terminatorByteCount)
        key.append(contentsOf: nullIndexPrefix)
        key.appendBigEndian(bucket.value)
        appendEscaped(objectKey, to: &key)
        appendTerminator(terminator, to: &key)
        return key
    }

    /// Says which version a completed upload became, as long as that version is there.
    package static func completed(_ upload: UploadID) -> [UInt8] {
        var key = reserve(completedPrefix.count + positionByteCount)
        key.append(contentsOf: completedPrefix)
        append(upload.position, to: &key)
        return key
    }

    /// Says that a body was given up before anything named it.
    package static func abandoned(_ id: BodyID) -> [UInt8] {
        var key = reserve(abandonedPrefix.count + bodyIDByteCount)
        key.append(contentsOf: abandonedPrefix)
        key.append(contentsOf: body(id))
        return key
    }

    // MARK: buckets

    package static func bucket(_ name: String) -> [UInt8] { Array(name.utf8) }

    // MARK: objects, manifests, inline

    /// The key of one version in `objects`, `manifests` and `inline`.
    package static func version(_ bucket: BucketID, _ objectKey: [UInt8], _ position: CommitPosition) -> [UInt8] {
        var key = reserve(bucketIDByteCount + objectKey.count + terminatorByteCount + positionByteCount)
        key.appendBigEndian(bucket.value)
        appendEscaped(objectKey, to: &key)
        appendTerminator(terminator, to: &key)
        key.appendBigEndian(~position.index)
        key.appendBigEndian(~position.offset)
        return key
    }

    /// What all versions (or uploads) of a key begin with: the lower bound of a scan over them.
    package static func allOf(_ bucket: BucketID, _ objectKey: [UInt8]) -> [UInt8] {
        bounded(bucket, objectKey, by: terminator)
    }

    /// Above all versions (or uploads) of a key and below those of every later key: the upper bound of a scan over them.
    package static func past(_ bucket: BucketID, _ objectKey: [UInt8]) -> [UInt8] {
        bounded(bucket, objectKey, by: pastTerminator)
    }

    /// The first place where a key that begins with `prefix` can be (an empty prefix: the bucket's first).
    /// - Parameter prefix: raw bytes; they may end in the middle of a character.
    package static func lowerBound(_ bucket: BucketID, prefix: [UInt8]) -> [UInt8] {
        var key = reserve(bucketIDByteCount + prefix.count)
        key.appendBigEndian(bucket.value)
        appendEscaped(prefix, to: &key)
        return key
    }

    /// Above every key that begins with `prefix` and below all that do not: how a listing skips a folder.
    package static func upperBound(_ bucket: BucketID, prefix: [UInt8]) -> [UInt8] {
        var key = lowerBound(bucket, prefix: prefix)
        while let last = key.popLast() {
            if last != 0xFF {
                key.append(last + 1)
                return key
            }
        }
        // Unreachable: bucket numbers never reach 2^64 - 1, so a byte of the number could be incremented.
        return key
    }

    /// The key under which the bytes of a small uploaded part are kept in `inline`: above those of all buckets.
    package static func inlinePart(_ upload: UploadID, _ number: UInt16) -> [UInt8] {
        var key = reserve(bucketIDByteCount + positionByteCount + 2)
        key.appendBigEndian(UInt64.max)
        append(upload.position, to: &key)
        key.appendBigEndian(number)
        return key
    }

    // MARK: uploads, parts, bodies

    package static func upload(_ bucket: BucketID, _ objectKey: [UInt8], _ upload: UploadID) -> [UInt8] {
        var key = reserve(bucketIDByteCount + objectKey.count + terminatorByteCount + positionByteCount)
        key.appendBigEndian(bucket.value)
        appendEscaped(objectKey, to: &key)
        appendTerminator(terminator, to: &key)
        append(upload.position, to: &key)
        return key
    }

    package static func part(_ upload: UploadID, _ number: UInt16) -> [UInt8] {
        var key = reserve(positionByteCount + 2)
        append(upload.position, to: &key)
        key.appendBigEndian(number)
        return key
    }

    package static func body(_ id: BodyID) -> [UInt8] {
        var key = reserve(bodyIDByteCount)
        key.appendBigEndian(id.origin)
        key.appendBigEndian(id.sequence)
        return key
    }

    // MARK: Building

    private static func bounded(_ bucket: BucketID, _ objectKey: [UInt8], by end: UInt8) -> [UInt8] {
        var key = reserve(bucketIDByteCount + objectKey.count + terminatorByteCount)
        key.appendBigEndian(bucket.value)
        appendEscaped(objectKey, to: &key)
        appendTerminator(end, to: &key)
        return key
    }

    private static func reserve(_ byteCount: Int) -> [UInt8] {
        var key: [UInt8] = []
        key.reserveCapacity(byteCount)
        return key
    }

    package static func append(_ position: CommitPosition, to key: inout [UInt8]) {
        key.appendBigEndian(position.index)
        key.appendBigEndian(position.offset)
    }

    private static func appendTerminator(_ end: UInt8, to key: inout [UInt8]) {
        key.append(escapeByte)
        key.append(end)
    }

    /// Keys without a zero byte (nearly all) are appended as they are.
    private static func appendEscaped(_ objectKey: [UInt8], to key: inout [UInt8]) {
        guard objectKey.contains(escapeByte) else {
            key.append(contentsOf: objectKey)
            return
        }
        for byte in objectKey {
            key.append(byte)
            if byte == escapeByte { key.append(escapedZero) }
        }
    }
}
