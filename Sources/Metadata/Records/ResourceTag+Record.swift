/// Tags within a record: how many (2 bytes), for each its key and value as texts.
extension [ResourceTag] {
    /// What they take in a record.
    package var encodedByteCount: Int {
        reduce(2) { $0 + 4 + $1.key.utf8.count + $1.value.utf8.count }
    }

    /// Precondition: within `RecordLimits`.
    package func appendRecord(to bytes: inout [UInt8]) {
        bytes.appendLittleEndian(UInt16(count))
        for tag in self {
            bytes.appendString(tag.key)
            bytes.appendString(tag.value)
        }
    }

    /// - Throws: also for no tags at all: where there are none, nothing is written.
    package static func readRecord(_ reader: inout RecordReader, _ bytes: RawSpan) throws(RecordDamage) -> [ResourceTag] {
        let count = Int(try reader.readUInt16(bytes))
        guard count > 0 else { throw RecordDamage("ResourceTag", "it counts no tags") }
        var tags: [ResourceTag] = []
        for _ in 0..<count {
            let key = try reader.readString(bytes)
            tags.append(ResourceTag(key: key, value: try reader.readString(bytes)))
        }
        return tags
    }
}

/// The value of "tags" + bucket id: the tags of a bucket that has some.
///
/// A record of its own, because buckets' records are kept in memory, and tags may be a hundred times as large.
package struct BucketTagsRecord: Hashable, Sendable {
    package static let layoutVersion: UInt8 = 1

    /// Not empty.
    package var tags: [ResourceTag]

    package init(tags: [ResourceTag]) { self.tags = tags }

    package func encode() -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(1 + tags.encodedByteCount)
        bytes.append(Self.layoutVersion)
        tags.appendRecord(to: &bytes)
        return bytes
    }

    package static func decode(_ bytes: RawSpan) throws(RecordDamage) -> BucketTagsRecord {
        var reader = RecordReader("BucketTagsRecord")
        try reader.readLayoutVersion(layoutVersion, bytes)
        let record = BucketTagsRecord(tags: try .readRecord(&reader, bytes))
        try reader.expectEnd(bytes)
        return record
    }
}
